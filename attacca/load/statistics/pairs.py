"""Two systems under the same load: because both saw the same arrivals, their differences vary less than they do."""

import math
from collections.abc import Sequence

import msgspec

from attacca.load.statistics.chances import normal_tail, t_quantile
from attacca.load.statistics.samples import CONFIDENCE, TOO_FEW, Interval, deviation, mean, mean_interval

EXACT = 30  # pairs up to which the signed ranks are counted out


class Paired(msgspec.Struct, frozen=True):
    """What `other` does beside `base`, seed by seed."""

    base: Interval
    other: Interval
    difference: Interval  # other - base, by the paired t
    ratio: Interval  # mean of other / mean of base, by Fieller
    chance: float  # of ranks at least so lopsided if neither were better (Wilcoxon, two-sided)
    gain: float  # the variance of the difference if seeds were not shared, over what it is; nan where nothing varies

    @property
    def verdict(self) -> str:
        """Of a measure that should be small."""
        if self.difference.note:
            return TOO_FEW
        if not self.difference.is_sure:
            return "no difference shown"
        return "worse" if self.difference.value > 0 else "better"


def compare(base: Sequence[float], other: Sequence[float], confidence: float = CONFIDENCE) -> Paired:
    """`base[i]` and `other[i]` belong to the same seed."""
    assert len(base) == len(other), "pairs need a partner"
    gaps = [after - before for before, after in zip(base, other, strict=True)]
    return Paired(
        mean_interval(base, confidence),
        mean_interval(other, confidence),
        mean_interval(gaps, confidence),
        ratio(base, other, confidence),
        signed_ranks(gaps),
        _gain(base, other, gaps),
    )


def _gain(base: Sequence[float], other: Sequence[float], gaps: Sequence[float]) -> float:
    if len(gaps) < 2 or deviation(gaps) == 0.0:
        return math.nan
    return (deviation(base) ** 2 + deviation(other) ** 2) / deviation(gaps) ** 2


def ratio(base: Sequence[float], other: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Of the means, by Fieller (1954): those ratios that a paired t would not refuse. So it holds 1 if and only if the
    interval of the difference holds 0. Ends are None where the mean of `base` itself cannot be told from 0.
    """
    count, below = len(base), mean(base)
    value = mean(other) / below if count and below else math.nan
    if count < 2 or not below:
        return Interval(value, None, None, count, TOO_FEW, confidence)
    reach = t_quantile((1.0 + confidence) / 2.0, count - 1) ** 2 / count
    squares = below**2 - reach * deviation(base) ** 2
    if squares <= 0.0:
        return Interval(value, None, None, count, TOO_FEW, confidence)
    middle = below * mean(other) - reach * _covariance(base, other)
    rest = mean(other) ** 2 - reach * deviation(other) ** 2
    width = math.sqrt(max(middle**2 - squares * rest, 0.0))
    return Interval(value, (middle - width) / squares, (middle + width) / squares, count, "", confidence)


def _covariance(lefts: Sequence[float], rights: Sequence[float]) -> float:
    middles = mean(lefts), mean(rights)
    products = ((left - middles[0]) * (right - middles[1]) for left, right in zip(lefts, rights, strict=True))
    return math.fsum(products) / (len(lefts) - 1)


def signed_ranks(gaps: Sequence[float]) -> float:
    """Wilcoxon's two-sided chance; equal sizes share their ranks, zeros are left out. Counted out for few pairs,
    with equal sizes too: scipy's counts them as if they were not."""
    sizes = sorted((abs(gap), gap > 0) for gap in gaps if gap != 0.0)
    if not sizes:
        return 1.0
    ranks = _doubled_ranks([size for size, _ in sizes])
    above = sum(rank for rank, (_, is_above) in zip(ranks, sizes, strict=True) if is_above)
    total = sum(ranks)
    least = min(above, total - above)
    if len(ranks) <= EXACT:
        ways = [1] + [0] * total  # how many sign patterns give each sum
        for rank in ranks:
            for place in range(total, rank - 1, -1):
                ways[place] += ways[place - rank]
        return min(1.0, sum(ways[: least + 1]) * 0.5 ** (len(ranks) - 1))
    spread = math.sqrt(sum(rank * rank for rank in ranks)) / 2.0
    return min(1.0, 2.0 * normal_tail((total / 2.0 - least - 1.0) / spread))


def _doubled_ranks(ordered: Sequence[float]) -> list[int]:
    """Twice the mid-rank of each, so that ties stay whole numbers."""
    ranks: list[int] = []
    start = 0
    for index in range(1, len(ordered) + 1):
        if index == len(ordered) or ordered[index] != ordered[start]:
            ranks += [start + 1 + index] * (index - start)
            start = index
    return ranks
