"""How fast a body has to come: laws, and the ways to be slow."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.gateway.http.pace import SLOWEST, SLOWEST_PRESSED, Pace, begin, go_on

STRETCH_S = 30.0
MB = 1 << 20


def lasts(sizes: Sequence[float], *, every_s: float = 1.0, is_pressed: bool = False) -> float | None:
    """When a body that has come so far at each look is given up; None when it is not."""
    pace: Pace | None = begin(0.0, int(min(sizes[0], 0)))
    for number, size in enumerate(sizes, 1):
        assert pace is not None
        pace = go_on(pace, number * every_s, int(size), STRETCH_S, is_pressed=is_pressed)
        if pace is None:
            return number * every_s
    return None


@given(st.lists(st.integers(2 * SLOWEST, MB), min_size=1, max_size=200))
def test_what_comes_fast_enough_all_the_time_may_go_on_for_ever(pieces: list[int]) -> None:
    assert lasts([sum(pieces[: n + 1]) for n in range(len(pieces))]) is None


@given(st.integers(0, 100 * MB), st.integers(0, 200))
def test_without_a_byte_it_ends_however_much_came_before(size: int, seconds: int) -> None:
    before = [size * (n + 1) / 20 + n * 2 * SLOWEST for n in range(20)]
    ended = lasts([*before, *[before[-1]] * 200])
    assert ended is not None
    assert ended <= 20 + STRETCH_S + 1


@given(st.integers(0, 100 * MB), st.integers(0, SLOWEST - 1))
def test_what_came_at_once_does_not_excuse_a_trickle(size: int, trickle: int) -> None:
    ended = lasts([size + n * trickle for n in range(200)])
    assert ended is not None
    assert ended <= 2 * STRETCH_S + 2


def test_pauses_are_allowed_that_are_shorter_than_the_stretch() -> None:
    bursts = [50 * SLOWEST * (1 + n // 25) for n in range(200)]
    assert lasts(bursts) is None


@pytest.mark.parametrize("is_pressed", [False, True])
def test_where_others_wait_for_its_room_it_has_to_hurry(is_pressed: bool) -> None:  # noqa: FBT001
    slow = [n * SLOWEST_PRESSED / 2 for n in range(1, 100)]
    assert (lasts(slow, is_pressed=is_pressed) is not None) is is_pressed
    fast = [n * SLOWEST_PRESSED * 2 for n in range(1, 100)]
    assert lasts(fast, is_pressed=is_pressed) is None


def test_what_drains_is_looked_at_the_other_way_round() -> None:
    left = [100 * MB - n * SLOWEST / 2 for n in range(200)]
    ended = lasts([-size for size in left])
    assert ended is not None
    assert ended <= 2 * STRETCH_S + 2
    assert lasts([-(100 * MB - n * SLOWEST * 2) for n in range(200)]) is None


def test_a_slow_beginning_is_not_held_against_it_at_once() -> None:
    assert go_on(begin(0.0), STRETCH_S / 5, 0, STRETCH_S, is_pressed=True) is not None
    assert go_on(begin(0.0), STRETCH_S, 0, STRETCH_S) is not None
