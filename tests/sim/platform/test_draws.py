import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.workload.distributions import mean_ms
from attacca.load.workload.scenario import Distribution
from attacca.sim.platform.draws import Draws, Duration, pick

MANY = 4000


@given(st.integers(), st.integers(-(10**9), 10**12))
def test_a_draw_has_its_number_whatever_was_drawn_before(seed: int, number: int) -> None:
    draws, others = Draws(seed, "one"), Draws(seed, "one")
    others.at(number + 1)
    assert draws.at(number) == others.at(number)
    assert 0.0 < draws.at(number) < 1.0


def test_streams_of_other_names_and_neighbours_are_strangers() -> None:
    one, other = Draws(1, "one"), Draws(1, "other")
    pairs = [(one.at(number), one.at(number + 1), other.at(number)) for number in range(MANY)]
    for left, right in ((0, 1), (0, 2)):
        covariance = sum((pair[left] - 0.5) * (pair[right] - 0.5) for pair in pairs) / MANY
        assert abs(covariance) < 0.005  # of 1/12


@pytest.mark.parametrize(
    "distribution",
    [
        Distribution(mean_ms=7.0),
        Distribution(kind="exponential", mean_ms=7.0),
        Distribution(kind="lognormal", mean_ms=7.0, sigma=0.6),
        Distribution(kind="uniform", low_ms=2.0, high_ms=12.0),
        Distribution(kind="empirical", values_ms=(1.0, 5.0, 30.0)),
        Distribution(kind="bounded_pareto", low_ms=1.0, high_ms=50.0, alpha=1.5),
    ],
    ids=lambda distribution: distribution.kind,
)
def test_means_are_as_promised(distribution: Distribution) -> None:
    duration = Duration(distribution, 1, "law")
    drawn_ms = [duration.at(number) * 1e3 for number in range(MANY)]
    assert sum(drawn_ms) / MANY == pytest.approx(mean_ms(distribution), rel=0.06)


def test_a_share_falls_on_places_by_their_weights() -> None:
    sums = [1.0, 4.0]
    assert [pick(sums, share) for share in (0.01, 0.24, 0.26, 0.99, 1.0)] == [0, 0, 1, 1, 1]
