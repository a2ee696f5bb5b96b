"""An interval of 95 % holds the truth in 95 of 100 experiments: drawn anew many times, of known truths."""

import math
import random
from collections.abc import Callable, Sequence

import pytest

from attacca.load.statistics.pairs import compare, ratio, signed_ranks
from attacca.load.statistics.samples import (
    Interval,
    distance,
    distance_bound,
    mean,
    mean_interval,
    quantile_interval,
    share_interval,
)
from attacca.load.statistics.within import mean_within

NOISE = 3.5  # standard deviations of what counting in so few experiments leaves open


def held(experiment: Callable[[], Interval], truth: float, times: int) -> float:
    count = 0
    for _ in range(times):
        found = experiment()
        count += (found.low is None or found.low <= truth) and (found.high is None or truth <= found.high)
    return count / times


def noise(times: int, share: float = 0.95) -> float:
    return NOISE * math.sqrt(share * (1.0 - share) / times)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_means_of_what_is_normal(count: int) -> None:
    draw = random.Random(count)
    found = held(lambda: mean_interval([draw.gauss(5.0, 2.0) for _ in range(count)]), 5.0, 1000)
    assert found == pytest.approx(0.95, abs=noise(1000))


def test_means_of_what_is_skewed_hold_less_often_until_they_are_many() -> None:
    """Student's t is for normal values; said so in the documents."""
    draw = random.Random(1)
    few = held(lambda: mean_interval([draw.expovariate(1.0) for _ in range(5)]), 1.0, 1000)
    many = held(lambda: mean_interval([draw.expovariate(1.0) for _ in range(40)]), 1.0, 1000)
    assert 0.85 < few < 0.92 < many


@pytest.mark.parametrize(("count", "p"), [(20, 0.5), (100, 0.9), (1000, 0.99)])
@pytest.mark.parametrize("is_whole", [False, True])
def test_quantiles_of_whatever_distribution(count: int, p: float, *, is_whole: bool) -> None:
    """At least: ranks are whole numbers. Values that occur often make it wider still."""
    draw, truth, times = random.Random(count), -math.log(1.0 - p), 400

    def value() -> float:
        drawn = draw.expovariate(1.0)
        return float(math.ceil(drawn)) if is_whole else drawn

    wanted = math.ceil(truth) if is_whole else truth
    found = held(lambda: quantile_interval(sorted(value() for _ in range(count)), p), wanted, times)
    assert found >= 0.95 - noise(times)
    assert is_whole or found <= 0.98 + noise(times, 0.98)


@pytest.mark.parametrize(("count", "share"), [(30, 0.5), (200, 0.05), (1000, 0.01)])
def test_shares(count: int, share: float) -> None:
    """Wilson's holds 95 % on average over shares; for a single one it swings by about two points."""
    draw = random.Random(count)
    found = held(lambda: share_interval(sum(draw.random() < share for _ in range(count)), count), share, 1000)
    assert found == pytest.approx(0.95, abs=0.02 + noise(1000))


def steps(draw: random.Random, count: int, memory: float) -> list[float]:
    """Each depends on the one before it."""
    value = draw.gauss(0.0, 1.0 / math.sqrt(1.0 - memory * memory))
    found = []
    for _ in range(count):
        value = memory * value + draw.gauss(0.0, 1.0)
        found.append(value)
    return found


def test_means_within_one_run_whose_values_depend_on_their_neighbours() -> None:
    draw = random.Random(4)
    assert held(lambda: mean_within(steps(draw, 2000, 0.8)), 0.0, 200) >= 0.95 - noise(200)
    naive = held(lambda: mean_interval(steps(draw, 2000, 0.8)), 0.0, 200)
    assert naive < 0.7  # what would be said if they were taken for independent


@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("spread", [0.05, 0.3])
def test_ratios(count: int, spread: float) -> None:
    draw = random.Random(count)

    def experiment() -> Interval:
        base = [draw.lognormvariate(0.0, spread) for _ in range(count)]
        return ratio(base, [1.2 * value * draw.lognormvariate(-(spread**2) / 2, spread) for value in base])

    assert held(experiment, 1.2, 600) == pytest.approx(0.95, abs=0.015 + noise(600))


def test_differences_without_a_cause_are_shown_once_in_twenty_times() -> None:
    draw, times = random.Random(6), 1000
    shown = ranked = 0
    for _ in range(times):
        base = [draw.gauss(100.0, 20.0) for _ in range(8)]
        gaps = [draw.gauss(0.0, 1.0) for _ in base]
        shown += compare(base, [value + gap for value, gap in zip(base, gaps, strict=True)]).difference.is_sure
        ranked += signed_ranks(gaps) <= 0.05
    assert shown / times == pytest.approx(0.05, abs=noise(times, 0.05))
    assert ranked / times <= 0.05 + noise(times, 0.05)


def test_two_samples_of_one_distribution_are_seldom_further_apart_than_the_bound() -> None:
    draw, times = random.Random(8), 400
    beyond = 0
    for _ in range(times):
        left, right = (sorted(draw.random() for _ in range(count)) for count in (100, 150))
        beyond += distance(left, right) > distance_bound(100, 150)
    assert beyond / times <= 0.05 + noise(times, 0.05)


def test_stopping_when_it_is_narrow_enough_costs_little() -> None:
    """From ten on, until half the interval is 5 % of the mean: the rule of the studies."""
    draw = random.Random(9)

    def enough(values: Sequence[float]) -> bool:
        half = mean_interval(values).half
        return half is not None and half <= 0.05 * mean(values)

    def experiment() -> Interval:
        values = [draw.gauss(10.0, 1.0) for _ in range(10)]
        while not enough(values):
            values.append(draw.gauss(10.0, 1.0))
        return mean_interval(values)

    assert held(experiment, 10.0, 500) >= 0.92 - noise(500)
