import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.core.energy.resting import LOOKS, Resting


def test_a_machine_that_never_rests_is_known_by_how_its_power_grows() -> None:
    one = Resting()
    for number in range(40):
        busy = 1.5 + number % 5 * 0.1
        one.take(busy, 20.0 + 50.0 * busy)
    assert one.idle_w == pytest.approx(20.0)
    assert repr(one) == "<Resting 20 W after 40 looks>"


def test_one_that_is_always_as_busy_is_known_by_the_least() -> None:
    one = Resting()
    assert one.idle_w == 0.0
    for number in range(40):
        one.take(1.0, 70.0 + number % 3)
    assert one.idle_w == 70.0


def test_one_that_takes_less_when_it_is_busy_has_no_line() -> None:
    one = Resting()
    for number in range(40):
        one.take(float(number % 2), 50.0 - number % 2)
    assert one.idle_w == 49.0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 90)), min_size=1, max_size=3 * LOOKS))
def test_it_is_never_more_than_the_least_nor_less_than_nothing(seen: list[tuple[int, int]]) -> None:
    one = Resting()
    for busy, watts in seen:
        one.take(float(busy), float(watts))
    assert 0 <= one.idle_w <= min(watts for _, watts in seen)
