"""What can be said of samples, and how surely: intervals, tails, slowdown, distance, warm-up."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from attacca.load.statistics.chances import binomial_rank, t_quantile

TOO_FEW: Final = "too few samples"
CONFIDENCE: Final = 0.95
TAIL_SAMPLES: Final = 10  # so many must lie beyond a quantile before it is believed
LEAST_S: Final = 0.001  # a duration below this is taken as this, lest slowdown measure the clock


class Interval(msgspec.Struct, frozen=True):
    """A value and where the truth lies with `confidence`; an end that the samples cannot give is None."""

    value: float
    low: float | None
    high: float | None
    samples: int
    note: str = ""
    confidence: float = CONFIDENCE

    @property
    def half(self) -> float | None:
        return None if self.low is None or self.high is None else (self.high - self.low) / 2.0

    @property
    def is_sure(self) -> bool:
        """Whether zero lies outside."""
        return self.low is not None and self.high is not None and (self.low > 0.0 or self.high < 0.0)


def mean(values: Sequence[float]) -> float:
    """Summed exactly, so that the order does not matter."""
    return math.fsum(values) / len(values) if values else math.nan


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of the population that these were drawn from."""
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Student's t. The values must be independent of one another: one of each seed, not one of each invocation."""
    count = len(values)
    if count < 2:
        return Interval(mean(values), None, None, count, TOO_FEW, confidence)
    reach = t_quantile((1.0 + confidence) / 2.0, count - 1) * deviation(values) / math.sqrt(count)
    return Interval(mean(values), mean(values) - reach, mean(values) + reach, count, "", confidence)


def quantile(ordered: Sequence[float], p: float) -> float:
    """Of ascending values: the least that at least a share p of them do not exceed; so it did occur."""
    if len(ordered) == 0:
        return math.nan
    return ordered[min(max(math.ceil(p * len(ordered) - 1e-9), 1), len(ordered)) - 1]


def least_samples(p: float) -> int:
    """How many it takes before a p-quantile is more than an anecdote."""
    return math.ceil(TAIL_SAMPLES / min(p, 1.0 - p) - 1e-6) if 0.0 < p < 1.0 else 1


def quantile_interval(ordered: Sequence[float], p: float, confidence: float = CONFIDENCE) -> Interval:
    """By order statistics, whatever the distribution: how many of n values lie below the quantile is binomial.

    Both tails hold at most half of what `confidence` leaves over. Values that depend on one another (neighbours in
    one queue) make it too narrow: see `within`, or take each seed's quantile and `mean_interval`.
    """
    count = len(ordered)
    value = quantile(ordered, p)
    if not 0.0 < p < 1.0 or count == 0:
        return Interval(value, None, None, count, TOO_FEW, confidence)
    rest = (1.0 - confidence) / 2.0
    below = binomial_rank(rest, count, p)  # P(B <= below - 1) < rest: this many ranks are surely under it
    above = binomial_rank(1.0 - rest, count, p) + 1
    low = ordered[below - 1] if below >= 1 else None
    high = ordered[above - 1] if above <= count else None
    is_enough = low is not None and high is not None and count >= least_samples(p)
    return Interval(value, low, high, count, "" if is_enough else TOO_FEW, confidence)


def share_interval(hits: float, count: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's interval of a share, which stays inside 0 and 1."""
    if count == 0:
        return Interval(math.nan, None, None, 0, TOO_FEW, confidence)
    z, share = t_quantile((1.0 + confidence) / 2.0, 1e7), hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low = 0.0 if hits == 0 else middle - reach
    return Interval(share, low, 1.0 if hits == count else middle + reach, int(count), "", confidence)


def geometric_mean(values: Sequence[float]) -> float:
    """Of values above zero."""
    return math.exp(mean([math.log(value) for value in values])) if values else math.nan


def slowdown(response_s: float, duration_s: float) -> float:
    """How many times longer than alone; less than once is measurement, and counts as once."""
    return max(response_s / max(duration_s, LEAST_S), 1.0)


def slowdowns(rows: Iterable[tuple[str, float, float]]) -> dict[str, float]:
    """The geometric mean of each function's slowdowns, from (function, response, duration), in order of first sight."""
    logs: dict[str, list[float]] = {}
    for function, response_s, duration_s in rows:
        logs.setdefault(function, []).append(math.log(slowdown(response_s, duration_s)))
    return {function: math.exp(mean(values)) for function, values in logs.items()}


def distance(left: Sequence[float], right: Sequence[float]) -> float:
    """Kolmogorov and Smirnov's: the most that the shares below any value differ. Both ascending, none empty."""
    most, i, j = 0.0, 0, 0
    while i < len(left) and j < len(right):
        here = min(left[i], right[j])
        while i < len(left) and left[i] <= here:
            i += 1
        while j < len(right) and right[j] <= here:
            j += 1
        most = max(most, abs(i / len(left) - j / len(right)))
    return most


def distance_bound(left: int, right: int, confidence: float = CONFIDENCE) -> float:
    """What the distance of two samples of one distribution exceeds with the chance that `confidence` leaves."""
    return math.sqrt(-math.log((1.0 - confidence) / 2.0) * (left + right) / (2.0 * left * right))


def fairness(shares: Sequence[float]) -> float:
    """Jain's index: 1 when all have the same, 1/n when one has all."""
    squares = math.fsum(value * value for value in shares)
    return math.fsum(shares) ** 2 / (len(shares) * squares) if squares > 0 else 1.0


class WarmUp(msgspec.Struct, frozen=True):
    drop: int  # so many of the first values
    is_settled: bool  # False: the best cut is at the last place that is looked at, so it may never have settled


def warm_up(values: Sequence[float], batch: int = 5) -> WarmUp:
    """MSER-5 (White 1997): drop what makes the standard error of the rest least; at most half of it all."""
    batches = [mean(values[start : start + batch]) for start in range(0, len(values) - batch + 1, batch)]
    if len(batches) < 2:
        return WarmUp(0, is_settled=False)
    count, total, squares = 0, 0.0, 0.0
    shift = batches[-1]  # keeps the sums small
    best, best_error = 0, math.inf
    for index in range(len(batches) - 1, -1, -1):
        value = batches[index] - shift
        count, total, squares = count + 1, total + value, squares + value * value
        error = (squares - total * total / count) / (count * count)
        if index <= len(batches) // 2 and error <= best_error:
            best, best_error = index, error
    return WarmUp(best * batch, is_settled=best < len(batches) // 2)
