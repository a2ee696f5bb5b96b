import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.statistics.samples import (
    TOO_FEW,
    Interval,
    distance,
    distance_bound,
    fairness,
    geometric_mean,
    least_samples,
    mean_interval,
    quantile,
    quantile_interval,
    share_interval,
    slowdown,
    slowdowns,
    warm_up,
)

FLOATS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def test_a_mean_has_the_interval_of_the_textbook() -> None:
    found = mean_interval([9.0, 10.0, 11.0, 12.0, 13.0])  # sd 1.5811, t(0.975, 4) = 2.7764
    assert found.value == 11.0
    assert found.low == pytest.approx(9.0368, abs=1e-4)
    assert found.high == pytest.approx(12.9632, abs=1e-4)
    assert found.half == pytest.approx(1.9632, abs=1e-4)


def test_one_value_has_no_interval() -> None:
    found = mean_interval([3.0])
    assert (found.value, found.low, found.note) == (3.0, None, TOO_FEW)


def test_what_touches_nothing_is_not_sure() -> None:
    assert not Interval(1.0, 0.0, 2.0, 9).is_sure
    assert not Interval(-1.0, -2.0, 0.0, 9).is_sure
    assert Interval(-1.0, -2.0, -0.1, 9).is_sure


def test_intervals_of_the_mean_hold_the_truth_as_often_as_they_say() -> None:
    draw = random.Random(7)
    held = 0
    for _ in range(400):
        found = mean_interval([draw.gauss(5.0, 2.0) for _ in range(10)])
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 5.0 <= found.high
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.parametrize(
    ("count", "p", "low", "high"),
    [(10, 0.5, 2, 9), (20, 0.5, 6, 15), (50, 0.5, 18, 33), (100, 0.5, 40, 61)],  # ranks of the tables for the sign test
)
def test_a_median_lies_between_the_ranks_of_the_tables(count: int, p: float, low: int, high: int) -> None:
    found = quantile_interval([float(rank) for rank in range(1, count + 1)], p)
    assert (found.low, found.high) == (low, high)


def test_a_tail_needs_samples_beyond_it() -> None:
    assert [least_samples(p) for p in (0.5, 0.9, 0.99, 0.999, 0.01)] == [20, 100, 1000, 10_000, 1000]
    few = quantile_interval([float(value) for value in range(100)], 0.99)
    assert (few.value, few.high, few.half, few.note) == (98.0, None, None, TOO_FEW)
    assert quantile_interval([float(value) for value in range(1000)], 0.99).note == ""
    assert quantile_interval([], 0.5).note == TOO_FEW
    assert quantile_interval([7.0, 8.0], 1.0) == Interval(8.0, None, None, 2, TOO_FEW)


def test_intervals_of_a_quantile_hold_the_truth_at_least_as_often_as_they_say() -> None:
    draw = random.Random(3)
    truth = -math.log(0.1)
    held = 0
    for _ in range(300):
        found = quantile_interval(sorted(draw.expovariate(1.0) for _ in range(120)), 0.9)
        held += (found.low or 0.0) <= truth <= (found.high or math.inf)
    assert held / 300 >= 0.93


@given(FLOATS, st.floats(0.0, 1.0))
def test_a_quantile_is_one_of_the_values_and_its_share_lies_below(values: list[float], p: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, p)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= p * len(ordered) - 1e-6


@given(FLOATS, st.floats(0.05, 0.95))
def test_a_quantile_lies_in_its_interval(values: list[float], p: float) -> None:
    found = quantile_interval(sorted(values), p)
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.value <= found.high


def test_a_share_has_wilsons_interval() -> None:
    found = share_interval(10, 100)
    assert found.low == pytest.approx(0.05523, abs=1e-5)
    assert found.high == pytest.approx(0.17437, abs=1e-5)
    assert share_interval(0, 10).low == 0.0
    assert share_interval(10, 10).high == 1.0
    assert share_interval(0, 0).note == TOO_FEW


def test_slowdown_is_at_least_once_and_never_of_nothing() -> None:
    assert slowdown(3.0, 1.0) == 3.0
    assert slowdown(0.9, 1.0) == 1.0
    assert slowdown(0.01, 0.0) == pytest.approx(10.0)
    assert geometric_mean([1.0, 100.0]) == pytest.approx(10.0)
    assert slowdowns([("b", 1.0, 1.0), ("a", 2.0, 1.0), ("b", 4.0, 1.0)]) == pytest.approx({"b": 2.0, "a": 2.0})


def test_distance_of_known_samples() -> None:
    assert distance([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 0.0
    assert distance([1.0, 2.0], [3.0, 4.0]) == 1.0
    assert distance([1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 6.0]) == 0.5
    assert distance([1.0, 1.0, 1.0], [1.0]) == 0.0
    assert distance_bound(100, 100) == pytest.approx(1.3581 * math.sqrt(0.02), abs=1e-4)


@given(FLOATS, FLOATS)
def test_distance_is_what_counting_gives(left: list[float], right: list[float]) -> None:
    most = max(
        abs(sum(x <= at for x in left) / len(left) - sum(x <= at for x in right) / len(right)) for at in [*left, *right]
    )
    assert distance(sorted(left), sorted(right)) == pytest.approx(most)


def test_fairness() -> None:
    assert fairness([2.0, 2.0, 2.0]) == 1.0
    assert fairness([1.0, 0.0, 0.0, 0.0]) == 0.25
    assert fairness([0.0]) == 1.0


def test_a_start_that_is_unlike_the_rest_is_dropped() -> None:
    draw = random.Random(1)
    values = [10.0 * 0.9**step + draw.gauss(0.0, 0.3) for step in range(400)]
    found = warm_up(values)
    assert found.is_settled
    assert 15 <= found.drop <= 80


def test_what_never_settles_is_said_to() -> None:
    assert not warm_up([float(value) for value in range(200)]).is_settled
    assert not warm_up([1.0]).is_settled


def test_what_is_steady_keeps_all() -> None:
    assert warm_up([5.0] * 50).drop == 0
