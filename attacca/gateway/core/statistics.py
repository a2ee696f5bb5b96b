"""Plain counters of one function, cheap to raise; the metrics page reads them when it is asked for."""

from bisect import bisect_left
from typing import Final

from attacca.model.invocation import Start

# The bounds that OpenTelemetry's conventions advise for durations of functions, in seconds.
BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
EWMA_WEIGHT: Final = 0.1  # of the newest value


class Histogram:
    """Counts per bucket, the last one without an upper bound."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def __repr__(self) -> str:
        return f"<Histogram {self.count} values, {self.sum_s:g} s together>"

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    @property
    def count(self) -> int:
        return sum(self.counts)


class Statistics:
    """`taken` counts admitted invocations, `ended` those of them that are over, by how their sandbox started."""

    __slots__ = ("duration", "ended", "errors", "exec_s", "init", "refused", "taken", "timeouts")

    def __init__(self) -> None:
        self.taken = 0
        self.ended: dict[str, int] = {start.value: 0 for start in Start} | {"none": 0}
        self.errors: dict[str, int] = {}  # by code, refusals included
        self.refused = 0
        self.timeouts: dict[str, int] = {}  # by clock
        self.duration = Histogram()  # from the arrival to the answer
        self.init = Histogram()  # making a sandbox and importing the code, when an invocation had to wait for it
        self.exec_s = 0.0  # moving average of the handler's own time

    def __repr__(self) -> str:
        return f"<Statistics {self.taken} taken, {sum(self.ended.values())} ended, {self.refused} refused>"

    def ran(self, seconds: float) -> None:
        self.exec_s = seconds if self.exec_s == 0 else self.exec_s + EWMA_WEIGHT * (seconds - self.exec_s)

    def failed(self, code: str) -> None:
        self.errors[code] = self.errors.get(code, 0) + 1

    def refuse(self, code: str) -> None:
        self.refused += 1
        self.failed(code)

    def timed_out(self, clock: str) -> None:
        self.timeouts[clock] = self.timeouts.get(clock, 0) + 1
