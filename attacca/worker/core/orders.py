"""Sandboxes that control has ordered: made where there is room, stopped when it says so; and what gateways run in them.

    StartSandbox ──▶ waiting ──▶ MakeSandbox ──▶ SandboxUp ──▶ Dispatch to it: [Run, Started], or NotBegun
         │              │             │              │                          slot by slot
         ▼              ▼             ▼              ▼
    SandboxDown: no_capacity        failed    stopped, or died

They hold their resources as all others do, and their room is made by the same evictions; but the queue never runs in
them, the limit does not count what does, and no keep-alive policy sees them. Who waits here for memory already comes
before an order.
"""

from collections.abc import Container
from typing import NamedTuple

from attacca.model.endpoints import (
    NotBegun,
    Ordered,
    SandboxDown,
    Sandboxes,
    SandboxUp,
    SlotFree,
    StartSandbox,
    StopSandbox,
)
from attacca.model.invocation import Failed, Ok, Outcome, Start, Timing, timed
from attacca.model.messages import Dispatch, Ended, Send, Started
from attacca.worker.config import WorkerConfig
from attacca.worker.core.catalogue import Catalogue
from attacca.worker.core.checks import DRAINING, never_fits
from attacca.worker.core.events import Command, Run
from attacca.worker.core.phases import Phase, Position
from attacca.worker.core.pool import Pool, Room
from attacca.worker.core.reports import RunEnded, SandboxReady
from attacca.worker.core.state import AT_ONCE, Loss, QueuedInvocation, RevisionState, Sandbox

REUSED = "its gateway had a free slot"
NO_TIME = Timing()
NO_ROOM = Failed("no_capacity", "this worker has no room for the sandbox now", "try another one")
OTHERS_WAIT = Failed("no_capacity", "others wait for memory of this worker already", "try another one")
UNKNOWN = Failed("not_found", "this worker has no sandbox of that name")
STOPPED = Failed("cancelled", "it was stopped before it was made")


class Order(NamedTuple):
    """One that waits for room which is about to be free."""

    start: StartSandbox
    state: RevisionState
    since: float


class Orders:
    def __init__(self, config: WorkerConfig, pool: Pool, catalogue: Catalogue) -> None:
        self._name = config.name
        self._pool = pool
        self._catalogue = catalogue
        self._control = ""  # who hears of them: whoever has ordered or asked last
        self.waiting: dict[str, Order] = {}  # by the sandbox's name
        self.items: dict[str, QueuedInvocation] = {}  # what runs in them
        self._waited_ms: dict[str, float] = {}  # by sandbox that starts: how long it waited for room
        self.up: dict[str, Timing] = {}  # by sandbox that takes invocations
        self.refused: dict[str, dict[str, None]] = {}  # by sandbox: gateways that want to hear of a free slot

    def __repr__(self) -> str:
        return f"<Orders {len(self.waiting)} waiting, {len(self.up)} up, {len(self.items)} invocations running>"

    # What control says.

    def start(
        self, now: float, peer: str, order: StartSandbox, out: list[Command], *, draining: bool, others_wait: bool
    ) -> None:
        """`others_wait`: for memory, and so come first. What is there already is said again."""
        self._control = peer
        sandbox = self._pool.sandboxes.get(order.id)
        if sandbox is not None:
            if order.id in self.up:
                self._say_up(order.id, out)
            return
        if order.id in self.waiting:
            return
        state = self._catalogue.find(now, order.revision, out)
        refusal = DRAINING if draining else OTHERS_WAIT if others_wait else self._refusal(order, state)
        if refusal is not None or state is None:
            out.append(self._down(order.id, refusal or NO_ROOM))
        else:
            self._place(now, Order(order, state, now), out)

    def _refusal(self, order: StartSandbox, state: RevisionState | None) -> Failed | None:
        if state is None or state.retired or not state.is_ordered:
            text = f"this worker knows no current revision {order.revision!r} that control schedules"
            return Failed("not_found", text, "order one of the current revision")
        return never_fits(state.revision, self._pool.capacity) if state.is_too_large else None

    def _place(self, now: float, order: Order, out: list[Command]) -> bool:
        """True: it waits for what is about to be free."""
        start, state = order.start, order.state
        room = self._pool.room(now, state.resources, state, out, evict=True)
        if room is Room.COMING:
            self.waiting[start.id] = order
            return True
        self.waiting.pop(start.id, None)
        if room is Room.NONE:
            out.append(self._down(start.id, NO_ROOM))
            return False
        self._pool.make(now, state, f"ordered by control: {start.why}", out, ahead=start.is_ahead, ordered=start.id)
        if now > order.since:
            self._waited_ms[start.id] = (now - order.since) * 1e3
        return False

    def serve(self, now: float, out: list[Command]) -> bool:
        """Something may have become free. True: somebody still waits."""
        for order in list(self.waiting.values()):
            if order.state.retired:
                self._cancel(order, out)
            elif self._place(now, order, out):
                return True
        return False

    def stop(self, now: float, peer: str, order: StopSandbox, out: list[Command]) -> None:
        self._control = peer
        waiting = self.waiting.get(order.id)
        sandbox = self._pool.sandboxes.get(order.id)
        if waiting is None and sandbox is None:
            out.append(self._down(order.id, UNKNOWN))
            return
        if waiting is not None:
            self._cancel(waiting, out)
        elif sandbox is not None and sandbox.is_ordered and sandbox.is_live:
            why = f" by control: {order.why}"
            if sandbox.running:
                self._pool.start_draining(sandbox, why, out)
            else:
                self._pool.kill(now, sandbox, Loss(now, "stopped", why), out)

    def _cancel(self, order: Order, out: list[Command]) -> None:
        del self.waiting[order.start.id]
        out.append(self._down(order.start.id, STOPPED))

    def drain(self, out: list[Command]) -> None:
        """What waits will not be made; what is there goes on with what it runs."""
        for order in list(self.waiting.values()):
            del self.waiting[order.start.id]
            out.append(self._down(order.start.id, DRAINING))

    def tell(self, peer: str, instances: Container[str], out: list[Command]) -> None:
        """Instances of workflows are sandboxes of its own, and not of functions that it scales."""
        self._control = peer
        there = [one for one in self._pool.sandboxes.values() if one.is_ordered and one.is_live]
        there = [one for one in there if one.id not in instances]
        ordered = [_ordered(one.id, one.state, self.up.get(one.id)) for one in there]
        ordered += [_ordered(name, order.state, None) for name, order in self.waiting.items()]
        out.append(Send(peer, Sandboxes(self._name, tuple(ordered))))

    # What the runtime says.

    def ready(self, now: float, sandbox: Sandbox, ready: SandboxReady, out: list[Command]) -> None:
        queued = self._waited_ms.pop(sandbox.id, 0.0)
        if self._pool.ready(now, sandbox):
            self.up[sandbox.id] = timed(ready.made, queued)
            self._say_up(sandbox.id, out)

    def ended(self, sandbox: Sandbox, error: Failed, out: list[Command]) -> None:
        """The pool has been told already."""
        self._waited_ms.pop(sandbox.id, None)
        self.up.pop(sandbox.id, None)
        self.refused.pop(sandbox.id, None)
        out.append(self._down(sandbox.id, error))

    def _say_up(self, name: str, out: list[Command]) -> None:
        out.append(Send(self._control, SandboxUp(self._name, name, self.up[name])))

    def _down(self, name: str, error: Failed) -> Command:
        return Send(self._control, SandboxDown(self._name, name, error))

    # What gateways run.

    def dispatch(self, now: float, peer: str, message: Dispatch, out: list[Command], *, draining: bool) -> None:
        """It runs at once, or not here."""
        invocation = message.invocation
        sandbox = self._pool.sandboxes.get(message.sandbox)
        if draining or sandbox is None or not _can_run(sandbox, invocation.revision):
            out.append(Send(peer, NotBegun(invocation.id, message.sandbox)))
            return
        if len(sandbox.running) >= sandbox.slots:
            self.refused.setdefault(sandbox.id, {})[peer] = None
            out.append(Send(peer, NotBegun(invocation.id, message.sandbox, is_full=True)))
            return
        state = sandbox.state
        state.function.statistics.arrived(now)
        item = self.items[invocation.id] = QueuedInvocation(peer, invocation, state, now)
        item.position = Position.RUNNING
        item.sandbox = sandbox
        item.start, why = (Start.WARM, REUSED) if sandbox.served else (sandbox.made, sandbox.why)
        sandbox.take(item)
        state.running += 1
        out.append(Run(sandbox.id, state.revision, invocation, peer))
        out.append(Send(peer, Started(invocation.id, sandbox.id, item.start, why, NO_TIME, AT_ONCE)))

    def run_ended(self, now: float, item: QueuedInvocation, event: RunEnded, out: list[Command]) -> None:
        statistics = item.state.function.statistics
        statistics.ran(item.start, event.run_ms / 1000, now - item.began)
        if type(event.outcome) is not Ok:
            statistics.errors += 1
        self._left(item)
        out.append(Send(item.peer, Ended(item.id, event.outcome, event.run_ms)))
        sandbox = item.sandbox
        assert sandbox is not None
        self.vacate(now, sandbox, out)

    def vacate(self, now: float, sandbox: Sandbox, out: list[Command]) -> None:
        """One of its slots has become free."""
        if sandbox.phase is Phase.DRAINING:
            if not sandbox.running:
                self._pool.kill(now, sandbox, Loss(now, "stopped", sandbox.drained_why), out)
        elif sandbox.id in self.refused:
            out.extend(Send(peer, SlotFree(sandbox.id)) for peer in self.refused.pop(sandbox.id))

    def lose(self, now: float, item: QueuedInvocation, outcome: Outcome, out: list[Command]) -> None:
        """It ran, and its sandbox is gone or gives it up."""
        statistics = item.state.function.statistics
        statistics.errors += 1
        statistics.lost[item.start] += 1
        self._left(item)
        out.append(Send(item.peer, Ended(item.id, outcome)))

    def forsake(self, peer: str) -> None:
        """A gateway is gone."""
        for peers in self.refused.values():
            peers.pop(peer, None)

    def _left(self, item: QueuedInvocation) -> None:
        del self.items[item.id]
        item.state.running -= 1


def _can_run(sandbox: Sandbox, revision: str) -> bool:
    if not sandbox.is_ordered or sandbox.state.revision.id != revision:
        return False
    return sandbox.phase is Phase.IDLE or sandbox.phase is Phase.BUSY


def _ordered(name: str, state: RevisionState, timing: Timing | None) -> Ordered:
    return Ordered(name, state.function.name, state.revision.id, timing is not None, timing or NO_TIME)
