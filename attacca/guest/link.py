"""An end of a channel on an event loop: frames out, frames in, and how much is on its way."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from attacca.guest.channel import HEAD

if TYPE_CHECKING:
    import asyncio

READ = 65_536  # bytes at a time; a larger buffer would be mapped and unmapped for every frame, at 15 us each
HIGH, LOW = 262_144, 65_536  # bytes waiting for the other side: above, whoever writes is told to wait; below, to go on
STALL_S, STALL_BYTES = 10.0, 1 << 20  # a frame that has begun: in each such time so much of it comes, or its end
ALL = 1 << 30
LAST_FRAMES = 64  # taken of what has arrived of somebody who is let go of
LAST_READS = max(16 * os.sysconf("SC_PAGE_SIZE") // READ, 1)  # what a pipe holds unless it was enlarged

Take = Callable[[int, int, bytes], None]  # kind, number, payload


class Room(Protocol):
    """Who says how much of what others send may be held."""

    def take(self, size: int, granted: Callable[[], None]) -> bool:
        """Whether so much may be held now; if not, `granted` is called when it may."""

    def give(self, size: int) -> None:
        """What was granted is needed no more; or, if it was not granted yet, not wanted."""


class Link:
    """Not for several threads. `take` gets every frame; `closed` is called once when the other side lets go.

    A frame longer than `max_frame` means that it does not keep to the protocol, which counts as letting go. Where the
    other side cannot be trusted, `turn` is how many frames are taken before everybody else on the loop has a turn, and
    `room` is asked before a long frame is collected: while there is none, nothing is read.
    """

    def __init__(
        self,
        loop: "asyncio.AbstractEventLoop",
        reader: int,
        writer: int,
        max_frame: int,
        take: Take,
        closed: Callable[[str], None],
        pressed: Callable[[bool], None],
        *,
        turn: int = ALL,
        room: Room | None = None,
    ) -> None:
        """Both descriptors are ours from here on; `writer` may be -1."""
        os.set_blocking(reader, False)
        self._loop, self._reader, self._writer, self._max_frame = loop, reader, writer, max_frame
        if writer >= 0:
            os.set_blocking(writer, False)
        self._take, self._closed, self._pressed = take, closed, pressed
        self._turn, self._room = turn, room
        self._rest: bytearray | bytes = b""  # of a frame that is not complete
        self._held: tuple[bytes, int] | None = None  # frames that wait for the next turn, and where they begin
        self._granted = 0  # bytes of room that the frame in `_rest` has
        self._is_waiting = False  # for room
        self._rests: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._seen = 0  # of `_rest`, when the clock was set
        self._backlog = bytearray()
        self.is_pressed = self.is_paused = False
        self._is_reading = self.is_open = True
        self._is_closing = False
        loop.add_reader(reader, self.readable)

    def __repr__(self) -> str:
        state = "closed" if not self.is_open else "paused" if self.is_paused else "open"
        return f"<Link {state}, {len(self._rest)} bytes in, {len(self._backlog)} out>"

    def send(self, data: bytes) -> None:
        """Write now what can be written now, the rest when the other side reads."""
        if not self.is_open:
            return
        if self._backlog:
            self._backlog += data
        else:
            try:
                sent = os.write(self._writer, data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # it is dying; its end is reported by whoever watches the process
            if sent == len(data):
                return
            self._backlog += memoryview(data)[sent:]
            self._loop.add_writer(self._writer, self._writable)
        if len(self._backlog) > HIGH and not self.is_pressed:
            self.is_pressed = True
            self._pressed(self.is_pressed)

    def offer(self, data: bytes) -> bool:
        """Write it if all of it can be written now; False: nothing was."""
        if not self.is_open or self._backlog:
            return False
        try:
            sent = os.write(self._writer, data)
        except OSError:
            return False
        assert sent == len(data), "what is offered is no longer than what a pipe takes whole or not at all"
        return True

    @property
    def is_behind(self) -> bool:
        """Something waits until the other side reads."""
        return bool(self._backlog)

    def pause(self) -> None:
        if self.is_open and not self.is_paused:
            self.is_paused = True
            self._update()

    def resume(self) -> None:
        if self.is_open and self.is_paused:
            self.is_paused = False
            self._update()

    def rest(self, seconds: float) -> None:
        """Read nothing for so long: the other side says more than anybody can listen to."""
        if self.is_open and self._rests is None:
            self._rests = self._loop.call_later(seconds, self._wake)
            self._update()

    def _wake(self) -> None:
        self._rests = None
        self._go_on()
        self._update()

    def close(self) -> None:
        """Take what has already arrived, if it is not too much to be taken at once; then let go."""
        if not self.is_open:
            return
        self._release()
        self.is_paused, self._is_closing = False, True
        self._turn, self._room = LAST_FRAMES, None
        self._go_on()
        for _ in range(LAST_READS):  # and no more, because somebody else may have the other end and write for ever
            if self._held is not None or not self.readable():
                break
        self._shut()

    def _shut(self) -> None:
        if self.is_open:
            self.is_open = False
            self._update()
            self._release()
            if self._rests is not None:
                self._rests.cancel()
            os.close(self._reader)
            if self._writer >= 0:
                self._loop.remove_writer(self._writer)
                os.close(self._writer)
            self._backlog.clear()
            self._rest, self._held = b"", None

    def _lost(self, why: str) -> None:
        self._shut()
        self._closed(why)

    def _writable(self) -> None:
        try:
            sent = os.write(self._writer, self._backlog)
        except BlockingIOError:
            return
        except OSError:
            self._loop.remove_writer(self._writer)
            return
        del self._backlog[:sent]
        if not self._backlog:
            self._loop.remove_writer(self._writer)
        if self.is_pressed and len(self._backlog) < LOW:
            self.is_pressed = False
            self._pressed(self.is_pressed)

    # what comes

    def _update(self) -> None:
        """Read, or stop reading, as the state of things asks."""
        is_busy = self.is_paused or self._is_waiting or self._rests is not None or self._held is not None
        wants = self.is_open and not is_busy
        if wants != self._is_reading:
            self._is_reading = wants
            if wants:
                self._loop.add_reader(self._reader, self.readable)
            else:
                self._loop.remove_reader(self._reader)
        if self._room is not None:
            self._set_clock()

    def readable(self) -> bool:
        """Take what is there; False when there is nothing."""
        if not self.is_open:
            return False
        try:
            data = os.read(self._reader, READ)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._lost("it closed its channel")
            return False
        if self._rest:
            self._rest += data  # a bytearray: long frames grow in place
            if len(self._rest) >= 9 and len(self._rest) < 9 + HEAD.unpack_from(self._rest)[0] <= 9 + self._max_frame:
                if self._room is not None:
                    self._collect()
                return True
            data, self._rest = bytes(self._rest), b""  # a long frame is not held twice while it is passed on
            self._release()
        elif len(data) >= 9 and self._rests is None:
            size, kind, number = HEAD.unpack_from(data)
            if size + 9 == len(data) and size <= self._max_frame:  # one that came alone, as most do
                self._take(kind, number, data[9:])
                return True
        self._parse(data, 0)
        return True

    def _parse(self, data: bytes, at: int) -> None:
        length, left = len(data), self._turn
        while length - at >= 9:
            size, kind, number = HEAD.unpack_from(data, at)
            if size > self._max_frame:
                self._lost(f"it sent a frame of {size} bytes")
                return
            end = at + 9 + size
            if end > length:
                break
            if left == 0 or (self._rests is not None and not self._is_closing):
                self._held = data, at
                self._update()
                if self._rests is None:
                    self._loop.call_soon(self._go_on)
                return
            left -= 1
            self._take(kind, number, data[at + 9 : end])
            if not self.is_open:
                return
            at = end
        if at < length:
            self._rest = bytearray(data[at:])
            if self._room is not None:
                self._collect()

    def _go_on(self) -> None:
        """The next turn of those that wait."""
        if self.is_open and self._held is not None:
            (data, at), self._held = self._held, None
            self._parse(data, at)
            if self.is_open:
                self._update()

    # a frame that is not complete, of somebody who cannot be trusted

    def _collect(self) -> None:
        """Ask for room, once its size is known and is worth asking; and watch that it gets on."""
        if not self._granted and len(self._rest) >= 9:
            size = HEAD.unpack_from(self._rest)[0]
            if size > READ and self._room is not None:
                self._granted = size
                if not self._room.take(size, self._has_room):
                    self._is_waiting = True
                    self._update()
        if self._stall is None:
            self._set_clock()

    def _has_room(self) -> None:
        self._is_waiting = False
        self._update()

    def _release(self) -> None:
        if self._granted and self._room is not None:
            self._room.give(self._granted)
        self._granted, self._is_waiting = 0, False
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _set_clock(self) -> None:
        """It runs while we read, and something is owed to us."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._rest and self._is_reading:
            self._seen = len(self._rest)
            self._stall = self._loop.call_later(STALL_S, self._check)

    def _check(self) -> None:
        self._stall = None
        if len(self._rest) - self._seen < STALL_BYTES:
            self._lost(f"it stopped in the middle of a frame for {STALL_S:g} s")
        else:
            self._set_clock()
