"""What a container prints, read piece by piece; a flood is slowed down by not reading, which stops only its author."""

import asyncio
import os
from collections.abc import Callable

READ, PER_S = 16_384, 4 << 20
END_BYTES = 4096


class Output:
    """`printed` gets it in pieces; its end is kept."""

    def __init__(self, loop: asyncio.AbstractEventLoop, printed: Callable[[bytes], None]) -> None:
        self._loop, self._printed = loop, printed
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.writer, True)
        self._is_heard = True
        self._quota, self._since = 0, loop.time()
        self._end = b""
        loop.add_reader(self._reader, self.read)

    def __repr__(self) -> str:
        return f"<Output {len(self._end)} bytes at its end, {self._quota} of {PER_S} in this second>"

    def handed_over(self) -> None:
        """The container has the end that is written to."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def read(self) -> bool:
        """A piece; False: there is none now, or no more of it may be taken in this second."""
        if self._reader < 0 or not self._is_heard:
            return False
        now = self._loop.time()
        if now - self._since >= 1.0:
            self._since, self._quota = now, 0
        try:
            data = os.read(self._reader, READ)
        except BlockingIOError:
            return False
        if not data:
            self._is_heard = False
            self._loop.remove_reader(self._reader)
            return False
        self._end = (self._end + data)[-END_BYTES:]
        self._quota += len(data)
        if self._quota > PER_S:
            self._is_heard = False
            self._loop.remove_reader(self._reader)
            self._loop.call_at(self._since + 1.0, self._listen_again)
        self._printed(data)
        return True

    def _listen_again(self) -> None:
        if self._reader >= 0:
            self._is_heard = True
            self._loop.add_reader(self._reader, self.read)

    def close(self) -> str:
        """What was still on its way goes on, and the last words are told."""
        self.handed_over()
        while self.read():
            pass
        if self._reader >= 0:
            self._loop.remove_reader(self._reader)
            os.close(self._reader)
            self._reader = -1
        return self._end.decode("utf-8", "replace").strip()
