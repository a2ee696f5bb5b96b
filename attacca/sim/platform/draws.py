"""Chance by name and number: draw 17 of a stream is the same whatever else was drawn, before or elsewhere.

So two runs that differ in a policy share every draw that both ask for (common random numbers), and the n-th start of a
function takes as long under one keep-alive policy as under another.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from math import exp, log, log1p
from statistics import NormalDist
from typing import assert_never

from attacca.load.workload.scenario import Distribution

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15  # the increment and the mixers of SplitMix64 (Steele, Lea and Flood, OOPSLA'14)
MIX_1, MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
PER_STEP = 2.0**-53

Quantile = Callable[[float], float]  # a share strictly between 0 and 1 -> seconds


class Draws:
    """One named stream of a seed: uniform numbers strictly between 0 and 1, by their number."""

    __slots__ = ("_start",)

    def __init__(self, seed: int, name: str) -> None:
        digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
        self._start = int.from_bytes(digest)

    def at(self, number: int) -> float:
        mixed = (self._start + number * GOLDEN) & MASK
        mixed = ((mixed ^ (mixed >> 30)) * MIX_1) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * MIX_2) & MASK
        return (((mixed ^ (mixed >> 31)) >> 11) + 0.5) * PER_STEP


class Duration:
    """A distribution of the scenario, drawn from one stream, in seconds."""

    __slots__ = ("_draws", "_quantile", "constant_s")

    def __init__(self, distribution: Distribution, seed: int, name: str) -> None:
        self._draws = Draws(seed, name)
        self._quantile = quantile(distribution)
        self.constant_s = distribution.mean_ms / 1e3 if distribution.kind == "constant" else None

    def at(self, number: int) -> float:
        if self.constant_s is not None:
            return self.constant_s
        return self._quantile(self._draws.at(number))


def quantile(distribution: Distribution) -> Quantile:
    """The inverse of its distribution function: one uniform number makes one duration."""
    mean = distribution.mean_ms / 1e3
    low, high = distribution.low_ms / 1e3, distribution.high_ms / 1e3
    match distribution.kind:
        case "constant":
            return lambda _: mean
        case "exponential":
            return lambda share: -mean * log1p(-share)
        case "lognormal":
            return _lognormal(mean, distribution.sigma)
        case "uniform":
            return lambda share: low + (high - low) * share
        case "empirical":
            values = sorted(distribution.values_ms) or [distribution.mean_ms]
            return lambda share: values[int(share * len(values))] / 1e3
        case "bounded_pareto":
            return _bounded_pareto(low, high, distribution.alpha)
        case _:
            assert_never(distribution.kind)


def _lognormal(mean: float, sigma: float) -> Quantile:
    if mean <= 0.0:
        return lambda _: 0.0
    middle, normal = log(mean) - sigma * sigma / 2, NormalDist().inv_cdf
    return lambda share: exp(middle + sigma * normal(share))


def _bounded_pareto(low: float, high: float, alpha: float) -> Quantile:
    if low <= 0.0 or high <= low:
        return lambda _: low
    kept = 1.0 - (low / high) ** alpha
    return lambda share: low * (1.0 - share * kept) ** (-1.0 / alpha)


def pick(sums: list[float], share: float) -> int:
    """The place that `share` falls on, when each place has its weight; `sums` are running sums of them."""
    return min(bisect_left(sums, share * sums[-1]), len(sums) - 1)
