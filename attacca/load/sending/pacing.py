"""When the generator sends what, and when it must not be trusted: decisions only, driven by whoever holds a clock.

An invocation is sent when it is due, whatever became of those before it, and its response is measured from when it was
due: a system that stands still cannot keep the generator from noticing (coordinated omission).
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, NamedTuple, TypeVar

SPIN_S: Final = 0.0015  # this long before an invocation is due, sleeping is too coarse
FINE_SPIN_S: Final = 0.0002  # with a clock that knows less than milliseconds; the platform may need the same cores
SPIN_RATE: Final = 100.0  # per second, from which on it is worth a core
LOOK_AHEAD: Final = 20  # invocations, by which we see how many come
IDLE_S: Final = 0.05  # at most until we look again, when nothing is planned

LATE_S: Final = 0.01  # sent so much after it was due, an invocation is late
LATE_WARN, LATE_STOP = 0.10, 0.20  # share of invocations
FAILED_WARN, FAILED_STOP = 0.30, 0.50
JUDGED_LEAST: Final = 100  # invocations, before a share means anything

T = TypeVar("T")


class Pacer(Generic[T]):
    """What is planned, in the order in which it is due."""

    def __init__(self, spin_s: float = SPIN_S) -> None:
        self._planned: deque[tuple[float, T]] = deque()
        self.spin_s = spin_s
        self.is_all = False  # nothing more will be planned

    def __repr__(self) -> str:
        return f"<Pacer {len(self._planned)} planned>"

    def plan(self, items: Iterable[tuple[float, T]]) -> None:
        """More to come, due after all that was planned before."""
        self._planned.extend(items)

    def end(self) -> None:
        self.is_all = True

    def stop(self) -> None:
        """What is not sent yet never will be."""
        self._planned.clear()
        self.is_all = True

    def __len__(self) -> int:
        return len(self._planned)

    def take(self, now: float) -> tuple[float, T] | None:
        """The next one, if it is due: when it was, and what."""
        planned = self._planned
        if planned and planned[0][0] <= now:
            return planned.popleft()
        return None

    def wait_s(self, now: float) -> float:
        """How long to sleep; 0: do not sleep at all, the next one is too close."""
        planned = self._planned
        if not planned:
            return IDLE_S
        last = min(len(planned), LOOK_AHEAD) - 1
        is_dense = (planned[last][0] - planned[0][0]) * SPIN_RATE < last
        wait_s = planned[0][0] - now - (self.spin_s if is_dense else 0.0)
        return min(wait_s, IDLE_S) if wait_s > 0 else 0.0


class Verdict(NamedTuple):
    """`must_stop`: what is measured from here on would not be about the system."""

    why: str
    must_stop: bool


class Gate:
    """Counts what was late and what failed."""

    def __init__(self) -> None:
        self.count = 0
        self.late = 0
        self.held = 0
        self.failed = 0

    def __repr__(self) -> str:
        return f"<Gate {self.count}: {self.late} late, {self.held} held, {self.failed} failed>"

    def add(self, late_s: float, held_s: float, *, is_failed: bool) -> None:
        """`late_s` is the generator's own; `held_s` it had to wait for a connection that the platform would take."""
        self.count += 1
        self.late += late_s > LATE_S
        self.held += held_s > LATE_S
        self.failed += is_failed

    def verdict(self) -> Verdict | None:
        """The worst that there is to say, or nothing."""
        if self.count < JUDGED_LEAST:
            return None
        late, failed = self.late / self.count, self.failed / self.count
        lateness = f"{late:.0%} of the invocations were sent more than {LATE_S * 1000:g} ms late: by the generator"
        failures = f"{failed:.0%} of the invocations failed"
        if late > LATE_STOP:
            return Verdict(lateness, must_stop=True)
        if failed > FAILED_STOP:
            return Verdict(failures, must_stop=True)
        if late > LATE_WARN:
            return Verdict(lateness, must_stop=False)
        if failed > FAILED_WARN:
            return Verdict(failures, must_stop=False)
        held = self.held / self.count
        waited = (
            f"{held:.0%} of the invocations waited more than {LATE_S * 1000:g} ms for the platform to take a connection"
        )
        return Verdict(waited, must_stop=False) if held > LATE_WARN else None
