"""Carries out what the leadership core decides: asks the store for the lease, and has control opened and given up."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from attacca.control.core.events import Tick
from attacca.control.core.leadership import (
    AskLease,
    Command,
    Denied,
    Drained,
    Event,
    GiveBack,
    Granted,
    Lead,
    LeadershipCore,
    Open,
    Opened,
    OpenFailed,
    Resigned,
    StepDown,
    Unanswered,
)
from attacca.errors import AttaccaError, NotLeading
from attacca.io.store.fenced import FencedStore
from attacca.io.store.types import Lease, Store
from attacca.kernel.clock import Clock
from attacca.kernel.drive import Drive, LoopTimer, each, report_refused

LOG = logging.getLogger("attacca.leadership")
LEASE, LEADER = "control", "leader"


class Leader(msgspec.Struct, frozen=True):
    """Whoever leads, as it lies in the store. `links`: HOST:PORT, where planes join it; `url`: its admin API."""

    name: str
    links: str
    url: str
    term: int = 0


class Leadership:
    """One control's part in who leads. `open` reads what there is from the store that it is given, and answers with the
    term that it has begun; `lead` says that it has; `step_down` ends it at once, also while it is being opened."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        me: Leader,
        lease_s: float,
        open_under: Callable[[Store], Awaitable[int]],
        lead: Callable[[int], None],
        step_down: Callable[[str], None],
        knows: Callable[[], None] = lambda: None,
    ) -> None:
        """`knows` is called when it is known who leads, or that we do."""
        self.core = LeadershipCore(lease_s)
        self.leader: Leader | None = None  # as far as is known here; it may be gone
        self._store = store
        self._me = me
        self._holder = (
            f"{me.name} {secrets.token_hex(8)}"  # one that comes again does not take itself for the one before
        )
        self._open_under, self._lead, self._step_down = open_under, lead, step_down
        self._drive: Drive[Event, Command] = Drive(
            self.core.handle,
            self.core.alarm,
            each(self._perform),
            clock.now,
            LoopTimer(clock.now),
            Tick(),
            report_refused,
        )
        self._knows = knows
        self._opening: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Leadership {self._me.name}: {self.core!r}>"

    def open(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._watch())
        self._drive.feed(Tick())

    async def close(self) -> None:
        """Another may lead as soon as this returns."""
        self._drive.feed(Drained())
        self._drive.stop()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def resign(self, why: str) -> None:
        """What is known here may not be what is in the store."""
        self._drive.feed(Resigned(why))

    def refusal(self) -> NotLeading:
        """What is said to those who ask here, and another leads."""
        leader = self.leader
        if leader is None or leader.name == self._me.name:
            return NotLeading("no control leads at the moment", "try again in a few seconds")
        return NotLeading(
            f"{leader.name} leads, and this control does not", f"ask {leader.url}", leader.url, leader.links
        )

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(AttaccaError):
                async for change in self._store.watch(LEADER):
                    if change.key == LEADER and change.entry is not None:
                        self._learn(change.entry.value)
            await asyncio.sleep(self.core.lease_s)  # the store is busy, or closing

    def _learn(self, value: bytes) -> None:
        with contextlib.suppress(msgspec.DecodeError):
            self.leader = msgspec.json.decode(value, type=Leader)
            self._knows()

    # Out.

    def _perform(self, command: Command) -> None:
        match command:
            case AskLease():
                self._begin(self._ask(command.id))
            case Open():
                self._opening = self._begin(self._read(command.fence))
            case Lead():
                LOG.info("%s leads: term %d", self._me.name, command.term)
                self._lead(command.term)
                self._knows()
            case StepDown():
                LOG.warning("%s does not lead any more: %s", self._me.name, command.why)
                if self._opening is not None:
                    self._opening.cancel()
                self._step_down(command.why)
            case GiveBack():
                self._begin(self._give_back(command.fence))

    def _begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _ask(self, id_: int) -> None:
        lease_s = self.core.lease_s
        event: Event
        try:
            async with asyncio.timeout(lease_s / 2):
                lease = await self._store.lease(LEASE, self._holder, lease_s)
            event = Denied(id_) if lease is None else Granted(id_, lease.fence)
        except (AttaccaError, TimeoutError) as error:
            event = Unanswered(id_, str(error))
        self._drive.feed(event)

    async def _read(self, fence: int) -> None:
        store = FencedStore(self._store, Lease(LEASE, self._holder, fence), self.resign)
        try:
            term = await self._open_under(store)
            me = msgspec.structs.replace(self._me, term=term)
            await store.put_if(LEADER, msgspec.json.encode(me), None)
        except AttaccaError as error:
            LOG.warning("%s cannot lead: %s; %s", self._me.name, error.message, error.hint)
            self._drive.feed(OpenFailed(fence, error.message))
        except Exception as error:  # another may be able to, and this one must not keep the lease from it
            LOG.error("bug: %s cannot lead", self._me.name, exc_info=error)
            self._drive.feed(OpenFailed(fence, "there is a bug, see its log"))
        else:
            self.leader = me
            self._drive.feed(Opened(fence, term))

    async def _give_back(self, fence: int) -> None:
        """A lease that cannot be given back ends by itself."""
        with contextlib.suppress(AttaccaError, TimeoutError):
            async with asyncio.timeout(self.core.lease_s / 2):
                await self._store.release(Lease(LEASE, self._holder, fence))
