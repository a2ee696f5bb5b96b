import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.traces.draws import BENDS, Floats, Marks, Quantiles, Spread, keys, mixed, places

SPREADS: tuple[Spread, ...] = ("uniform", "exponential", "equidistant")
BINS = 60


def spread_out(spread: Spread, counts: npt.NDArray[np.int64], seed: int = 1) -> Floats:
    marks = Marks(seed, "arrival")
    cells = marks.cells(np.repeat(keys(["f"]), len(counts)), np.arange(len(counts)))
    numbers = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return places(spread, marks, cells, counts, numbers)


def chi_square(values: Floats) -> float:
    """Of the seconds of a minute; 59 degrees of freedom: its mean is 59, its deviation 10.9."""
    expected = len(values) / BINS
    found = np.bincount((values * BINS).astype(np.int64), minlength=BINS)
    return float(((found - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("per_minute", [1, 2, 7, 100])
def test_no_second_of_the_minute_is_preferred(spread: Spread, per_minute: int) -> None:
    """0.999 of chi-square at 59 degrees is 98.3; seeds are fixed, so this cannot fail by luck on some other day."""
    values = spread_out(spread, np.full(60_000 // per_minute, per_minute))
    assert chi_square(values) < 98.3


@pytest.mark.parametrize("spread", ["uniform", "exponential"])
def test_exponential_gaps_given_their_number_are_uniform_places(spread: Spread) -> None:
    """The greatest of three uniform places has mean 3/4 and variance 3/80; a fixed first place would show here."""
    values = np.sort(spread_out(spread, np.full(20_000, 3)).reshape(-1, 3), axis=1)
    assert values[:, 2].mean() == pytest.approx(0.75, abs=0.005)
    assert values[:, 2].var() == pytest.approx(3 / 80, rel=0.03)
    assert values[:, 0].mean() == pytest.approx(0.25, abs=0.005)


@given(st.sampled_from(SPREADS), st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 9))
def test_places_lie_in_the_minute_and_are_the_same_again(spread: Spread, counts: list[int], seed: int) -> None:
    many = np.array(counts)
    values = spread_out(spread, many, seed)
    assert len(values) == sum(counts)
    assert (values >= 0).all()
    assert (values < 1).all()
    assert (values == spread_out(spread, many, seed)).all()


def test_equal_gaps_are_equal() -> None:
    values = np.sort(spread_out("equidistant", np.array([4])))
    assert np.diff(values) == pytest.approx(0.25)


def test_neighbouring_minutes_and_numbers_have_nothing_to_do_with_one_another() -> None:
    marks = Marks(7, "x")
    cells = marks.cells(np.repeat(keys(["f"]), 20_000), np.arange(20_000))
    first, second = marks.draws(cells, np.zeros(20_000, np.int64)), marks.draws(cells, np.ones(20_000, np.int64))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.025
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.025
    assert chi_square(first) < 98.3


def test_the_hash_is_the_published_one() -> None:
    """The first three numbers of SplitMix64 with seed 1234567."""
    golden = 0x9E3779B97F4A7C15
    states = np.array([(1234567 + golden * step) % 2**64 for step in (1, 2, 3)], dtype=np.uint64)
    assert mixed(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


LEVELS = np.array([0, 1, 25, 50, 75, 99, 100]) / 100


def made(values: list[float], mean: float) -> Quantiles:
    return Quantiles(LEVELS, np.array([values]), np.array([mean]))


def drawn(quantiles: Quantiles, number: int = 100_000) -> np.ndarray:
    luck = (np.arange(number) + 0.5) / number
    return quantiles.draw(np.zeros(number, np.int64), luck)


def test_a_long_tail_does_not_pull_the_mean_up() -> None:
    """A function of the 2019 trace: straight lines between its percentiles would make it take 5.7 ms, not 3."""
    quantiles = made([1, 1, 1, 1, 3, 27, 492], 3.5)
    values = drawn(quantiles)
    assert values.mean() == pytest.approx(3.5, rel=0.001)
    assert np.quantile(values, LEVELS) == pytest.approx([1, 1, 1, 1, 3, 27, 492], rel=0.01)


@given(
    st.lists(st.floats(1, 1000), min_size=7, max_size=7).map(sorted),
    st.floats(0.0, 1.0),
)
def test_percentiles_hold_for_every_mean_and_the_mean_where_a_bend_gives_it(values: list[float], where: float) -> None:
    widths = np.diff(LEVELS)
    least, most = float(np.array(values[:-1]) @ widths), float(np.array(values[1:]) @ widths)
    mean = least + (most - least) * where
    quantiles = made(values, mean)
    luck = LEVELS[1:-1]
    assert quantiles.draw(np.zeros(5, np.int64), luck) == pytest.approx(values[1:-1])
    ends = quantiles.draw(np.zeros(2, np.int64), np.array([0.0, 1.0]))
    assert ends == pytest.approx([values[0], values[-1]])
    if BENDS[0] < quantiles.bend[0] < BENDS[1] and most - least > 1e-6:
        assert quantiles.means()[0] == pytest.approx(mean)


def test_a_function_that_always_takes_the_same() -> None:
    assert set(drawn(made([7] * 7, 7.0), 100).tolist()) == {7.0}
