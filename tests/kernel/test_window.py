"""A window is checked against all that was ever said to it."""

from bisect import bisect_right
from math import ceil, floor, inf, nan, nextafter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.kernel.window import EDGES, LEAST, MOST, RELATIVE_ERROR, Buckets, Gauge, Measure, Most, bucket_of

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


def test_a_value_is_in_the_bucket_between_whose_edges_it_is() -> None:
    beside = [value for edge in EDGES for value in (nextafter(edge, 0.0), edge, nextafter(edge, inf))]
    for value in (0.0, LEAST / 2, *beside, MOST, inf, nan):
        assert bucket_of(value) == bisect_right(EDGES, value), value


def test_a_percentile_is_a_share_not_a_number_of_percent() -> None:
    with pytest.raises(AssertionError, match="a share from 0 to 1"):
        Measure().percentile(99)


def test_it_says_what_it_holds() -> None:
    measure = Measure()
    for value in (1.0, 3.0):
        measure.add(value)
    assert repr(measure) == "<Measure of 2: mean 2, lately 1.2, at most 3>"


STEPS = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0, 50.0]), st.integers(0, 5)), max_size=20)


def moments(steps: list[tuple[float, int]], start: float) -> list[tuple[float, int]]:
    at = start
    return [(at := at + after_s, value) for after_s, value in steps]


def whole_since(now: float, width_s: float, began_at: float) -> float:
    """Where the part begins that looks back from now over so many whole buckets of 1 s."""
    return max(began_at, floor(now) - width_s)


@given(STEPS, st.sampled_from([-3.25, 0.0, 100.5]), st.integers(1, 10), st.sampled_from([0.0, 0.25, 4.5, 30.0]))
def test_what_came_a_second(steps: list[tuple[float, int]], start: float, width_s: int, later_s: float) -> None:
    buckets = Buckets(10)
    buckets.begin(start)
    told = moments(steps, start)
    for at, amount in told:
        buckets.add(at, amount)
    now = (told[-1][0] if told else start) + later_s
    since = whole_since(now, width_s, start)
    amount = sum(amount for at, amount in told if at >= since)
    expected = amount / (now - since) if now > since else 0.0
    assert buckets.per_second(now, width_s) == pytest.approx(expected)


@given(STEPS, st.sampled_from([-3.25, 0.0, 100.5]), st.integers(1, 10), st.sampled_from([0.0, 0.25, 4.5, 30.0]))
def test_a_mean_is_weighed_by_time(steps: list[tuple[float, int]], start: float, width_s: int, later_s: float) -> None:
    gauge = Gauge(10)
    told = moments([(0.0, 2), *steps], start)
    for at, value in told:
        gauge.set(at, value)
    now = told[-1][0] + later_s
    since = whole_since(now, width_s, start)
    ends = [at for at, _ in told[1:]] + [now]
    area = sum(max(0.0, end - max(at, since)) * value for (at, value), end in zip(told, ends, strict=True))
    expected = area / (now - since) if now > since else told[-1][1]
    assert gauge.mean(now, width_s) == pytest.approx(expected)


@given(STEPS, st.sampled_from([0.0, 0.5, 4.0]))
def test_the_highest_of_the_last_seconds(steps: list[tuple[float, int]], width_s: float) -> None:
    most, told = Most(width_s), moments(steps, 0.0)
    for number, (at, value) in enumerate(told):
        assert most.add(at, value) == max(value for since, value in told[: number + 1] if since >= at - width_s)


def test_windows_forget_and_say_what_they_hold() -> None:
    buckets, gauge, most = Buckets(3, bucket_s=0.5), Gauge(3), Most(5.0)
    assert (buckets.per_second(9.0, 3), gauge.mean(9.0, 3)) == (0.0, 0.0)
    buckets.add(0.0, 4)
    buckets.add(1.0, 2)
    assert repr(buckets) == "<Buckets 6 of 0.5 s, 6 in them>"
    assert buckets.per_second(0.25, 3, least_s=2.0) == 3.0
    gauge.set(0.0, 8)
    gauge.begin(50.0, 2)
    assert gauge.mean(52.0, 3) == 2
    assert repr(gauge) == "<Gauge 2, <Buckets 3 of 1 s, 4 in them>>"
    most.add(0.0, 7)
    assert repr(most) == "<Most of 5 s: 7>"
    most.clear()
    assert (repr(most), most.add(0.0, 3)) == ("<Most of 5 s: 0>", 3)
