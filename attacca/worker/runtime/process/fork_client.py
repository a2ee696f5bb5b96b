"""The worker's end of a process that others are forked from: orders with descriptors go out by a socket that brings
nothing back; what it says comes by a pipe, in frames."""

import asyncio
import collections
import contextlib
import errno
import math
import os
import socket
from collections.abc import Callable

from attacca.guest import channel as wire
from attacca.guest.link import Link, Room
from attacca.worker.runtime.process.cgroup_slot import CgroupSlot
from attacca.worker.runtime.process.lineage import Lineage
from attacca.worker.runtime.process.pace import Pace
from attacca.worker.runtime.process.quarters import NOWHERE, Birthplace
from attacca.worker.runtime.process.zygote.spawn_spec import BIRTH

LARGEST = 1 << 20  # bytes of a frame
TURN = 8  # frames before everybody else has a turn
PER_S = 4000  # frames; who says more is listened to more slowly
AGAIN_S, AGAIN_TRIES = 0.02, 250  # while the kernel has no room for descriptors on their way
NO_ROOM = {errno.ETOOMANYREFS, errno.ENOMEM, errno.ENOBUFS, errno.EMFILE}

Hear = Callable[[int, int, bytes], None]  # a frame: kind, number, payload


class SpawnOrder:
    """A birth that has not been sent yet."""

    __slots__ = ("descriptors", "failed", "raw", "tries")

    def __init__(self, raw: bytes, descriptors: tuple[int, ...], failed: Callable[[str], None]) -> None:
        self.raw, self.descriptors, self.failed = raw, descriptors, failed
        self.tries = 0

    def __repr__(self) -> str:
        return f"<SpawnOrder {len(self.descriptors)} descriptors, {self.tries} tries>"

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)


class ForkClient:
    """Hands every frame to `hear`, and says once when the other side is gone.

    Descriptors that `order` takes belong to the client: it closes them once they are sent, or cannot be.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        orders: socket.socket,
        reader: int,
        writer: int,
        slot: CgroupSlot,
        hear: Hear,
        gone: Callable[[str], None],
        room: Room | None = None,
    ) -> None:
        """`writer` is the pipe to it, or -1 if it has none."""
        orders.settimeout(0)
        with contextlib.suppress(OSError):
            orders.shutdown(socket.SHUT_RD)  # whoever would send us something cannot
        self.slot, self.lineage = slot, Lineage()
        self._loop, self._orders, self._gone = loop, orders, gone
        self._hear, self._pace = hear, Pace(PER_S, loop.time)
        self._link = Link(loop, reader, writer, LARGEST, self._take, self._lost, lambda _: None, turn=TURN, room=room)
        self._waiting: collections.deque[SpawnOrder] = collections.deque()
        self._again: asyncio.TimerHandle | None = None
        self._is_writing = False
        self.is_open = True
        self.born_at = -math.inf  # when a child of it was last seen, by the loop's clock

    def __repr__(self) -> str:
        return f"<ForkClient {'open' if self.is_open else 'closed'}, {len(self._waiting)} waiting, {self.slot}>"

    def birth(
        self,
        number: int,
        user: int,
        descriptors: tuple[int, ...],
        failed: Callable[[str], None],
        place: Birthplace = NOWHERE,
        doors: tuple[int, ...] = (),
    ) -> None:
        """Order one. `failed` is called, never in this call, when it cannot be sent. `doors` are of the group that it
        is to enter by itself, and the client's like the other descriptors."""
        order = BIRTH.pack(number, user, *place, len(doors))
        self._waiting.append(SpawnOrder(order, (*descriptors, *doors), failed))
        self._write()

    def go(self) -> None:
        """Tell a template that it may begin."""
        self.forget(0)

    def forget(self, home: int) -> None:
        """Tell a zygote that nobody is born there any more."""
        self._waiting.append(SpawnOrder(BIRTH.pack(0, 0, 0, home, 0), (), lambda _: None))
        self._write()

    def tell(self, kind: int, payload: bytes = b"") -> None:
        """A frame by the pipe to it."""
        self._link.send(wire.HEAD.pack(len(payload), kind, 0) + payload)

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if wait_s := self._pace.wait_s(1 + len(payload) / 1024):
            self._link.rest(wait_s)
        self._hear(kind, number, payload)

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            if self._is_writing:
                self._loop.remove_writer(self._orders)
            if self._again is not None:
                self._again.cancel()
            self._orders.close()
            self._link.close()
            self.slot.close()
            while self._waiting:
                self._fail(self._waiting.popleft(), "the process that would fork it is gone")

    def _write(self) -> None:
        while self._waiting and self._again is None and self.is_open:
            order = self._waiting[0]
            try:
                socket.send_fds(self._orders, [order.raw], list(order.descriptors))
            except BlockingIOError:
                self._listen(wanted=True)
                return
            except OSError as error:
                if error.errno not in NO_ROOM:
                    self._lost("it takes no more orders")
                    return
                order.tries += 1
                if order.tries < AGAIN_TRIES:
                    self._again = self._loop.call_later(AGAIN_S, self._try_again)
                    return
                self._fail(self._waiting.popleft(), f"its descriptors cannot be sent: {error.strerror}")
            else:
                self._waiting.popleft().close()
        self._listen(wanted=False)

    def _try_again(self) -> None:
        self._again = None
        self._write()

    def _fail(self, order: SpawnOrder, why: str) -> None:
        order.close()
        self._loop.call_soon(order.failed, why)

    def _listen(self, *, wanted: bool) -> None:
        if wanted != self._is_writing and self.is_open:
            self._is_writing = wanted
            if wanted:
                self._loop.add_writer(self._orders, self._write)
            else:
                self._loop.remove_writer(self._orders)

    def _lost(self, why: str) -> None:
        if self.is_open:
            self.close()
            self._gone(why)
