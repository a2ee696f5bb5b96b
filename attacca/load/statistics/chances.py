"""Exact enough tails and quantiles of Student's t and the binomial, so that intervals need no library.

Both are the regularised incomplete beta function, by its continued fraction with the method of Lentz (relative error
about 1e-13); quantiles are found by bisection on it, until doubles can no longer be halved.
"""

import math
from functools import lru_cache

STEPS = 20_000  # of the continued fraction; it takes about the square root of its larger argument
TINY = 1e-300


def beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):  # where the fraction converges quickly
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    d = 1.0 / d
    total = d
    for step in range(1, STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1.0) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1.0))
        for part in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + part * d)
            c = _away_from_zero(1.0 + part / c)
            total *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return total


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def t_tail(t: float, freedom: float) -> float:
    """P(T > t) of Student's t."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    both = beta_share(freedom / (freedom + t * t), freedom / 2.0, 0.5)
    return both / 2.0 if t >= 0 else 1.0 - both / 2.0


@lru_cache(maxsize=4096)
def t_quantile(p: float, freedom: float) -> float:
    """The t that P(T <= t) = p."""
    if p < 0.5:
        return -t_quantile(1.0 - p, freedom)
    high = 1.0
    while t_tail(high, freedom) > 1.0 - p:
        high *= 2.0
    low = 0.0
    while low < (middle := (low + high) / 2.0) < high:
        if t_tail(middle, freedom) > 1.0 - p:
            low = middle
        else:
            high = middle
    return high


def normal_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def binomial_share(k: int, n: int, p: float) -> float:
    """P(B <= k) for B of n tries with chance p."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    return beta_share(1.0 - p, n - k, k + 1.0)


def binomial_rank(share: float, n: int, p: float) -> int:
    """The least k with P(B <= k) >= share."""
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        if binomial_share(middle, n, p) >= share:
            high = middle
        else:
            low = middle
    return high
