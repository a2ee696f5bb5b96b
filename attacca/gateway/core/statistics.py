"""Plain counters of one function, cheap to raise; the metrics page reads them when it is asked for."""

from bisect import bisect_left
from functools import partial
from typing import Final

from attacca.model.invocation import Start

# The bounds that OpenTelemetry's conventions advise for durations of functions, in seconds.
BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
EWMA_WEIGHT: Final = 0.1  # of the newest value
LATEST_MOST: Final = 128
place_of: Final = partial(bisect_left, BOUNDS_S)


class Histogram:
    """Counts per bucket, the last one without an upper bound."""

    __slots__ = ("_counts", "_latest", "sum_s")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._latest: list[float] = []  # not in these yet: many are sorted in for the price of a few
        self.sum_s = 0.0

    def __repr__(self) -> str:
        return f"<Histogram {self.count} values, {self.sum_s:g} s together>"

    def add(self, seconds: float) -> None:
        self.sum_s += seconds
        latest = self._latest
        latest.append(seconds)
        if len(latest) == LATEST_MOST:
            self._sort_in()

    @property
    def counts(self) -> list[int]:
        self._sort_in()
        return self._counts

    @property
    def count(self) -> int:
        return sum(self._counts) + len(self._latest)

    def _sort_in(self) -> None:
        counts = self._counts
        for place in map(place_of, self._latest):
            counts[place] += 1
        self._latest.clear()


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
