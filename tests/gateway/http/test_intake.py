"""How much room a body asks for, as it comes."""

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.intake import SMALL, Asked, Intake, too_large, too_slow
from attacca.gateway.http.room import Rooms
from tests.cases import each

MB = 1 << 20
CONFIG = GatewayConfig(buffers_mb=16, max_body_mb=4)


def intake(announced: int | None, rooms: Rooms) -> Intake:
    one = Intake(rooms)
    one.announced, one.limit, one.owner = announced, 4 * MB, "f"
    one.begin(0.0)
    return one


@each(
    "announced, size, bodies, pieces",
    [
        (100, 0, 0, 0),
        (100, 1, 0, 100),
        (SMALL, 1, 0, SMALL),
        (SMALL + 1, 0, SMALL + 1, 0),
        (4 * MB, 0, 4 * MB, 0),
        (None, 0, 0, 0),
        (None, 1, 0, SMALL),
        (None, SMALL + 1, 4 * MB, 0),
    ],
)
def test_room_is_had_for_as_much_as_it_may_become(announced: int | None, size: int, bodies: int, pieces: int) -> None:
    rooms = Rooms(CONFIG)
    one = intake(announced, rooms)
    for _ in range(2):
        assert one.make_room(size, lambda: None) is Asked.HAS
        assert (rooms.bodies.held, rooms.pieces.held) == (bodies, pieces)
    one.leave()
    assert (rooms.bodies.held, rooms.pieces.held) == (0, 0)


def test_a_chunked_body_that_grows_moves_to_the_large_ones() -> None:
    rooms = Rooms(CONFIG)
    one = intake(None, rooms)
    one.make_room(10, lambda: None)
    one.make_room(SMALL + 1, lambda: None)
    assert (rooms.bodies.held, rooms.pieces.held) == (4 * MB, 0)
    assert repr(one) == f"<Intake {SMALL + 1} of None bytes, at most {4 * MB}, in a room of {4 * MB}>"


def test_who_finds_none_waits_or_is_refused() -> None:
    rooms = Rooms(CONFIG)
    first, second = intake(4 * MB, rooms), intake(4 * MB, rooms)
    granted: list[str] = []
    first.make_room(0, lambda: None)
    assert second.make_room(0, lambda: granted.append("second")) is Asked.WAITS
    assert second.room is not None
    assert repr(second.room) == "<Room of 0 bytes for 'f', waiting>"
    room = first.hand_over()
    assert room is not None
    room.leave()
    assert (granted, rooms.bodies.held) == (["second"], 4 * MB)
    third = intake(16 * MB, rooms)
    assert third.make_room(0, lambda: None) is Asked.NONE


def test_a_body_has_to_come_and_faster_where_others_wait() -> None:
    one = intake(4 * MB, Rooms(CONFIG))
    assert one.keeps_pace(20.0, 30_000, 30.0)
    assert not one.keeps_pace(31.0, 30_001, 30.0)
    assert "30 s" in str(too_slow("body", 30.0))
    assert "4 MB" in str(too_large(4 * MB))
