"""How fast somebody may talk, on a clock that a test turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.pace import PIECE_S, Pace

RATE = 1000.0


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), min_size=1, max_size=60))
def test_who_waits_as_told_never_says_more_than_the_rate_and_a_piece(steps: list[tuple[int, int]]) -> None:
    clock, said, longest = Clock(), 0, max(units for units, _ in steps)
    began, pace = clock.now, Pace(RATE, clock)
    for units, idle_ms in steps:
        clock.now += idle_ms / 1e3
        said += units
        clock.now += pace.wait_s(units)
        assert said <= (clock.now - began + PIECE_S) * RATE + longest + 1e-6


@given(st.lists(st.integers(1, 5), max_size=60))
def test_who_keeps_to_the_rate_never_waits(steps: list[int]) -> None:
    clock = Clock()
    pace = Pace(RATE, clock)
    for units in steps:
        clock.now += units / RATE + 1e-9
        assert pace.wait_s(units) < 1e-6


def test_silence_is_not_saved_up() -> None:
    clock = Clock()
    pace = Pace(RATE, clock)
    clock.now += 3600
    waits = [pace.wait_s(RATE * PIECE_S) for _ in range(3)]
    assert waits == pytest.approx([0.0, PIECE_S, 2 * PIECE_S])


def test_it_says_how_it_is() -> None:
    pace = Pace(RATE, Clock())
    pace.wait_s(5)
    assert repr(pace) == "<Pace 5 of 16>"
