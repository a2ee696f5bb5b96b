"""The worker's end of the control socket of a QEMU: lines go to it, and what it says of the machine comes back."""

import asyncio
import os
import socket
from collections.abc import Callable

from attacca.worker.runtime.microvm import qemu
from attacca.worker.runtime.process.untrusted import NONSENSE

READ, LINE_MOST = 65_536, 1 << 20


class QmpSocket:
    """`hear` is told events, and whatever it refuses; `lost` that it says what no monitor says."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        own: socket.socket,
        hear: Callable[[qemu.QmpLine], None],
        lost: Callable[[str], None],
    ) -> None:
        """`own` is ours from here on."""
        own.setblocking(False)  # noqa: FBT003 - socket's
        self._loop, self._own, self._hear, self._lost = loop, own, hear, lost
        self._rest = b""
        self._is_open = True
        loop.add_reader(own, self._readable)

    def __repr__(self) -> str:
        return f"<QmpSocket {'open' if self._is_open else 'closed'}, {len(self._rest)} bytes in>"

    def send(self, orders: bytes, descriptor: int | None = None) -> None:
        """A few hundred bytes, which its socket has room for; `descriptor` comes with them."""
        if self._is_open:
            try:
                if descriptor is None:
                    self._own.send(orders)
                else:
                    socket.send_fds(self._own, [orders], [descriptor])
            except OSError:
                return  # it is dying, and whoever watches its process hears of that

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._own)
            self._own.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._own.fileno(), READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        try:
            for line in lines:
                if line.strip():
                    self._hear(qemu.told(line))
        except NONSENSE as error:
            self._lost(f"its monitor said what no monitor says ({type(error).__name__})")
        if len(self._rest) > LINE_MOST:
            self._lost("its monitor said a line without an end")
