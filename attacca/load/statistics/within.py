"""What one run tells of the truth, though each invocation depends on those before it.

The run is cut into batches that follow one another. Their means (or quantiles) depend on each other the less the longer
they are; what is left of it, their lag-1 correlation, widens the interval. How long is long enough nobody knows: so
several counts of batches are tried, few long ones to many short ones, and the widest interval is taken.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from attacca.load.statistics.chances import binomial_rank, t_quantile
from attacca.load.statistics.samples import CONFIDENCE, TOO_FEW, Interval, least_samples, share_interval

Floats = npt.NDArray[np.float64]

ONE_RUN: Final = "one run: no interval"
COUNTS: Final = (4, 5, 7, 10, 14, 20, 28, 40)  # of batches
LEAST: Final = 10  # values of a batch
ENOUGH: Final = 7  # batches that there must be, at least
MOST: Final = 0.9  # correlation of neighbouring batches that is believed


def mean_within(values: Sequence[float] | Floats, confidence: float = CONFIDENCE) -> Interval:
    """In the order in which they came. What is positive is skewed, so its interval is made of logarithms."""
    given = np.asarray(values, dtype=np.float64)
    count, middle = len(given), float(given.mean()) if len(given) else math.nan
    is_positive = bool(count) and float(given.min()) > 0.0

    def figure(batches: Floats) -> Floats:
        means: Floats = batches.mean(axis=1)
        return np.log(means) if is_positive else means

    reach = _reach(given, figure, LEAST, confidence)
    if reach is None:
        return Interval(middle, None, None, count, ONE_RUN, confidence)
    low, high = _around(middle, reach, is_positive=is_positive)
    return Interval(middle, low, high, count, "", confidence)


def quantiles_within(
    values: Sequence[float] | Floats, shares: Sequence[float], confidence: float = CONFIDENCE
) -> list[Interval]:
    """Of values above zero, in the order in which they came; each wide enough for two ways of finding it. None of a
    tail beyond which lies less than one value that does not depend on others."""
    given = np.asarray(values, dtype=np.float64)
    ordered = np.sort(given)
    spread = _variance(given)
    independent = float(given.var(ddof=1)) / spread if spread else 0.0
    if spread == 0.0:  # all are alike
        independent = float(len(given))
    return [_quantile(given, ordered, share, independent, confidence) for share in shares]


def share_within(hits: Sequence[bool] | npt.NDArray[np.bool_], confidence: float = CONFIDENCE) -> Interval:
    """Wilson's interval of as many as are worth it: values that come in clusters count for fewer."""
    given = np.asarray(hits, dtype=np.float64)
    count, hit = len(given), float(given.sum())
    spread = _variance(given)
    if spread is None:
        return Interval(hit / count if count else math.nan, None, None, count, ONE_RUN, confidence)
    share = hit / count
    worth = count if spread == 0.0 else min(count, share * (1.0 - share) / spread)
    interval = share_interval(share * worth, worth, confidence)
    return Interval(share, interval.low, interval.high, count, "", confidence)


def _quantile(given: Floats, ordered: Floats, share: float, independent: float, confidence: float) -> Interval:
    count = len(given)
    if count == 0:
        return Interval(math.nan, None, None, 0, TOO_FEW, confidence)
    value = float(ordered[_rank(share, count)])
    if count < least_samples(share):
        return Interval(value, None, None, count, TOO_FEW, confidence)

    def figure(batches: Floats) -> Floats:
        at = _rank(share, batches.shape[1])
        quantiles: Floats = np.partition(batches, at, axis=1)[:, at]
        return np.log(quantiles)

    reach = _reach(given, figure, max(LEAST, math.ceil(0.999 / min(share, 1.0 - share))), confidence)
    if reach is None or independent * min(share, 1.0 - share) < 1.0 or not value > 0.0:
        return Interval(value, None, None, count, ONE_RUN, confidence)
    low, high = _around(value, reach, is_positive=True)
    ranks = _ranks(given, ordered, share, confidence)
    if ranks is not None:
        low, high = min(low, ranks[0]), max(high, ranks[1])
    return Interval(value, low, high, count, "", confidence)


def _ranks(given: Floats, ordered: Floats, share: float, confidence: float) -> tuple[float, float] | None:
    """Order statistics, as if there were only so many values as are worth it."""
    count = len(given)
    spread = _variance((given <= ordered[_rank(share, count)]).astype(np.float64))
    if not spread:
        return None
    worth = int(min(count, share * (1.0 - share) / spread))
    rest = (1.0 - confidence) / 2.0
    below, above = binomial_rank(rest, worth, share), binomial_rank(1.0 - rest, worth, share) + 1
    if below < 1 or above > worth:
        return None
    low, high = int(below / worth * count), math.ceil(above / worth * count)
    return float(ordered[max(low - 1, 0)]), float(ordered[min(high, count) - 1])


def _rank(share: float, count: int) -> int:
    """The place of the quantile, from 0: the least value that at least such a share does not exceed."""
    return min(max(math.ceil(share * count - 1e-9), 1), count) - 1


def _around(middle: float, reach: float, *, is_positive: bool) -> tuple[float, float]:
    if not is_positive:
        return middle - reach, middle + reach
    return middle * math.exp(-reach), middle * math.exp(min(reach, 700.0))


def _reach(given: Floats, figure: Callable[[Floats], Floats], least: int, confidence: float) -> float | None:
    """Half an interval: of the counts of batches the widest. None: too few batches would have `least` values."""
    if len(given) < ENOUGH * least:
        return None
    longest = None
    for count in COUNTS:
        size = len(given) // count
        if size < least:
            break
        spread = _spread(figure(given[: count * size].reshape(count, size)))
        reach = math.sqrt(spread) * t_quantile((1.0 + confidence) / 2.0, count - 1)
        longest = reach if longest is None else max(longest, reach)
    return longest


def _variance(given: Floats) -> float | None:
    """Of the mean: as large as any count of batches finds it. None: there are too few values."""
    if len(given) < ENOUGH * LEAST:
        return None
    largest = None
    for count in COUNTS:
        size = len(given) // count
        if size < LEAST:
            break
        spread = _spread(given[: count * size].reshape(count, size).mean(axis=1))
        largest = spread if largest is None else max(largest, spread)
    return largest


def _spread(figures: Floats) -> float:
    """The variance of the mean of the batches' figures, of which each depends on the one before it as their lag-1
    correlation says; few of them show less of it than there is (Marriott and Pope 1954)."""
    count = len(figures)
    gaps = figures - figures.mean()
    squares = float(gaps @ gaps)
    if squares <= 0.0:
        return 0.0
    seen = float(gaps[1:] @ gaps[:-1]) / squares
    first = seen + (1.0 + 4.0 * seen) / count
    lag = min(max(seen + (1.0 + 4.0 * first) / count, 0.0), MOST)
    return squares / (count - 1) / count * (1.0 + lag) / (1.0 - lag)
