"""Tails and quantiles of Student's t, the binomial and the normal law, from scipy's special functions.

Its `stats` has the same with more ways to ask, and takes half a second longer to import.
"""

from scipy.special import bdtr, ndtr, stdtrit


def t_quantile(p: float, freedom: float) -> float:
    """The t that P(T <= t) = p."""
    return float(stdtrit(freedom, p))


def normal_tail(z: float) -> float:
    """P(Z > z)."""
    return float(ndtr(-z))


def binomial_share(k: int, n: int, p: float) -> float:
    """P(B <= k) for B of n tries with chance p."""
    return 0.0 if k < 0 else 1.0 if k >= n else float(bdtr(k, n, p))


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
