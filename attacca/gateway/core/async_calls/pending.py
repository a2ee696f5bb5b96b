"""The calls that are ours and not over: how far each has come, and which of a function's may begin."""

from collections import Counter, deque
from enum import IntEnum
from heapq import heappop, heappush
from math import inf

from attacca.model.async_call import AsyncCall, Kind, State, Write
from attacca.model.invocation import Outcome


class CallPhase(IntEnum):
    STORING = 0  # it is on its way into the journal
    PAUSING = 1  # until it is due
    READY = 2  # until fewer of its function run
    RUNNING = 3
    WRITING = 4  # what came of it is on its way into the journal
    UNWRITTEN = 5  # the journal could not write that, and will be asked again
    DELAYING = 6  # its callback is to be tried again
    POSTING = 7


STORING, PAUSING, READY, RUNNING, WRITING, UNWRITTEN, DELAYING, POSTING = CallPhase
TIMED = (PAUSING, UNWRITTEN, DELAYING)  # they wait for a time


class Pending:
    """One of them. `rings_at` is by the core's clock, and only means something while it waits for a time."""

    __slots__ = ("call", "client", "outcome", "phase", "posts", "refusals", "rings_at", "trying", "write")

    def __init__(self, call: AsyncCall, phase: CallPhase, client: object = None) -> None:
        self.call = call
        self.phase = phase
        self.client = client  # who waits for its acceptance, or, of a keyed one, for its answer
        self.refusals = 0  # in a row: attempts that did not run
        self.posts = 0  # tries of its callback
        self.trying = call.attempts  # attempts that were begun, so that each invocation has a name of its own
        self.rings_at = 0.0
        self.outcome: Outcome | None = None  # how it ended
        self.write: Write | None = None  # what the journal is to write of its end, or could not

    def __repr__(self) -> str:
        return f"<Pending {self.call.id} of {self.call.function}: {self.phase.name.lower()}, begun {self.trying} times>"

    @property
    def takes_turns(self) -> bool:
        """Nobody waits for it, so it does not crowd those for whom somebody does."""
        return self.call.kind is not Kind.KEYED


class CallLane:
    """One function's: at most so many run at once, and the others wait in the order in which they were due."""

    __slots__ = ("count", "ready", "running")

    def __init__(self) -> None:
        self.count = 0  # all that are not over
        self.running = 0
        self.ready: deque[Pending] = deque()  # with some that have left it

    def __repr__(self) -> str:
        return f"<CallLane {self.count} calls, {self.running} running, {len(self.ready)} ready>"


class Books:
    """All of them, in lanes, and the times that they wait for; and how many there were."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()  # by function
        self.ended: Counter[tuple[str, State]] = Counter()  # by function and how
        self.failures: Counter[str] = Counter()  # attempts that ran and failed, by function
        self.pending: dict[str, Pending] = {}
        self.lanes: dict[str, CallLane] = {}  # by function
        self.bytes = 0
        self._timers: list[tuple[float, int, Pending]] = []  # with some that do not mean anything any more
        self._count = 0

    def __repr__(self) -> str:
        return f"<Books {len(self.pending)} calls of {len(self.lanes)} functions, {self.bytes} bytes>"

    def add(self, pending: Pending) -> None:
        call = pending.call
        self.pending[call.id] = pending
        self.bytes += call.size
        lane = self.lanes.get(call.function)
        if lane is None:
            lane = self.lanes[call.function] = CallLane()
        lane.count += 1

    def drop(self, pending: Pending) -> None:
        call = pending.call
        if pending.phase is RUNNING:
            self.end(pending)
        del self.pending[call.id]
        self.bytes -= call.size
        lane = self.lanes[call.function]
        lane.count -= 1
        if lane.count == 0:
            del self.lanes[call.function]

    # Turns.

    def line_up(self, pending: Pending) -> None:
        pending.phase = READY
        self.lanes[pending.call.function].ready.append(pending)

    def next(self, function: str, at_once: int) -> Pending | None:
        """Whose turn it is, if one more may run."""
        lane = self.lanes.get(function)
        while lane is not None and lane.ready and lane.running < at_once:
            first = lane.ready.popleft()
            if first.phase is READY and self.pending.get(first.call.id) is first:
                return first
        return None

    def begin(self, pending: Pending) -> None:
        pending.phase = RUNNING
        pending.trying += 1
        if pending.takes_turns:
            self.lanes[pending.call.function].running += 1

    def end(self, pending: Pending) -> None:
        """It runs no more."""
        pending.phase = WRITING
        if pending.takes_turns:
            self.lanes[pending.call.function].running -= 1

    # Times.

    def pause(self, pending: Pending, until: float) -> None:
        pending.phase = PAUSING
        self.ring(pending, until)

    def ring(self, pending: Pending, at: float) -> None:
        pending.rings_at = at
        if at < inf:
            self._count += 1
            heappush(self._timers, (at, self._count, pending))

    @property
    def rings_at(self) -> float:
        return self._timers[0][0] if self._timers else inf

    def rung(self, now: float) -> list[Pending]:
        """Those whose time has come."""
        rung = []
        while self._timers and self._timers[0][0] <= now:
            at, _, pending = heappop(self._timers)
            if self.pending.get(pending.call.id) is pending and pending.rings_at == at and pending.phase in TIMED:
                rung.append(pending)
        return rung
