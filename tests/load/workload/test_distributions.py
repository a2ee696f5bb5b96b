from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.rand import Streams
from attacca.load.workload.distributions import mean_ms, sampler
from attacca.load.workload.scenario import Distribution

KINDS = [
    Distribution(mean_ms=5.0),
    Distribution(kind="exponential", mean_ms=5.0),
    Distribution(kind="exponential", mean_ms=0.5),
    Distribution(kind="lognormal", mean_ms=5.0, sigma=0.5),
    Distribution(kind="uniform", low_ms=2.0, high_ms=8.0),
    Distribution(kind="empirical", values_ms=(1.0, 2.0, 6.0)),
    Distribution(kind="bounded_pareto", alpha=1.5, low_ms=1.0, high_ms=100.0),
    Distribution(kind="bounded_pareto", alpha=1.0, low_ms=1.0, high_ms=100.0),
]


def draws(distribution: Distribution, seed: int, count: int) -> list[float]:
    return list(islice(iter(sampler(distribution, Streams(seed).stream("draws")), None), count))


@pytest.mark.parametrize("distribution", KINDS, ids=lambda one: f"{one.kind}-{one.alpha:g}")
def test_the_mean_is_that_of_what_is_drawn(distribution: Distribution) -> None:
    values = draws(distribution, 1, 40_000)
    assert sum(values) / len(values) == pytest.approx(mean_ms(distribution), rel=0.05)
    assert min(values) >= 0


@given(st.sampled_from(KINDS), st.integers(0, 1000))
def test_the_same_stream_draws_the_same(distribution: Distribution, seed: int) -> None:
    assert draws(distribution, seed, 5) == draws(distribution, seed, 5)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 99))
def test_bounded_ones_stay_within_their_bounds(low: int, more: int, seed: int) -> None:
    for kind in ("uniform", "bounded_pareto"):
        distribution = Distribution(kind=kind, low_ms=low, high_ms=low + more + 1)
        assert all(low - 1e-9 <= value <= low + more + 1 + 1e-9 for value in draws(distribution, seed, 20))


def test_nothing_lasts_no_time() -> None:
    assert draws(Distribution(kind="exponential"), 1, 2) == [0.0, 0.0]
    assert draws(Distribution(kind="lognormal"), 1, 2) == [0.0, 0.0]
