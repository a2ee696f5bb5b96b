"""A steady store over one whose calls get lost: before they are done, or with what came of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from attacca.errors import Conflict, StateUnavailable, StateUncertain
from attacca.io.store.conformance import check_shared, check_store
from attacca.io.store.memory import MemoryStore
from attacca.io.store.steady import SteadyStore
from attacca.io.store.types import ABSENT, Entry, Lease, Store
from attacca.kernel.clock import ManualClock

T = TypeVar("T")


class Flaky:
    """A `RawStore` in memory. `fails` says of the next calls what is lost: the call, or what is answered."""

    name = "flaky"

    def __init__(self, *fails: str, each: str = "") -> None:
        self.clock = ManualClock(1000.0)
        self.store = MemoryStore(self.clock)
        self.fails = list(fails)
        self.each = each
        self.calls = 0

    async def _try(self, call: Callable[[], Awaitable[T]]) -> T:
        self.calls += 1
        how = self.fails.pop(0) if self.fails else self.each
        if how == "call":
            raise StateUncertain("it got lost")
        if how == "away":
            raise StateUnavailable("it is away")
        outcome = await call()
        if how == "answer":
            raise StateUncertain("the answer got lost")
        return outcome

    async def get(self, key: str) -> Entry | None:
        return await self._try(lambda: self.store.get(key))

    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None) -> Entry:
        return await self._try(lambda: self.store.put_if(key, value, version, under))

    async def delete(self, key: str, version: int | None, under: Lease | None) -> bool:
        return await self._try(lambda: self.store.delete(key, version, under))

    async def scan(self, prefix: str) -> list[Entry]:
        return await self._try(lambda: self.store.scan(prefix))

    async def stamp(self) -> int:
        return sum(entry.version for entry in await self.store.scan(""))

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        return await self._try(lambda: self.store.lease(key, holder, ttl_s))

    async def release(self, lease: Lease) -> bool:
        return await self._try(lambda: self.store.release(lease))

    async def close(self) -> None:
        """Nothing to let go of."""


def play(raw: Flaky, story: Callable[[SteadyStore], Awaitable[None]], timeout_s: float = 60.0) -> None:
    asyncio.run(_play(raw, story, timeout_s))


async def _play(raw: Flaky, story: Callable[[SteadyStore], Awaitable[None]], timeout_s: float) -> None:
    await story(SteadyStore(raw, timeout_s, first_s=0.0))


def test_it_does_what_a_store_does() -> None:
    made: list[Flaky] = []

    async def steady() -> Store:
        made.append(Flaky())
        return SteadyStore(made[-1], 60.0)

    def elapse(seconds: float) -> None:
        made[-1].clock.time += seconds

    asyncio.run(check_store(steady, elapse))


def test_two_who_share_it_see_each_other() -> None:
    async def main() -> None:
        store = SteadyStore(Flaky(), 60.0)
        await check_shared(store, store)

    asyncio.run(main())


@pytest.mark.parametrize("how", ["call", "answer", "away"])
def test_whatever_gets_lost_a_write_is_made_once_and_what_came_of_it_is_known(how: str) -> None:
    raw = Flaky(how, how)

    async def story(store: SteadyStore) -> None:
        entry = await store.put_if("a", b"1", ABSENT)
        assert await raw.store.get("a") == entry
        raw.fails = [how]
        newer = await store.put_if("a", b"2", entry.version)
        assert newer.version == entry.version + 1
        raw.fails = [how]
        assert await store.delete("a", newer.version)
        assert await raw.store.get("a") is None

    play(raw, story)


def test_one_that_was_under_way_all_the_time_is_not_taken_for_somebody_elses() -> None:
    """It arrives after it was looked for, and before it is written again."""
    raw = Flaky("call")

    async def story(store: SteadyStore) -> None:
        look = raw.get

        async def get(key: str) -> Entry | None:
            entry = await look(key)
            if entry is None:
                await raw.store.put_if(key, b"1", ABSENT)
            return entry

        raw.get = get  # type: ignore[method-assign]
        entry = await store.put_if("a", b"1", ABSENT)
        assert entry.version == 1

    play(raw, story)


def test_somebody_elses_write_is_a_conflict_all_the_same() -> None:
    raw = Flaky("call")

    async def story(store: SteadyStore) -> None:
        await raw.store.put_if("a", b"theirs", ABSENT)
        with pytest.raises(Conflict):
            await store.put_if("a", b"ours", ABSENT)

    play(raw, story)


@pytest.mark.parametrize(("how", "kind"), [("away", StateUnavailable), ("call", StateUncertain)])
def test_one_that_stays_away_is_given_up(how: str, kind: type[StateUnavailable]) -> None:
    raw = Flaky(each=how)

    async def story(store: SteadyStore) -> None:
        with pytest.raises(StateUnavailable) as caught:
            await store.put_if("a", b"1", ABSENT)
        assert type(caught.value) is kind
        assert caught.value.hint

    play(raw, story, timeout_s=-1.0)


def test_whoever_is_cancelled_is_cancelled_whatever_the_library_makes_of_it() -> None:
    raw = Flaky()

    async def story(store: SteadyStore) -> None:
        async def get(key: str) -> Entry | None:
            never: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
            try:
                return await never
            except asyncio.CancelledError:
                raise StateUnavailable("the connection was lost") from None

        raw.get = get  # type: ignore[method-assign]
        task = asyncio.create_task(store.get("a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    play(raw, story)


def test_a_lease_is_asked_for_once() -> None:
    raw = Flaky("call")

    async def story(store: SteadyStore) -> None:
        with pytest.raises(StateUncertain):
            await store.lease("leader", "ann", 2.0)
        assert raw.calls == 1
        assert repr(store) == "<SteadyStore flaky: 0 watched, 1 failures in a row>"

    play(raw, story)
