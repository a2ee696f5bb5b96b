"""Room for requests: nothing is held without it, and all of it comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.room import WAITING_MOST, Room, Rooms
from attacca.kernel.budget import Budget


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 7), st.sampled_from(["take", "wait", "leave"])), max_size=40
    )
)  # fmt: skip
def test_what_rooms_have_is_what_the_budget_holds(steps: list[tuple[int, int, str]]) -> None:
    budget = Budget(12, 6)
    rooms = [Room(budget, "ab"[number % 2]) for number in range(5)]
    granted: list[int] = []
    for number, size, what in steps:
        room = rooms[number]
        if what == "leave":
            room.leave()
        elif what == "take" and not room.is_waiting:
            expected = {True: size, False: room.size}
            assert expected[room.take(size)] == room.size
        elif room.size == 0 and not room.is_waiting:
            room.wait(size, lambda number=number: granted.append(number))  # type: ignore[misc]
        assert budget.held == sum(room.size for room in rooms) <= 12
        assert not any(room.is_waiting and room.size for room in rooms)
    for room in rooms:
        room.leave()
    assert repr(budget) == "<Budget 0 of 12, 0 owners, 0 waiting>"


def test_who_waits_is_served_when_another_leaves_and_pressed_until_then() -> None:
    budget, granted = Budget(8, 6), list[str]()
    one, other, third = Room(budget, "a"), Room(budget, "a"), Room(budget, "b")
    assert one.take(6)
    assert not one.is_wanted
    assert other.wait(4, lambda: granted.append("other"))
    assert one.is_wanted
    assert third.take(1)
    assert not third.is_wanted, "what it has would not help"
    one.leave()
    assert granted == ["other"]
    assert (other.size, other.is_waiting) == (4, False)


def test_the_whole_being_short_presses_everybody() -> None:
    budget = Budget(8, 6)
    one, other, third = Room(budget, "a"), Room(budget, "b"), Room(budget, "c")
    assert one.take(4)
    assert other.take(4)
    assert third.wait(2, lambda: None)
    assert one.is_wanted
    assert other.is_wanted


def test_a_crowd_is_more_than_half() -> None:
    budget = Budget(16, 8)
    one, other, third = Room(budget, "a"), Room(budget, "a"), Room(budget, "b")
    assert one.take(4)
    assert not one.is_crowded
    assert other.take(1)
    assert (one.is_crowded, third.is_crowded) == (True, False)
    assert third.take(4)
    assert third.is_crowded


def test_no_more_wait_than_can_be_looked_through() -> None:
    budget = Budget(8, 4)
    assert Room(budget, "a").take(4)
    for _ in range(WAITING_MOST):
        assert Room(budget, "a").wait(1, lambda: None)
    assert not Room(budget, "a").wait(1, lambda: None)


def test_more_than_there_ever_is_is_not_waited_for() -> None:
    assert not Room(Budget(8, 4), "a").wait(5, lambda: None)


def test_one_functions_share_has_to_hold_the_largest_body() -> None:
    rooms = Rooms(GatewayConfig())
    assert rooms.bodies.total + rooms.pieces.total == 512 << 20
    assert rooms.bodies.share >= 16 << 20
    with pytest.raises(ValueError, match="max_body_mb"):
        GatewayConfig(buffers_mb=40, max_body_mb=16)
    GatewayConfig(buffers_mb=43, max_body_mb=16)


def test_it_says_what_it_has() -> None:
    room = Room(Rooms(GatewayConfig()).pieces, "f")
    assert room.take(10)
    assert repr(room) == "<Room of 10 bytes for 'f', had>"
