"""The half of a connection that holds: what has come of a body, what came behind, and the room that both take."""

from attacca.errors import AttaccaError, RequestTimeout
from attacca.gateway.http import pace
from attacca.gateway.http.handler import STREAM_OVER, Serving
from attacca.gateway.http.room import Room, overloaded
from attacca.gateway.http.server import Front

SLICE = 16 * 1024  # bytes parsed at once: bounds the requests that pile up behind one that is being served


class Collecting(Serving):
    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self.request_body: bytes | bytearray = b""
        self.room: Room | None = None  # for it
        self.is_waiting = False  # for that room
        self.pace = pace.begin(0.0)  # of the body, wherever it goes
        self.draining: pace.Pace | None = None  # of large answers that are read slowly
        self.held = bytearray()  # bytes behind the request that is being served
        self.held_room: Room | None = None
        self.is_reading = True

    def fail(self, error: AttaccaError) -> None:
        """Nothing after this can be understood: answer what is owed, then this, and close."""
        raise NotImplementedError

    def make_room(self) -> None:
        """For as much as the body that is being collected may become; else wait for it, and read nothing meanwhile."""
        size, most = len(self.request_body), self.announced
        if most is None:
            most = self.front.max_body if size > STREAM_OVER else min(STREAM_OVER, self.front.max_body)
        is_small = most <= STREAM_OVER
        has = 0 if self.room is None else self.room.size
        if has >= most or (is_small and size == 0):  # a small one may be complete a moment later
            return
        self.leave_room()
        rooms = self.front.rooms
        self.room = room = Room(rooms.pieces if is_small else rooms.bodies, self.target.name)
        if room.take(most):
            return
        if room.wait(most, self._go_on):
            self.is_busy = self.is_waiting = True
            self.since = self.front.now
        else:
            self.fail(overloaded("the request's body"))

    def _go_on(self) -> None:
        """There is room."""
        self.is_busy = self.is_waiting = False
        self.pace = pace.begin(self.front.now, len(self.request_body))
        self.invite()
        self.update_reading()
        self.resume()

    def leave_room(self) -> None:
        if self.room is not None:
            self.room.leave()
            self.room = None
        if self.is_waiting:
            self.is_busy = self.is_waiting = False

    def drop_collected(self) -> None:
        self.leave_room()
        self.request_body = b""

    def make_room_behind(self) -> None:
        """For what is held back, when it is more than a little."""
        size = len(self.held)
        if self.held_room is None:
            if size <= SLICE:
                return
            self.held_room = Room(self.front.rooms.pieces, self.target.name)
        if not self.held_room.take(size):
            self.held.clear()
            self.held_room.leave()
            self.fail(overloaded("what came behind"))
        if not self.held:
            self.held_room.leave()
            self.held_room = None

    def serve_collected(self, body: bytes) -> None:
        """Its room is taken until its invocation is over."""
        room, self.room = self.room, None
        self.serve(body)
        if room is None:
            return
        if self.taken is None:
            room.leave()
        else:
            room.take(len(body))
            self.taken.on_end = room.leave

    # Slow clients.

    def sweep_waiting(self, spent_s: float) -> None:
        if spent_s > self.front.config.body_timeout_s:
            self.leave_room()
            self.fail(overloaded("the request's body"))

    def sweep_arriving(self, now: float) -> None:
        """Of a body that is streamed the invocation's own clocks take care."""
        if not self.is_arriving or self.taken is not None:
            return
        if not self.is_reading:
            self.pace = pace.begin(now, self.streamed_size)
        elif not self.keeps_pace(now, self.streamed_size):
            self.break_upload(too_slow("body", self.front.config.body_timeout_s))

    def keeps_pace(self, now: float, size: int) -> bool:
        is_pressed = self.room is not None and self.room.is_wanted
        found = pace.go_on(self.pace, now, size, self.front.config.body_timeout_s, is_pressed=is_pressed)
        if found is None:
            return False
        self.pace = found
        return True

    def drains(self, now: float, unwritten: int) -> bool:
        """Are large answers read as fast as a body has to come? The less is unwritten, the more has been."""
        if self.unread is None:
            self.draining = None
            return True
        before = self.draining or pace.begin(now, -unwritten)
        stretch_s = self.front.config.body_timeout_s
        self.draining = pace.go_on(before, now, -unwritten, stretch_s, is_pressed=self.unread.is_crowded)
        return self.draining is not None


def too_slow(what: str, limit_s: float) -> RequestTimeout:
    return RequestTimeout(f"the request's {what} did not arrive within {limit_s:g} s", "send it without long pauses")
