"""A running measure of one quantity: count, mean, moving average, maximum and percentiles, in bounded memory."""

from collections.abc import Sequence
from math import ceil, log

RELATIVE_ERROR = 0.02  # of every percentile, for values between LEAST and MOST
LEAST = 1e-6  # what is smaller counts as 0: a microsecond of seconds, a nanosecond of milliseconds
MOST = 1e9  # what is larger shares the last bucket
EWMA_WEIGHT = 0.1  # of the newest value, as in Ilúvatar's characteristics map

# Bucket i holds the values from LEAST * GROWTH**i up to LEAST * GROWTH**(i + 1), as in DDSketch (VLDB'19), so that
# MIDDLE times its lower edge is within RELATIVE_ERROR of all of them. 863 buckets span the whole range.
GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
MIDDLE = 2 * GROWTH / (GROWTH + 1)
PER_LEAST = 1 / LEAST
PER_GROWTH = 1 / log(GROWTH)
LAST = int(log(MOST * PER_LEAST) * PER_GROWTH)
ZERO = -1  # the bucket of what counts as 0
LATEST_MOST = 128


class Measure:
    """Values are durations, gaps or sizes: never negative. Everything is 0 before the first one."""

    __slots__ = ("_buckets", "_latest", "_max", "_sorted", "_total", "ewma")

    def __init__(self) -> None:
        self.ewma = 0.0
        self._latest: list[float] = []  # not counted in below: many are sorted in for the price of a few
        self._sorted = 0
        self._max = 0.0
        self._total = 0.0
        self._buckets: dict[int, int] = {}  # only those that hold something

    def __repr__(self) -> str:
        return f"<Measure of {self.count}: mean {self.mean:g}, lately {self.ewma:g}, at most {self.max:g}>"

    def add(self, value: float) -> None:
        latest = self._latest
        if latest or self._sorted:
            ewma = self.ewma
            self.ewma = ewma + EWMA_WEIGHT * (value - ewma)
        else:
            self.ewma = value
        latest.append(value)
        if len(latest) == LATEST_MOST:
            self._sort_in()

    @property
    def count(self) -> int:
        return self._sorted + len(self._latest)

    @property
    def max(self) -> float:
        self._sort_in()
        return self._max

    @property
    def mean(self) -> float:
        self._sort_in()
        return self._total / self._sorted if self._sorted else 0.0

    def _sort_in(self) -> None:
        latest = self._latest
        if not latest:
            return
        buckets, total = self._buckets, self._total
        self._sorted += len(latest)
        self._max = max(self._max, *latest)
        for value in latest:
            total += value
            if value < LEAST:
                bucket = ZERO
            elif value < MOST:
                bucket = int(log(value * PER_LEAST) * PER_GROWTH)
            else:
                bucket = LAST
            buckets[bucket] = buckets.get(bucket, 0) + 1
        self._total = total
        latest.clear()

    def percentile(self, q: float) -> float:
        """The smallest value that at least a share `q` (0 to 1) of all values does not exceed."""
        return self.percentiles((q,))[0]

    def percentiles(self, qs: Sequence[float]) -> list[float]:
        """Several percentiles, asked for in ascending order, for the price of one."""
        self._sort_in()
        found: list[float] = []
        buckets = iter(sorted(self._buckets.items()))
        bucket, seen = ZERO, 0
        for q in qs:
            assert 0 <= q <= 1, f"a share from 0 to 1, not {q}"
            rank = max(1, ceil(q * self.count))
            while seen < rank and seen < self.count:
                bucket, held = next(buckets)
                seen += held
            found.append(self._value(bucket))
        return found

    def _value(self, bucket: int) -> float:
        if bucket == ZERO:
            return 0.0
        return min(self._max, LEAST * GROWTH**bucket * MIDDLE)
