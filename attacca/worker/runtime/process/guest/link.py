"""An end of a sandbox's channel on an event loop: frames out, frames in, and how much is on its way."""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from attacca.worker.runtime.process.guest.channel import HEAD

if TYPE_CHECKING:
    import asyncio

READ = 65_536  # bytes at a time; a larger buffer would be mapped and unmapped for every frame, at 15 us each
HIGH, LOW = 262_144, 65_536  # bytes waiting for the other side: above, whoever writes is told to wait; below, to go on

Take = Callable[[int, int, bytes], None]  # kind, invocation, payload


class Link:
    """Not for several threads. `take` gets every frame; `closed` is called once when the other side lets go.

    A frame longer than `max_frame` means that it does not keep to the protocol, which counts as letting go.
    """

    def __init__(
        self,
        loop: "asyncio.AbstractEventLoop",
        sock: socket.socket,
        max_frame: int,
        take: Take,
        closed: Callable[[str], None],
        pressed: Callable[[bool], None],
    ) -> None:
        sock.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self._loop, self._sock, self._max_frame = loop, sock, max_frame
        self._take, self._closed, self._pressed = take, closed, pressed
        self._recv, self._send = sock.recv, sock.send
        self._rest: bytearray | bytes = b""
        self._backlog = bytearray()
        self._is_pressed = self.is_paused = False
        self.is_open = True
        loop.add_reader(sock, self._readable)

    def send(self, data: bytes) -> None:
        """Write now what can be written now, the rest when the other side reads."""
        if not self.is_open:
            return
        if self._backlog:
            self._backlog += data
        else:
            try:
                sent = self._send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return  # it is dying; its end is reported by whoever watches the process
            if sent == len(data):
                return
            self._backlog += memoryview(data)[sent:]
            self._loop.add_writer(self._sock, self._writable)
        if len(self._backlog) > HIGH and not self._is_pressed:
            self._is_pressed = True
            self._pressed(self._is_pressed)

    def pause(self) -> None:
        if self.is_open and not self.is_paused:
            self.is_paused = True
            self._loop.remove_reader(self._sock)

    def resume(self) -> None:
        if self.is_open and self.is_paused:
            self.is_paused = False
            self._loop.add_reader(self._sock, self._readable)

    def close(self) -> None:
        """Take what has already arrived, then let go."""
        if not self.is_open:
            return
        self.resume()
        while self._readable():
            pass
        self._shut()

    def _shut(self) -> None:
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
            self._backlog.clear()

    def _lost(self, why: str) -> None:
        self._shut()
        self._closed(why)

    def _writable(self) -> None:
        try:
            sent = self._send(self._backlog)
        except BlockingIOError:
            return
        except OSError:
            self._loop.remove_writer(self._sock)
            return
        del self._backlog[:sent]
        if not self._backlog:
            self._loop.remove_writer(self._sock)
        if self._is_pressed and len(self._backlog) < LOW:
            self._is_pressed = False
            self._pressed(self._is_pressed)

    def _readable(self) -> bool:
        """Take what is there; False when there is nothing."""
        try:
            data = self._recv(READ)
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
                return True
            data, self._rest = bytes(self._rest), b""  # a long frame is not held twice while it is passed on
        self._parse(data)
        return True

    def _parse(self, data: bytes) -> None:
        at, length = 0, len(data)
        while length - at >= 9:
            size, kind, number = HEAD.unpack_from(data, at)
            if size > self._max_frame:
                self._lost(f"it sent a frame of {size} bytes")
                return
            end = at + 9 + size
            if end > length:
                break
            self._take(kind, number, data[at + 9 : end])
            if not self.is_open:
                return
            at = end
        self._rest = bytearray(data[at:]) if at < length else b""
