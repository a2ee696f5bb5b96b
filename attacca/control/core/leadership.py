"""Who leads, of several controls: whoever has the lease in the store, for as long as it is sure to have it.

    FOLLOWING ──granted──▶ OPENING ──opened──▶ LEADING
        ▲                     │                   │
        └──── refused, or not renewed in time ────┘

The lease is counted from before it was asked for, on this machine's own clock that does not go backwards, and given up
a margin before it can end in the store: what the wall clock says, here or there, does not matter. Whoever was held up
for longer than that writes nothing any more (`Store.put_if`, `under`), and commands nobody (`kernel.terms`).
"""

from enum import StrEnum
from math import inf

import msgspec

from attacca.control.core.events import Tick
from attacca.kernel.timers import Alarm

RENEWALS = 5  # of a lease in its time
TRIES = 10  # of whoever has not got it, in the same time
MARGIN = 0.2  # of a lease: what is left of it when it is given up


class LeadershipStage(StrEnum):
    FOLLOWING = "following"
    OPENING = "opening"  # has the lease, and reads what there is
    LEADING = "leading"
    ENDED = "ended"


# What can happen.


class Granted(msgspec.Struct, frozen=True):
    """The answer to the AskLease of that id: we have it, and its fence."""

    id: int
    fence: int


class Denied(msgspec.Struct, frozen=True):
    """The answer to the AskLease of that id: another has it."""

    id: int


class Unanswered(msgspec.Struct, frozen=True):
    """Nothing is known of what came of the AskLease of that id."""

    id: int
    why: str


class Opened(msgspec.Struct, frozen=True):
    """What there is has been read under the lease of that fence, and the term is durable."""

    fence: int
    term: int


class OpenFailed(msgspec.Struct, frozen=True):
    fence: int
    why: str


class Resigned(msgspec.Struct, frozen=True):
    """It cannot go on with what it knows, and begins anew, or another does."""

    why: str


class Drained(msgspec.Struct, frozen=True):
    """The process ends."""


# What is ordered.


class AskLease(msgspec.Struct, frozen=True):
    """Take it or keep it. Ends in Granted, Denied or Unanswered within half of the time that it lasts."""

    id: int


class Open(msgspec.Struct, frozen=True):
    """Read what there is, and write the next term. Ends in Opened or OpenFailed, unless a StepDown comes first."""

    fence: int


class Lead(msgspec.Struct, frozen=True):
    term: int


class StepDown(msgspec.Struct, frozen=True):
    """Command nobody from now on, and forget what was read."""

    why: str


class GiveBack(msgspec.Struct, frozen=True):
    """Another need not wait for the end of the lease."""

    fence: int


Event = Granted | Denied | Unanswered | Opened | OpenFailed | Resigned | Drained | Tick
Command = AskLease | Open | Lead | StepDown | GiveBack


class LeadershipCore:
    """`lease_s`: how long it lasts. `stage`, `term` and `fence` say where it stands."""

    def __init__(self, lease_s: float) -> None:
        self.alarm = Alarm()  # when it wants the next Tick; a Tick at any other time does no harm
        self.lease_s = lease_s
        self.stage = LeadershipStage.FOLLOWING
        self.term = 0
        self.fence = 0
        self.held_until = -inf  # from then on another may have it
        self._asked = 0  # the id of the last question
        self._asked_at: float | None = None  # it waits for its answer
        self._ask_at = -inf

    def __repr__(self) -> str:
        return f"<LeadershipCore {self.stage}: term {self.term}, fence {self.fence}, {self._asked} asked>"

    def handle(self, now: float, event: Event) -> list[Command]:
        out: list[Command] = []
        if self.stage is not LeadershipStage.ENDED:
            self._handle(now, event, out)
            self.alarm.at = self._wakes_at()
        return out

    def _handle(self, now: float, event: Event, out: list[Command]) -> None:
        if self.has_lease and now >= self.held_until:
            self._step_down("the lease was not renewed in time: the store is slow, or cannot be reached", out)
        match event:
            case Granted() | Denied() | Unanswered():
                self._answered(now, event, out)
            case Opened() | OpenFailed():
                self._opened(now, event, out)
            case Resigned():
                self._resign(now, event.why, out)
            case Drained():
                self._resign(now, "this control ends", out)
                self.stage = LeadershipStage.ENDED
                return
            case Tick():
                pass
        if self._asked_at is None and now >= self._ask_at:
            self._asked += 1
            self._asked_at = now
            out.append(AskLease(self._asked))

    def _wakes_at(self) -> float:
        if self.stage is LeadershipStage.ENDED:
            return inf
        return min(inf if self._asked_at is not None else self._ask_at, self.held_until if self.has_lease else inf)

    @property
    def has_lease(self) -> bool:
        """As far as it knows."""
        return self.stage in (LeadershipStage.OPENING, LeadershipStage.LEADING)

    def _answered(self, now: float, event: Granted | Denied | Unanswered, out: list[Command]) -> None:
        if event.id != self._asked or self._asked_at is None:
            return
        asked_at, self._asked_at = self._asked_at, None
        self._ask_at = asked_at + self.lease_s / (RENEWALS if self.has_lease else TRIES)
        if isinstance(event, Granted):
            self._granted(now, asked_at, event.fence, out)
        elif isinstance(event, Denied) and self.has_lease:
            self._step_down("another control has the lease", out)

    def _granted(self, now: float, asked_at: float, fence: int, out: list[Command]) -> None:
        until = asked_at + self.lease_s * (1 - MARGIN)
        if self.has_lease and fence == self.fence:
            self.held_until = max(self.held_until, until)
            return
        if self.has_lease:
            self._step_down("the lease ended, and another control may have had it meanwhile", out)
        if fence == self.fence:  # what was begun under it may still be on its way to the store
            out.append(GiveBack(fence))
            return
        if now >= until:  # the answer took too long to be of use
            return
        self.stage, self.fence, self.held_until = LeadershipStage.OPENING, fence, until
        self._ask_at = asked_at + self.lease_s / RENEWALS
        out.append(Open(fence))

    def _opened(self, now: float, event: Opened | OpenFailed, out: list[Command]) -> None:
        """What was opened under a lease that has ended since is nobody's."""
        if self.stage is not LeadershipStage.OPENING or event.fence != self.fence:
            return
        if isinstance(event, OpenFailed):
            self._resign(now, event.why, out)
            return
        self.stage, self.term = LeadershipStage.LEADING, event.term
        out.append(Lead(event.term))

    def _resign(self, now: float, why: str, out: list[Command]) -> None:
        """Others have a whole lease's time to take it before it is asked for again."""
        if self.has_lease:
            fence = self.fence
            self._step_down(why, out)
            out.append(GiveBack(fence))
            self._ask_at = now + self.lease_s

    def _step_down(self, why: str, out: list[Command]) -> None:
        self.stage = LeadershipStage.FOLLOWING
        self.held_until = -inf
        out.append(StepDown(why))
