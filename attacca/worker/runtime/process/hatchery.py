"""The worker's end of the socket over which a zygote or a template takes orders."""

import asyncio
import collections
import json
import os
import socket
from collections.abc import Callable
from typing import Any

from attacca.worker.runtime.process.cradle import Cradle
from attacca.worker.runtime.process.guest.packets import LARGEST

PACKETS = 64  # taken at once: who sends without end must not keep the loop from everybody else
Hear = Callable[[dict[str, Any], int], None]  # a packet, and the pidfd that came with it or -1
Births = Callable[["Hatchery", dict[str, Any], int], None]  # the same, with who said it


class Hatchery:
    """Sends orders with their descriptors, hands every packet to `hear`, and says once when the other side is gone.

    Descriptors that `order` takes belong to the hatchery: it closes them once they are sent.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, cradle: Cradle, hear: Hear, gone: Callable[[], None]
    ) -> None:
        sock.settimeout(0)
        self.cradle = cradle
        self._loop, self._sock, self._hear, self._gone = loop, sock, hear, gone
        self._waiting: collections.deque[tuple[bytes, tuple[int, ...]]] = collections.deque()
        self.is_open = True
        loop.add_reader(sock, self._readable)

    def order(self, message: Any, descriptors: tuple[int, ...] = ()) -> None:
        """
        Raises:
            ValueError: it cannot be sent; the descriptors remain the caller's.
        """
        raw = json.dumps(message).encode()
        if not self.is_open:
            raise ValueError("the process that would fork it is gone")
        if len(raw) > LARGEST:
            raise ValueError(f"an order of {len(raw)} bytes is too long; is its environment very large?")
        if not self._waiting:
            self._loop.add_writer(self._sock, self._writable)
        self._waiting.append((raw, descriptors))
        self._writable()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
            self.cradle.close()
            while self._waiting:
                for descriptor in self._waiting.popleft()[1]:
                    os.close(descriptor)

    def _writable(self) -> None:
        while self._waiting:
            raw, descriptors = self._waiting[0]
            try:
                socket.send_fds(self._sock, [raw], list(descriptors))
            except BlockingIOError:
                return
            except OSError:
                self._lost()
                return
            self._waiting.popleft()
            for descriptor in descriptors:
                os.close(descriptor)
        self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        for _ in range(PACKETS):
            if not self.is_open:
                return
            try:
                raw, descriptors, _, _ = socket.recv_fds(self._sock, LARGEST, 1)
            except BlockingIOError:
                return
            except OSError:
                raw, descriptors = b"", []
            if not raw:
                self._lost()
                return
            self._take(raw, descriptors[0] if descriptors else -1)

    def _take(self, raw: bytes, pidfd: int) -> None:
        """The other side may run a user's code, which can say whatever it likes."""
        try:
            message = json.loads(raw)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            message = {}
        if pidfd >= 0 and "made" not in message:
            os.close(pidfd)
        self._hear(message, pidfd)

    def _lost(self) -> None:
        self.close()
        self._gone()
