import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.traces.quantiles import BENDS, Quantiles

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
