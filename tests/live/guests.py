"""Guests without a machine: a network namespace whose link is carried to a tap, frame by frame, as a monitor does."""

import contextlib
import fcntl
import os
import select
import struct
import threading
from collections.abc import Iterator

from attacca.worker.host import tap
from attacca.worker.host.network import Namespace
from attacca.worker.host.tap import GuestCard
from tests.live.outside import Sandbox

FRAME = 1 << 17


class Guest(Sandbox):
    """At the tap in that namespace; its link has no address yet."""

    def __init__(self, at: Namespace) -> None:
        super().__init__()
        with self.within():
            own = tap.opened()
            fcntl.ioctl(own, tap.SIOCSIFHWADDR, struct.pack("16sH6s8x", tap.NAME.encode(), 1, tap.GUEST_MAC))
            tap.NO_IPV6.write_text("1")
        with at.within():
            other = tap.opened()
        self._card = GuestCard(tap.NAME)
        self._stop, self._told = os.pipe()
        self._taps = own, other
        self._carrier = threading.Thread(target=self._carry, daemon=True)
        self._carrier.start()

    def become(self, address: str) -> str:
        """And what the card says of itself."""
        with self.within():
            self._card.become(address)
        return repr(self._card)

    def close(self) -> None:
        os.write(self._told, b"!")
        self._carrier.join()
        self._card.close()
        for one in (self._stop, self._told, *self._taps):
            os.close(one)
        super().close()

    def _carry(self) -> None:
        own, other = self._taps
        with contextlib.closing(select.epoll()) as ready:
            for one in (own, other, self._stop):
                ready.register(one, select.EPOLLIN)
            while True:
                for descriptor, _ in ready.poll():
                    if descriptor == self._stop:
                        return
                    with contextlib.suppress(BlockingIOError, OSError):  # a link that is down takes no frame
                        os.write(other if descriptor == own else own, os.read(descriptor, FRAME))


@contextlib.contextmanager
def guest(at: Namespace) -> Iterator[Guest]:
    with contextlib.closing(Guest(at)) as one:
        yield one
