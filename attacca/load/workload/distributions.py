"""Draw durations: each kind of scenario.Distribution as a function that gives the next one, and its mean."""

from collections.abc import Callable
from math import exp, log

from attacca.kernel.chance import Chance
from attacca.load.workload.scenario import Distribution

Draw = Callable[[], float]


def sampler(distribution: Distribution, chance: Chance) -> Draw:
    """Draws milliseconds, as many as are asked for."""
    mean, low, high = distribution.mean_ms, distribution.low_ms, distribution.high_ms
    match distribution.kind:
        case "constant":
            return lambda: mean
        case "exponential":
            return (lambda: chance.expovariate(1 / mean)) if mean > 0 else (lambda: 0.0)
        case "lognormal":
            return _lognormal(mean, distribution.sigma, chance)
        case "uniform":
            return lambda: low + (high - low) * chance.random()
        case "empirical":
            values = distribution.values_ms
            return lambda: chance.choice(values)
        case "bounded_pareto":
            return _bounded_pareto(distribution.alpha, low, high, chance)


def mean_ms(distribution: Distribution) -> float:
    """Of all that `sampler` will draw."""
    low, high, alpha = distribution.low_ms, distribution.high_ms, distribution.alpha
    match distribution.kind:
        case "constant" | "exponential" | "lognormal":
            return distribution.mean_ms
        case "uniform":
            return (low + high) / 2
        case "empirical":
            return sum(distribution.values_ms) / max(1, len(distribution.values_ms))
        case "bounded_pareto":
            if alpha == 1:
                return low * high / (high - low) * log(high / low)
            part = (low / high) ** alpha
            whole = low**alpha / (1 - part) * alpha / (alpha - 1)
            return float(whole * (low ** (1 - alpha) - high ** (1 - alpha)))


def _lognormal(mean: float, sigma: float, chance: Chance) -> Draw:
    """`mean` is the distribution's own, sigma of the logarithm."""
    if mean <= 0:
        return lambda: 0.0
    middle = log(mean) - sigma * sigma / 2
    normal = normals(chance)
    return lambda: exp(middle + sigma * normal())


def normals(chance: Chance) -> Draw:
    """Of mean 0 and deviation 1. Marsaglia's polar method without its spare value: it needs no more than Chance has."""

    def draw() -> float:
        while True:
            u, v = 2 * chance.random() - 1, 2 * chance.random() - 1
            square = u * u + v * v
            if 0 < square < 1:
                return float(u * (-2 * log(square) / square) ** 0.5)

    return draw


def _bounded_pareto(alpha: float, low: float, high: float, chance: Chance) -> Draw:
    """By its inverse distribution function."""
    cut = 1 - (low / high) ** alpha
    return lambda: float(low * (1 - cut * chance.random()) ** (-1 / alpha))
