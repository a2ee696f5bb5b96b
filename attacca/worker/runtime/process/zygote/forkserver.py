"""The loop of a process that others are forked from: takes orders, forks, reports who was born and who has died."""

import contextlib
import ctypes
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from typing import Protocol

from attacca.guest import channel as wire
from attacca.worker.runtime.process.zygote import linux
from attacca.worker.runtime.process.zygote.spawn_spec import BIRTH

DESCRIPTORS, DOORS = 4, 3  # at most with one order
MYSELF = b"0"  # to the kernel, from who enters a cgroup
Reports = Callable[..., None]  # (kind, number, *parts)


class Forker(Protocol):
    """How children come into the world."""

    def fork(self, user: int, network: int, home: int) -> int:
        """As os.fork: 0 in the child. What these mean says `spawn_spec.BIRTH`.

        Raises:
            OSError: there is none.
        """

    def enter(self) -> None:
        """In the child, at once."""

    def forget(self, home: int) -> None:
        """Nobody is born in that home any more."""

    def idle(self) -> tuple[int, Callable[[], None]] | None:
        """What to do while there is nothing else: a descriptor to wait for, and the work when it can be read."""


def ready(descriptors: list[int], patience_s: float | None = None) -> list[int]:
    """Those that can be read, once one can. Not select(), which knows none beyond 1023."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(None if patience_s is None else patience_s * 1e3)]


def receive(sock: socket.socket, size: int, most: int) -> tuple[bytes, list[int]]:
    """A packet, with the descriptors that came with it."""
    raw, extra, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(most * 4))
    return raw, [int(one) for _, _, told in extra for one in memoryview(told).cast("i")]


def enter(descriptors: list[int], doors: int) -> list[int]:
    """Into the cgroup that so many of these, the last ones, are of. Returns the others. Who cannot enter ends."""
    own = len(descriptors) - doors
    for door in descriptors[own:]:
        try:
            os.write(door, MYSELF)
        except OSError:
            os._exit(1)
        os.close(door)
    return descriptors[:own]


class ForkServer:
    """Runs in a zygote and in every template. Orders come by a socket, with the child's descriptors; reports leave by
    a pipe.

    A child has this as it was, and must keep it: it would close what it holds once more.
    """

    def __init__(self, orders: socket.socket, report: Reports, forker: Forker) -> None:
        self._orders, self._report, self._forker = orders, report, forker
        self._children: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<ForkServer {len(self._children)} children>"

    def run(self) -> list[int]:
        """Serve until the worker is gone, which ends the process. In each child this returns its descriptors."""
        is_ignored = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN  # then nobody hears how a child has ended
        if is_ignored:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        before, ended, orders = linux.hold_back(signal.SIGCHLD), linux.hearing(signal.SIGCHLD), self._orders.fileno()
        leave = (
            (linux.libc.sigprocmask, (linux.SIG_SETMASK, ctypes.byref(before), None)),
            (linux.libc.close, (ended,)),
            (linux.libc.close, (orders,)),
        )
        while True:
            idle = self._forker.idle()
            found = ready([orders, ended] if idle is None else [orders, ended, idle[0]])
            if ended in found:
                self._bury(ended)
            if orders in found:
                if (descriptors := self._next()) is not None:
                    linux.take(leave)
                    self._forker.enter()
                    if is_ignored:
                        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
                    return descriptors
            elif idle is not None and idle[0] in found:
                idle[1]()

    def _next(self) -> list[int] | None:
        """Take an order. Returns in the child, if there is one, its descriptors."""
        raw, descriptors = receive(self._orders, BIRTH.size, DESCRIPTORS + DOORS)
        if not raw:
            os._exit(0)
        number, user, network, home, doors = BIRTH.unpack(raw)
        if number == 0:
            self._forker.forget(home)
            return None
        try:
            pid = self._forker.fork(user, network, home)
        except OSError as error:
            self._tell(wire.REFUSED, number, str(error).encode())
        else:
            if pid == 0:
                return enter(descriptors, doors) if doors else descriptors
            self._children[pid] = number
            self._tell(wire.MADE, number, wire.PROCESS.pack(pid))
        for descriptor in descriptors:
            os.close(descriptor)
        return None

    def _tell(self, kind: int, number: int, payload: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # the worker is gone, as the next look at the orders will show
            self._report(kind, number, payload)

    def _bury(self, ended: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(ended, linux.SIGNAL_BYTES)  # those that have come since were one
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if (number := self._children.pop(pid, None)) is not None:
                    self._tell(wire.ENDED, number, wire.STATUS.pack(status))


@contextlib.contextmanager
def last_words() -> Iterator[None]:
    """For what never ends but by ending the process, and never returns into its parent's code: whatever goes wrong is
    written where the worker hears it."""
    try:
        yield
    except BaseException:  # noqa: BLE001 - there is nobody above to handle it
        with contextlib.suppress(OSError):
            os.write(2, f"attacca: this process could not go on:\n{traceback.format_exc()}".encode())
    os._exit(70)
