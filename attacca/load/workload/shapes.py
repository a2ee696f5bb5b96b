"""Arrival processes: each scenario.Shape as an iterator of times, from its own stream of chance."""

from collections.abc import Callable, Iterator
from itertools import count
from math import ceil, exp, log, pi, sin, sqrt

from attacca.errors import BadConfig
from attacca.kernel.chance import Chance
from attacca.load.workload.distributions import normals
from attacca.load.workload.scenario import Shape


def arrivals(shape: Shape, chance: Chance, until_s: float) -> Iterator[float]:
    """Seconds since the beginning, ascending, all of them before `until_s`.

    Raises:
        BadConfig: the shape lacks a number that its kind needs.
    """
    check(shape)
    match shape.kind:
        case "constant":
            return _constant(shape.rate, shape.at_s, until_s)
        case "poisson":
            return _renewal(lambda: chance.expovariate(shape.rate), until_s) if shape.rate > 0 else iter(())
        case "gamma":
            return _renewal(_gamma(shape.rate, shape.cv, chance), until_s) if shape.rate > 0 else iter(())
        case "mmpp":
            return _mmpp(shape, chance, until_s)
        case "ramp" | "step" | "spike" | "sine":
            return _thinned(rate_of(shape, until_s), max(shape.rate, shape.to_rate), chance, until_s)


def check(shape: Shape) -> None:
    """Raises BadConfig when a number is missing that the kind needs."""
    if shape.kind in ("spike", "sine", "mmpp") and shape.for_s <= 0:
        raise BadConfig(f"a shape of kind {shape.kind} without for_s", "for_s = 10.0 gives it a length in seconds")


def rate_of(shape: Shape, until_s: float) -> Callable[[float], float]:
    """How many per second are expected at a moment; of mmpp and gamma the long-run mean."""
    low, high = shape.rate, shape.to_rate
    match shape.kind:
        case "constant" | "poisson" | "gamma":
            return lambda _: low
        case "mmpp":
            return lambda _: (low + high) / 2
        case "ramp":
            return lambda t: low + (high - low) * t / until_s
        case "step":
            return lambda t: high if t >= shape.at_s else low
        case "spike":
            return lambda t: high if shape.at_s <= t < shape.at_s + shape.for_s else low
        case "sine":  # begins at the trough: rate is the least, to_rate the most
            middle, swing = (low + high) / 2, (high - low) / 2
            return lambda t: middle + swing * sin(2 * pi * t / shape.for_s - pi / 2)


def expected_count(shape: Shape, until_s: float) -> float:
    """How many arrive before `until_s`, on average."""
    low, high = shape.rate, shape.to_rate
    match shape.kind:
        case "constant":
            return float(ceil(max(0.0, until_s - shape.at_s) * low)) if low > 0 else 0.0
        case "poisson" | "gamma":
            return until_s * low
        case "mmpp" | "ramp":
            return until_s * (low + high) / 2
        case "step":
            at = min(shape.at_s, until_s)
            return at * low + (until_s - at) * high
        case "spike":
            during = max(0.0, min(shape.at_s + shape.for_s, until_s) - shape.at_s)
            return (until_s - during) * low + during * high
        case "sine":
            turn = 2 * pi / shape.for_s  # the integral of the swing, from the trough on
            return until_s * (low + high) / 2 - (high - low) / 2 * sin(turn * until_s) / turn


def _constant(rate: float, first_s: float, until_s: float) -> Iterator[float]:
    """The n-th is n intervals from the first: errors do not add up."""
    if rate <= 0:
        return
    for number in count():
        at = first_s + number / rate
        if at >= until_s:
            return
        yield at


def _renewal(gap: Callable[[], float], until_s: float) -> Iterator[float]:
    at = gap()
    while at < until_s:
        yield at
        at += gap()


def _thinned(rate: Callable[[float], float], most: float, chance: Chance, until_s: float) -> Iterator[float]:
    """A Poisson process whose rate changes (Lewis and Shedler's thinning)."""
    if most <= 0:
        return
    at = chance.expovariate(most)
    while at < until_s:
        if chance.random() * most < rate(at):
            yield at
        at += chance.expovariate(most)


def _mmpp(shape: Shape, chance: Chance, until_s: float) -> Iterator[float]:
    """Two states of equal mean length, a Poisson process in each; it begins in either by a toss."""
    began, is_high = 0.0, chance.random() < 0.5
    while began < until_s:
        ends = min(until_s, began + chance.expovariate(1 / shape.for_s))
        rate = shape.to_rate if is_high else shape.rate
        at = began + chance.expovariate(rate) if rate > 0 else ends
        while at < ends:
            yield at
            at += chance.expovariate(rate)
        began, is_high = ends, not is_high


def _gamma(rate: float, cv: float, chance: Chance) -> Callable[[], float]:
    """Gaps of mean 1/rate and coefficient of variation cv (Marsaglia and Tsang's method)."""
    shape = 1 / (cv * cv)
    scale = 1 / (rate * shape)
    boost = shape < 1
    d = (shape + 1 if boost else shape) - 1 / 3
    c = 1 / sqrt(9 * d)
    normal = normals(chance)

    def standard() -> float:
        while True:
            x = normal()
            v = (1 + c * x) ** 3
            if v > 0 and log(1 - chance.random()) < 0.5 * x * x + d - d * v + d * log(v):
                return d * v

    if not boost:
        return lambda: scale * standard()
    return lambda: scale * standard() * exp(log(1 - chance.random()) / shape)
