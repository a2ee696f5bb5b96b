"""Several controls' parts in who leads, over real stores, whose server and whose network fail."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from attacca.control.core.leadership import LeadershipStage
from attacca.control.core.stored import EPOCH
from attacca.control.leadership import Leader, Leadership
from attacca.errors import LeaseLost
from attacca.io.store.config import StoreConfig
from attacca.io.store.opening import open_store
from attacca.io.store.types import Store
from attacca.kernel.clock import SystemClock
from tests.live.stores import Proxy, StoreServer, running

LEASE_S = 1.0
LONGEST_S = 15
CLOCK = SystemClock()


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(LONGEST_S):
            await story()

    asyncio.run(main())


class Control:
    """As far as leading goes: it counts the term up, and notes what it is told."""

    def __init__(self, name: str, store: Store) -> None:
        self.store = store
        self.under: Store | None = None  # while it leads
        self.terms: list[int] = []
        self.changed = asyncio.Event()
        self.leadership = Leadership(
            store, CLOCK, Leader(name, "10.0.0.1:7700", "http://10.0.0.1:7780"), LEASE_S,
            self._open, self._lead, self._step_down,
        )  # fmt: skip

    async def _open(self, store: Store) -> int:
        entry = await store.get(EPOCH)
        term = 1 if entry is None else int(entry.value) + 1
        await store.put_if(EPOCH, str(term).encode(), 0 if entry is None else entry.version)
        self.under = store
        return term

    def _lead(self, term: int) -> None:
        self.terms.append(term)
        self.changed.set()

    def _step_down(self, _: str) -> None:
        self.changed.set()

    @property
    def leads(self) -> bool:
        return self.leadership.core.stage is LeadershipStage.LEADING

    async def knows_leader(self) -> None:
        while self.leadership.leader is None:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.02)

    async def until(self, *, leads: bool) -> None:
        while self.leads != leads:
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture(params=["sqlite", "redis", "etcd"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[StoreConfig, StoreServer | None]]:
    if request.param == "sqlite":
        yield StoreConfig(url=f"sqlite:{tmp_path / 'state.db'}"), None
        return
    more = ("--heartbeat-interval", "50", "--election-timeout", "500") if request.param == "etcd" else ()
    with running(request.param, tmp_path / "server", *more) as server:
        yield server.config(timeout_s=2.0), server


@asynccontextmanager
async def control(name: str, config: StoreConfig) -> AsyncIterator[Control]:
    store = await open_store(config, Path("/nowhere"), CLOCK)
    one = Control(name, store)
    one.leadership.open()
    try:
        yield one
    finally:
        await one.leadership.close()
        await store.close()


def test_one_leads_and_when_it_ends_another_does_at_once(place: tuple[StoreConfig, StoreServer | None]) -> None:
    async def main() -> None:
        config, _ = place
        async with control("ann", config) as ann:
            await ann.until(leads=True)
            async with control("bob", config) as bob:
                await bob.knows_leader()
                refusal = bob.leadership.refusal()
                assert "ann leads" in refusal.message
                assert (refusal.url, refusal.links) == ("http://10.0.0.1:7780", "10.0.0.1:7700")
                assert not bob.leads
                await ann.leadership.close()
                await bob.until(leads=True)
                assert ann.terms[-1] < bob.terms[-1]
                assert ann.under is not None
                with pytest.raises(LeaseLost):
                    await ann.under.put_if("a", b"old", 0)

    run(main)


def test_of_many_one_leads_by_each_term(place: tuple[StoreConfig, StoreServer | None]) -> None:
    async def main() -> None:
        config, _ = place
        async with control("ann", config) as ann, control("bob", config) as bob, control("cid", config) as cid:
            there = [ann, bob, cid]
            for _ in range(3):
                waiting = [asyncio.create_task(one.until(leads=True)) for one in there]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
                leaders = [one for one in there if one.leads]
                assert len(leaders) == 1
                leaders[0].leadership.resign("told to")
            assert sorted(term for one in there for term in one.terms) == [1, 2, 3]

    run(main)


@pytest.fixture(params=["redis", "etcd"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreServer]:
    more = ("--heartbeat-interval", "50", "--election-timeout", "500") if request.param == "etcd" else ()
    with running(request.param, tmp_path / "server", *more) as one:
        yield one


@pytest.mark.parametrize("how", ["deaf", "cut"])
def test_a_leader_without_the_store_steps_down_before_another_leads(server: StoreServer, how: str) -> None:
    async def main() -> None:
        proxy = Proxy(server.port)
        await proxy.open()
        async with control("ann", server.config(proxy.port, 2.0)) as ann:
            await ann.until(leads=True)
            async with control("bob", server.config(timeout_s=2.0)) as bob:
                order: list[str] = []
                note(ann, order, "ann")
                note(bob, order, "bob")
                if how == "deaf":
                    proxy.is_deaf = True
                else:
                    await proxy.close()
                await bob.until(leads=True)
                assert order == ["ann steps down", "bob leads"]
                assert ann.terms == [1]
                proxy.is_deaf = False
        await proxy.close()

    run(main)


def note(one: Control, order: list[str], name: str) -> None:
    lead, step_down = one.leadership._lead, one.leadership._step_down

    def on_lead(term: int) -> None:
        order.append(f"{name} leads")
        lead(term)

    def on_step_down(why: str) -> None:
        order.append(f"{name} steps down")
        step_down(why)

    one.leadership._lead, one.leadership._step_down = on_lead, on_step_down


@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_a_store_that_is_gone_for_a_while_is_led_over_again(server: StoreServer, fault: str) -> None:
    async def main() -> None:
        async with control("ann", server.config(timeout_s=2.0)) as ann:
            await ann.until(leads=True)
            old = ann.under
            if fault == "killed":
                server.kill()
            else:
                server.signal(signal.SIGSTOP)
            await ann.until(leads=False)
            if fault == "killed":
                await asyncio.to_thread(server.start)
            else:
                server.signal(signal.SIGCONT)
            await ann.until(leads=True)
            assert ann.terms == [1, 2]
            assert old is not None
            with pytest.raises(LeaseLost):
                await old.put_if("a", b"old", 0)

    run(main)


def test_a_leader_whose_loop_stood_still_writes_nothing_more(server: StoreServer) -> None:
    """As one that was stopped: it believes in itself until it looks at its clock."""

    async def main() -> None:
        async with control("ann", server.config(timeout_s=2.0)) as ann:
            await ann.until(leads=True)
            ann.leadership._drive.stop()  # nothing wakes it any more
            async with control("bob", server.config(timeout_s=2.0)) as bob:
                await bob.until(leads=True)
                assert ann.leads, "it believes in itself"
                assert ann.under is not None
                with pytest.raises(LeaseLost):
                    await ann.under.put_if("a", b"old", 0)
                assert not ann.leads, "and that has told it"
                assert bob.leads

    run(main)
