from cmath import exp
from math import cos, pi

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.policy.scaling.harmonics import forecast, trend

COUNTS = st.lists(st.integers(0, 40), min_size=1, max_size=24)


def spectrum(values: list[float]) -> list[complex]:
    count = len(values)
    return [sum(value * exp(-2j * pi * k * at / count) for at, value in enumerate(values)) for k in range(count)]


@given(COUNTS, st.integers(0, 6), st.integers(0, 30))
def test_it_is_the_sum_of_the_strongest_of_the_whole_spectrum(past: list[int], waves: int, ahead: int) -> None:
    """The transform with all its mirrors, as it is written; where two waves are equally strong, either may stay."""
    count, slope = len(past), trend(past)
    level = [value - slope * at for at, value in enumerate(past)]
    parts = spectrum(level)
    pairs = sorted(range(1, count // 2 + 1), key=lambda k: (-round(abs(parts[k]) * (2 - (2 * k == count)), 7), k))
    kept = [0] + [k for pair in pairs[:waves] for k in {pair, count - pair}]
    for at, value in enumerate(forecast(past, ahead, waves)):
        waved = sum((parts[k] * exp(2j * pi * k * (count + at) / count)).real / count for k in kept)
        assert value == pytest.approx(waved + slope * (count + at), abs=1e-6)


@given(COUNTS)
def test_with_all_waves_and_no_trend_the_past_comes_again(past: list[int]) -> None:
    palindrome = [*past, *reversed(past)]  # which has no trend
    assert forecast(palindrome, len(palindrome), len(palindrome)) == pytest.approx(palindrome, abs=1e-6)


def test_a_wave_goes_on_and_so_does_a_line() -> None:
    wave = [10 + 5 * cos(2 * pi * at / 12) for at in range(60)]
    error = [abs(seen - told) for seen, told in zip(wave, forecast(wave, 60, 2), strict=True)]
    assert max(error) < 1.5  # what the line takes for a trend
    assert forecast([2.0 * at for at in range(10)], 3, 0) == pytest.approx([20, 22, 24])
    assert trend([7.0]) == 0.0
    assert forecast([7.0], 2, 3) == [7.0, 7.0]
