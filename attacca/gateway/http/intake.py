"""A request's body while it is collected: how much of it may come, the room that it takes, and how fast it comes."""

from collections.abc import Callable
from enum import Enum

from attacca.errors import PayloadTooLarge, RequestTimeout
from attacca.gateway.http import pace
from attacca.gateway.http.room import Room, Rooms

MB = 1024 * 1024
SMALL = 64 * 1024  # bytes: larger bodies go to ASGI functions in pieces, and are refused before they are read


class Asked(Enum):
    """What came of asking for room."""

    HAS = "has"
    WAITS = "waits"
    NONE = "none"


class Intake:
    """One for a connection: it is used again for each body that does not come at once."""

    __slots__ = ("_pace", "_rooms", "announced", "expects", "limit", "owner", "room", "size")

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._pace = pace.begin(0.0)
        self.announced: int | None = None  # its Content-Length; None: it comes in chunks
        self.size = 0  # bytes that have come, when room was asked for
        self.limit = 0  # bytes that it may become
        self.owner = ""  # the function that its room is charged to
        self.expects = False  # its sender waits to be invited
        self.room: Room | None = None

    def __repr__(self) -> str:
        room = 0 if self.room is None else self.room.size
        return f"<Intake {self.size} of {self.announced} bytes, at most {self.limit}, in a room of {room}>"

    def begin(self, now: float, size: int = 0) -> None:
        """It comes from now on; so much has come."""
        self._pace = pace.begin(now, size)

    def make_room(self, size: int, granted: Callable[[], None]) -> Asked:
        """For as much as it may become, of which this much has come; or wait until `granted` is called."""
        self.size, most = size, self.announced
        if most is None:
            most = self.limit if size > SMALL else min(SMALL, self.limit)
        is_small = most <= SMALL
        has = 0 if self.room is None else self.room.size
        if has >= most or (is_small and size == 0):  # a small one may be complete a moment later
            return Asked.HAS
        self.leave()
        self.room = room = Room(self._rooms.pieces if is_small else self._rooms.bodies, self.owner)
        if room.take(most):
            return Asked.HAS
        return Asked.WAITS if room.wait(most, granted) else Asked.NONE

    def leave(self) -> None:
        if self.room is not None:
            self.room.leave()
            self.room = None

    def hand_over(self) -> Room | None:
        """It is complete, and its room is somebody else's to give back."""
        room, self.room = self.room, None
        return room

    def keeps_pace(self, now: float, size: int, stretch_s: float) -> bool:
        is_pressed = self.room is not None and self.room.is_wanted
        going = pace.go_on(self._pace, now, size, stretch_s, is_pressed=is_pressed)
        if going is None:
            return False
        self._pace = going
        return True


def too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the request's body is over the limit of {limit / MB:g} MB",
        "send less; only ASGI and WSGI functions take large bodies, in pieces",
    )


def too_slow(what: str, limit_s: float) -> RequestTimeout:
    return RequestTimeout(f"the request's {what} did not arrive within {limit_s:g} s", "send it without long pauses")
