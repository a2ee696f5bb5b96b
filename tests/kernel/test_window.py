"""A measure is checked against the sorted list of everything that was added to it."""

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.kernel.window import LEAST, MOST, RELATIVE_ERROR, Measure

VALUES = st.lists(st.integers(0, 40) | st.floats(LEAST, MOST), min_size=1, max_size=60)
SHARES = st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.95, 0.99, 1.0])


def measured(values: list[float]) -> Measure:
    measure = Measure()
    for value in values:
        measure.add(value)
    return measure


@given(VALUES, SHARES)
@settings(max_examples=2 * settings().max_examples)
def test_a_percentile_is_within_the_stated_error_of_the_exact_one(values: list[float], q: float) -> None:
    exact = sorted(values)[max(1, ceil(q * len(values))) - 1]
    assert measured(values).percentile(q) == pytest.approx(exact, rel=RELATIVE_ERROR * 1.0001)


@given(VALUES)
def test_percentiles_ascend_and_never_exceed_the_maximum(values: list[float]) -> None:
    measure = measured(values)
    found = measure.percentiles((0.0, 0.5, 0.95, 0.99, 1.0))
    assert found == sorted(found) == [measure.percentile(q) for q in (0.0, 0.5, 0.95, 0.99, 1.0)]
    assert found[-1] <= measure.max == max(values)


@given(VALUES)
def test_count_and_mean_are_exact_and_the_moving_average_stays_inside(values: list[float]) -> None:
    measure = measured(values)
    assert measure.count == len(values)
    assert measure.mean == pytest.approx(sum(values) / len(values))
    assert min(values) * 0.999 <= measure.ewma <= max(values) * 1.001


def test_the_first_value_sets_the_moving_average_and_each_later_one_weighs_a_tenth() -> None:
    measure = measured([10.0])
    assert measure.ewma == 10.0
    measure.add(20.0)
    assert measure.ewma == pytest.approx(11.0)
    measure.add(0.0)
    assert measure.ewma == pytest.approx(9.9)


def test_before_the_first_value_everything_is_zero() -> None:
    measure = Measure()
    assert (measure.count, measure.mean, measure.ewma, measure.max, measure.percentile(0.99)) == (0, 0, 0, 0, 0)


def test_memory_is_bounded_whatever_comes() -> None:
    measure = measured([10.0 ** (exponent / 100) for exponent in range(-2000, 2000)])
    assert len(measure._buckets) <= 865
    assert measure.percentile(0.0) == 0.0
    assert measure.max == 10.0**19.99


def test_a_percentile_is_a_share_not_a_number_of_percent() -> None:
    with pytest.raises(AssertionError, match="a share from 0 to 1"):
        Measure().percentile(99)


def test_it_says_what_it_holds() -> None:
    measure = Measure()
    for value in (1.0, 3.0):
        measure.add(value)
    assert repr(measure) == "<Measure of 2: mean 2, lately 1.2, at most 3>"
