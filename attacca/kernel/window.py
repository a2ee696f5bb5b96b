"""Measures in bounded memory: of all there was (count, mean, moving average, percentiles), and of the last seconds."""

from collections import deque
from collections.abc import Sequence
from math import ceil, floor, log
from typing import Final

RELATIVE_ERROR = 0.02  # of every percentile, for values between LEAST and MOST
LEAST: Final = 1e-6  # what is smaller counts as 0: a microsecond of seconds, a nanosecond of milliseconds
MOST: Final = 1e9  # what is larger shares the last bucket
EWMA_WEIGHT: Final = 0.1  # of the newest value, as in Ilúvatar's characteristics map

# Bucket i holds the values from LEAST * GROWTH**(i - 1) up to LEAST * GROWTH**i, as in DDSketch (VLDB'19), so that
# MIDDLE times its lower edge is within RELATIVE_ERROR of all of them. 863 buckets span the whole range.
GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
MIDDLE = 2 * GROWTH / (GROWTH + 1)
EDGES: Final = [LEAST * GROWTH**number for number in range(int(log(MOST / LEAST) / log(GROWTH)) + 1)]
PER_EDGE: Final = 1 / log(GROWTH)
ZERO = 0  # the bucket of what counts as 0, before all others
LATEST_MOST: Final = 128


def bucket_of(value: float) -> int:
    """So many edges are not above it. The logarithm says where about that is, the edges themselves say it."""
    if value < LEAST:
        return ZERO
    if not value < MOST:
        return len(EDGES)
    bucket = int(log(value / LEAST) * PER_EDGE) + 1
    while bucket > 1 and EDGES[bucket - 1] > value:
        bucket -= 1
    while bucket < len(EDGES) and EDGES[bucket] <= value:
        bucket += 1
    return bucket


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
        self._sorted += len(latest)
        most = max(latest)
        if most > self._max:
            self._max = most
        self._total += sum(latest)
        buckets = self._buckets
        for value in latest:
            bucket = bucket_of(value)
            buckets[bucket] = buckets.get(bucket, 0) + 1
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
        return min(self._max, EDGES[bucket - 1] * MIDDLE)


class Buckets:
    """What was added over the last `width_s`, in buckets of `bucket_s`: how much a second, of any part of it.

    A part is so many whole buckets, and that of now, which is not whole yet: with buckets of 1 s, the last six seconds
    look back for 6 to 7 s.
    """

    __slots__ = ("_began_at", "_bucket_s", "_count", "_last", "_ring")

    def __init__(self, width_s: float, bucket_s: float = 1.0) -> None:
        self._bucket_s = bucket_s
        self._count = max(1, round(width_s / bucket_s)) + 1
        self._ring = [0.0] * self._count
        self._last = 0  # the newest bucket, by its number since time began
        self._began_at: float | None = None  # nothing was there before

    def __repr__(self) -> str:
        return f"<Buckets {self._count - 1} of {self._bucket_s:g} s, {sum(self._ring):g} in them>"

    def begin(self, now: float) -> None:
        """From now on it is empty, and known to be."""
        self._ring = [0.0] * self._count
        self._began_at = now
        self._last = floor(now / self._bucket_s)

    def add(self, now: float, amount: float) -> None:
        """`now` never goes back by more than the width."""
        if self._began_at is None:
            self.begin(now)
        self._ring[self._reach(now) % self._count] += amount

    def add_over(self, since: float, now: float, per_second: float) -> None:
        """So much a second, all the time between."""
        if self._began_at is None:
            self.begin(since)
        bucket_s = self._bucket_s
        newest = self._reach(now)
        bucket = max(floor(since / bucket_s), newest - self._count + 1)
        if per_second:
            for number in range(bucket, newest + 1):
                within_s = min(now, (number + 1) * bucket_s) - max(since, number * bucket_s)
                self._ring[number % self._count] += max(0.0, within_s) * per_second

    def per_second(self, now: float, width_s: float, least_s: float = 0.0) -> float:
        """Of the last `width_s`, or of the time since it began, but at least of `least_s`; 0 of no time."""
        if self._began_at is None:
            return 0.0
        newest = self._reach(now)
        oldest = newest - min(self._count - 1, max(1, round(width_s / self._bucket_s)))
        passed_s = max(least_s, now - max(self._began_at, oldest * self._bucket_s))
        if passed_s <= 0:
            return 0.0
        ring, count = self._ring, self._count
        return sum(ring[number % count] for number in range(oldest, newest + 1)) / passed_s

    def _reach(self, now: float) -> int:
        """Empty what is too old; the number of the bucket of now."""
        number = floor(now / self._bucket_s)
        if number > self._last:
            for stale in range(max(self._last + 1, number - self._count + 1), number + 1):
                self._ring[stale % self._count] = 0.0
            self._last = number
        return number


class Gauge:
    """The mean of a quantity that stays as it is until something else is said, over the last `width_s`."""

    __slots__ = ("_began_at", "_buckets", "_since", "value")

    def __init__(self, width_s: float, bucket_s: float = 1.0) -> None:
        self._buckets = Buckets(width_s, bucket_s)
        self._began_at = 0.0
        self._since: float | None = None
        self.value = 0.0

    def __repr__(self) -> str:
        return f"<Gauge {self.value:g}, {self._buckets!r}>"

    def set(self, now: float, value: float) -> None:
        if self._since is None:
            self._buckets.begin(now)
            self._began_at = now
        else:
            self._buckets.add_over(self._since, now, self.value)
        self._since = now
        self.value = value

    def begin(self, now: float, value: float) -> None:
        """As if nothing had been before."""
        self._since = None
        self.set(now, value)

    def mean(self, now: float, width_s: float) -> float:
        """Of the last `width_s`, or of the time since it began; where none has passed, what it is."""
        if self._since is None:
            return self.value
        if now > self._since:
            self.set(now, self.value)
        if now <= self._began_at:
            return self.value
        return self._buckets.per_second(now, width_s)


class Most:
    """The highest of what was said in the last `width_s`."""

    __slots__ = ("_falling", "_width_s")

    def __init__(self, width_s: float) -> None:
        self._width_s = width_s
        self._falling: deque[tuple[float, float]] = deque()  # whoever comes after a higher one is lower: (at, value)

    def __repr__(self) -> str:
        return f"<Most of {self._width_s:g} s: {self._falling[0][1] if self._falling else 0:g}>"

    def add(self, now: float, value: float) -> float:
        """The highest, with this one."""
        falling = self._falling
        while falling and falling[-1][1] <= value:
            falling.pop()
        falling.append((now, value))
        while falling[0][0] < now - self._width_s:
            falling.popleft()
        return falling[0][1]

    def clear(self) -> None:
        self._falling.clear()
