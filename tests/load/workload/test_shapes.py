from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadConfig
from attacca.kernel.rand import Streams
from attacca.load.workload.scenario import Shape
from attacca.load.workload.shapes import arrivals, expected_count, rate_of

UNTIL_S = 200.0
SHAPES = [
    Shape(kind="constant", rate=50.0),
    Shape(kind="poisson", rate=50.0),
    Shape(kind="gamma", rate=50.0, cv=0.5),
    Shape(kind="gamma", rate=50.0, cv=3.0),
    Shape(kind="mmpp", rate=20.0, to_rate=80.0, for_s=0.5),
    Shape(kind="ramp", rate=10.0, to_rate=90.0),
    Shape(kind="step", rate=20.0, to_rate=60.0, at_s=50.0),
    Shape(kind="spike", rate=40.0, to_rate=90.0, at_s=50.0, for_s=40.0),
    Shape(kind="sine", rate=10.0, to_rate=90.0, for_s=30.0),
]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda one: f"{one.kind}-{one.cv:g}")


def times(shape: Shape, seed: int = 1, until_s: float = UNTIL_S) -> list[float]:
    return list(arrivals(shape, Streams(seed).stream("arrivals"), until_s))


@shapes
def test_as_many_arrive_as_are_expected(shape: Shape) -> None:
    assert len(times(shape)) == pytest.approx(expected_count(shape, UNTIL_S), rel=0.08)


@given(st.sampled_from(SHAPES), st.integers(0, 1000), st.sampled_from([0.3, 2.0, 7.0]))
def test_times_ascend_and_end_in_time_and_are_those_of_their_stream(shape: Shape, seed: int, until_s: float) -> None:
    found = times(shape, seed, until_s)
    assert found == sorted(found)
    assert all(0 <= at < until_s for at in found)
    assert found == times(shape, seed, until_s)


@pytest.mark.parametrize(("kind", "cv"), [("poisson", 1.0), ("gamma", 0.5), ("gamma", 2.0), ("constant", 0.0)])
def test_gaps_vary_as_they_should(kind: str, cv: float) -> None:
    gaps = [after - before for before, after in pairwise(times(Shape(kind=kind, rate=50.0, cv=cv or 1.0)))]  # type: ignore[arg-type]
    assert pstdev(gaps) / fmean(gaps) == pytest.approx(cv, abs=0.1)


@pytest.mark.parametrize("cv", [0.5, 2.0])
def test_a_gamma_is_as_skewed_as_a_gamma(cv: float) -> None:
    gaps = [after - before for before, after in pairwise(times(Shape(kind="gamma", rate=50.0, cv=cv), until_s=2000.0))]
    middle, spread = fmean(gaps), pstdev(gaps)
    assert fmean(((gap - middle) / spread) ** 3 for gap in gaps) == pytest.approx(2 * cv, rel=0.1)


@pytest.mark.parametrize("kind", ["constant", "poisson", "gamma"])
def test_less_than_one_a_second_is_not_nothing(kind: str) -> None:
    shape = Shape(kind=kind, rate=0.5)  # type: ignore[arg-type]
    assert len(times(shape, until_s=4000.0)) == pytest.approx(2000, rel=0.08)


def test_the_states_of_an_mmpp_last_as_long_as_they_are_told() -> None:
    found = times(Shape(kind="mmpp", rate=0.0, to_rate=50.0, for_s=5.0), until_s=4000.0)
    silences = [after - before for before, after in pairwise(found) if after - before > 1.0]
    assert fmean(silences) - 1.0 == pytest.approx(5.0, rel=0.1)


def test_an_mmpp_is_burstier_than_poisson() -> None:
    shape = Shape(kind="mmpp", rate=1.0, to_rate=99.0, for_s=5.0)
    counts = [0] * int(UNTIL_S)
    for at in times(shape):
        counts[int(at)] += 1
    assert pstdev(counts) ** 2 / fmean(counts) > 5


@shapes
def test_the_rate_is_where_it_should_be(shape: Shape) -> None:
    rate = rate_of(shape, UNTIL_S)
    steps = 2000
    area = sum(rate(UNTIL_S * (step + 0.5) / steps) for step in range(steps)) * UNTIL_S / steps
    assert area == pytest.approx(expected_count(shape, UNTIL_S), rel=0.01)


def test_a_step_comes_when_it_is_due() -> None:
    found = times(Shape(kind="step", rate=0.0, to_rate=50.0, at_s=100.0))
    assert min(found) >= 100.0
    spike = times(Shape(kind="spike", rate=0.0, to_rate=50.0, at_s=100.0, for_s=10.0))
    assert 100.0 <= min(spike) <= max(spike) < 110.0


def test_nothing_comes_at_no_rate() -> None:
    assert [times(Shape(kind=kind, rate=0.0)) for kind in ("constant", "poisson", "gamma", "ramp")] == [[]] * 4


@pytest.mark.parametrize("kind", ["spike", "sine", "mmpp"])
def test_a_shape_that_lacks_its_length_is_refused(kind: str) -> None:
    with pytest.raises(BadConfig, match="for_s"):
        times(Shape(kind=kind))  # type: ignore[arg-type]
