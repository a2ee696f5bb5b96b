"""A store on another machine, made of calls that may get lost on their way: it asks again until it knows.

What was written and not acknowledged is looked for before it is written again: only a store that is away for longer
than `timeout_s` leaves a writer in the dark, who is told so by StateUncertain.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from attacca.errors import BadConfig, Conflict, StateUnavailable, StateUncertain
from attacca.io.store.memory import differences
from attacca.io.store.types import ABSENT, Change, Entry, Lease, checked

T = TypeVar("T")
FIRST_S, MOST_S = 0.02, 0.5  # between two attempts
ATTEMPT = 0.4  # of the whole time, for each attempt: one that got lost must not be the only one
POLL_S = 0.3  # how soon a watcher sees what others wrote


class RawStore(Protocol):
    """As `Store`, for one attempt each. A call that is cancelled leaves nothing half said on a connection."""

    name: str  # as people know it

    async def get(self, key: str) -> Entry | None: ...
    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None) -> Entry: ...
    async def delete(self, key: str, version: int | None, under: Lease | None) -> bool: ...
    async def scan(self, prefix: str) -> list[Entry]: ...
    async def stamp(self) -> int:
        """It grows with every write."""

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None: ...
    async def release(self, lease: Lease) -> bool: ...
    async def close(self) -> None: ...


class SteadyStore:
    """A `types.Store`. `timeout_s` is of one call, with all its attempts."""

    def __init__(self, raw: RawStore, timeout_s: float, poll_s: float = POLL_S, first_s: float = FIRST_S) -> None:
        self._raw = raw
        self._timeout_s = timeout_s
        self._poll_s = poll_s
        self._first_s = first_s
        self._watchers: list[asyncio.Event] = []
        self._is_closed = False
        self._failures = 0  # in a row

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else f"{self._failures} failures in a row"
        return f"<SteadyStore {self._raw.name}: {len(self._watchers)} watched, {state}>"

    async def get(self, key: str) -> Entry | None:
        return await self._ask(lambda: self._raw.get(checked(key)))

    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None = None) -> Entry:
        async def settle() -> Entry | None:
            """Ours, if it is there: or somebody else's who wrote the same, which comes to the same."""
            entry = await self._raw.get(key)
            is_ours = entry is not None and entry.version != version and entry.value == value
            return entry if is_ours else None

        while version is None:
            with contextlib.suppress(Conflict):
                return await self.put_if(key, value, await self._version(key), under)
        entry = await self._write(lambda: self._raw.put_if(checked(key), value, version, under), settle)
        self._wake()
        return entry

    async def delete(self, key: str, version: int | None = None, under: Lease | None = None) -> bool:
        async def settle() -> bool | None:
            return True if await self._raw.get(key) is None else None

        while version is None:
            if (there := await self._version(key)) == ABSENT:
                return False
            with contextlib.suppress(Conflict):
                return await self.delete(key, there, under)
        was_there = await self._write(lambda: self._raw.delete(checked(key), version, under), settle)
        self._wake()
        return was_there

    async def scan(self, prefix: str) -> list[Entry]:
        return await self._ask(lambda: self._raw.scan(prefix))

    async def watch(self, prefix: str) -> AsyncIterator[Change]:
        """A store that is away is waited for."""
        changed = asyncio.Event()
        self._watchers.append(changed)
        seen: dict[str, Entry] = {}
        stamp = -1
        try:
            while True:
                changed.clear()
                with contextlib.suppress(StateUnavailable):
                    self._expect_open()
                    at = await self._attempt(self._raw.stamp)
                    now = {entry.key: entry for entry in await self._attempt(lambda: self._raw.scan(prefix))}
                    for change in differences(seen, now):
                        yield change
                    seen, stamp = now, at
                await self._until_written(changed, stamp)
        finally:
            self._watchers.remove(changed)

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        """One attempt: whoever wants it asks again anyway, and must not wait."""
        self._expect_open()
        return await self._attempt(lambda: self._raw.lease(checked(key), holder, ttl_s))

    async def release(self, lease: Lease) -> bool:
        self._expect_open()
        return await self._attempt(lambda: self._raw.release(lease))

    async def close(self) -> None:
        """A watch that is still read ends with StateUnavailable."""
        if not self._is_closed:
            self._is_closed = True
            await self._raw.close()
            self._wake()

    # Attempts.

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        async def nothing() -> None:
            """A question leaves nothing behind."""

        return await self._write(call, nothing)

    async def _version(self, key: str) -> int:
        """Nothing is written blindly: what got lost on its way might arrive after what was written since."""
        entry = await self.get(key)
        return ABSENT if entry is None else entry.version

    async def _write(self, call: Callable[[], Awaitable[T]], settle: Callable[[], Awaitable[T | None]]) -> T:
        """`settle`: what has come of a call that was not answered; None: nothing, as far as can be seen."""
        self._expect_open()
        loop, wait_s, is_uncertain = asyncio.get_running_loop(), self._first_s, False
        end = loop.time() + self._timeout_s
        while True:
            try:
                if is_uncertain and (outcome := await self._attempt(settle)) is not None:
                    return outcome
                return await self._attempt(call)
            except Conflict:
                if is_uncertain and (outcome := await self._ask(settle)) is not None:
                    return outcome  # it was under way all the time
                raise
            except StateUnavailable as error:
                is_uncertain = is_uncertain or isinstance(error, StateUncertain)
                if loop.time() + wait_s > end or self._is_closed:
                    raise self._given_up(error, is_uncertain=is_uncertain) from error
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, MOST_S)

    async def _attempt(self, call: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.current_task()
        assert task is not None
        cancelled = task.cancelling()
        try:
            async with asyncio.timeout(self._timeout_s * ATTEMPT):
                outcome = await call()
        except (TimeoutError, StateUnavailable, BadConfig) as error:
            self._failures += 1
            _expect_wanted(task, cancelled)
            if isinstance(error, StateUnavailable):
                raise
            if isinstance(error, BadConfig):  # it let us in before
                raise StateUnavailable(error.message, error.hint) from error
            raise StateUncertain(f"{self._raw.name} does not answer") from None
        _expect_wanted(task, cancelled)
        self._failures = 0
        return outcome

    def _given_up(self, error: StateUnavailable, *, is_uncertain: bool) -> StateUnavailable:
        kind = StateUncertain if is_uncertain else StateUnavailable
        what = f"the store cannot be used now: {error.message}"
        return kind(what, error.hint or "check that it runs and can be reached from here; then try again")

    async def _until_written(self, changed: asyncio.Event, stamp: int) -> None:
        while not changed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):  # `wait_for` may lose a cancellation on 3.11
                    await changed.wait()
            self._expect_open()
            with contextlib.suppress(StateUnavailable):
                if await self._attempt(self._raw.stamp) != stamp:
                    return

    def _expect_open(self) -> None:
        if self._is_closed:
            raise StateUnavailable(f"{self._raw.name} is closed", "the server is shutting down")

    def _wake(self) -> None:
        for changed in self._watchers:
            changed.set()


def _expect_wanted(task: "asyncio.Task[object]", cancelled: int) -> None:
    """redis-py takes a cancellation for a connection that was lost, or passes over it.

    Raises:
        CancelledError: it came meanwhile.
    """
    if task.cancelling() > cancelled:
        raise asyncio.CancelledError
