"""What a sandbox was handed ahead. It lies in the sandbox's pipe until the sandbox begins it, and can be read back.

Each frame is a packet of the pipe: one read brings one of them, whole, and nothing of the next. So either the sandbox
has read it, and begins it, or we have, and it never will.
"""

import contextlib
import fcntl
import os
import select

from attacca.guest import channel as wire
from attacca.guest.link import READ, Link

PACKETS = os.O_DIRECT | os.O_NONBLOCK  # what a pipe's end is told: each write is one, up to PIPE_BUF
MOST = select.PIPE_BUF


class Handed:
    """Of one sandbox, which runs one at a time. What cannot be sent ahead is only remembered: its time will come."""

    def __init__(self, link: Link, writer: int) -> None:
        self._link, self._writer = link, writer
        self._pipe = -1  # where it can be read back; -1: nothing was sent yet
        self._is_packets = self._is_barred = False
        self.sent: dict[int, str] = {}  # by number, in their order
        self._kept: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<Handed {len(self.sent)} sent, {len(self._kept)} kept>"

    def shape(self, size: int, *, is_idle: bool) -> None:
        """So long a frame is sent now; `is_idle`: the sandbox has read all before it, so that both kinds can be told
        apart."""
        if self._is_packets and size > MOST:
            self._is_packets = False
            fcntl.fcntl(self._writer, fcntl.F_SETFL, os.O_NONBLOCK)
        elif not self._is_packets and size <= MOST and is_idle and not self._is_barred and not self._link.is_behind:
            try:
                fcntl.fcntl(self._writer, fcntl.F_SETFL, PACKETS)
            except OSError:  # not every pipe knows packets
                self._is_barred = True
            else:
                self._is_packets = True

    def hand(self, name: str, number: int, frame: bytes) -> None:
        is_next = self._is_packets and not self._kept and len(frame) <= MOST
        if is_next and self._can_be_read_back() and self._link.offer(frame):
            self.sent[number] = name
        else:
            self._kept[name] = None

    def begin(self) -> tuple[int, str] | None:
        """The sandbox has ended what it ran, and goes on with this by itself; None: with nothing."""
        for number in self.sent:
            return number, self.sent.pop(number)
        return None

    def run(self, name: str) -> None:
        """It is sent now, if it was only remembered."""
        self._kept.pop(name, None)

    def bounced(self, number: int) -> str:
        """
        Raises:
            KeyError: it was not handed ahead.
        """
        return self.sent.pop(number)

    def take_back(self) -> tuple[str, ...]:
        """Those that it has not begun, and will not."""
        taken: list[str] = []
        if self.sent and not self._link.is_behind:
            others: list[bytes] = []
            for frame in self._frames():
                _, kind, number = wire.HEAD.unpack_from(frame)
                name = self.sent.pop(number, None) if kind == wire.INVOKE else None
                if name is None:
                    others.append(frame)
                else:
                    taken.append(name)
            for frame in others:
                self._link.send(frame)
        taken += self._kept
        self._kept.clear()
        return tuple(taken)

    def close(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        self.sent.clear()

    def _can_be_read_back(self) -> bool:
        if self._pipe < 0 and not self._is_barred:
            try:
                self._pipe = os.open(f"/proc/self/fd/{self._writer}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:  # no /proc, or no more descriptors
                self._is_barred = True
        return self._pipe >= 0

    def _frames(self) -> list[bytes]:
        found: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._pipe, READ):
                at = 0
                while at < len(data):
                    size = wire.HEAD.unpack_from(data, at)[0]
                    found.append(data[at : at + 9 + size])
                    at += 9 + size
        return found
