"""The loop of a process that others are forked from: takes orders, forks, reports who was born and who has died."""

import contextlib
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from attacca.guest import channel as wire
from attacca.worker.runtime.process.zygote.spawn_spec import BIRTH

DESCRIPTORS = 4  # at most with one order
Reports = Callable[..., None]  # (kind, number, *parts)


class Forker(Protocol):
    """How children come into the world."""

    def fork(self, user: int) -> int:
        """As os.fork: 0 in the child.

        Raises:
            OSError: there is none.
        """

    def idle(self) -> tuple[int, Callable[[], None]] | None:
        """What to do while there is nothing else: a descriptor to wait for, and the work when it can be read."""


def ready(descriptors: list[int], patience_s: float | None = None) -> list[int]:
    """Those that can be read, once one can. Not select(), which knows none beyond 1023."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(None if patience_s is None else patience_s * 1e3)]


class ForkServer:
    """Runs in a zygote and in every template. Orders come by a socket, with the child's descriptors; reports leave by
    a pipe."""

    def __init__(self, orders: socket.socket, report: Reports, forker: Forker) -> None:
        self._orders, self._report, self._forker = orders, report, forker
        self._children: dict[int, int] = {}
        self._wake, self._alarm = -1, -1
        self._before: tuple[int, Any] = (-1, signal.SIG_DFL)  # what the code itself does about signals

    def __repr__(self) -> str:
        return f"<ForkServer {len(self._children)} children>"

    def run(self) -> list[int]:
        """Serve until the worker is gone, which ends the process. In each child this returns its descriptors."""
        self._wake, self._alarm = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        wakes = signal.set_wakeup_fd(self._alarm, warn_on_full_buffer=False)
        self._before = wakes, signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            idle = self._forker.idle()
            waiting = [self._orders.fileno(), self._wake]
            found = ready(waiting if idle is None else [*waiting, idle[0]])
            if self._wake in found:
                self._bury()
            if waiting[0] in found:
                if (descriptors := self._next()) is not None:
                    return descriptors
            elif idle is not None and idle[0] in found:
                idle[1]()

    def _next(self) -> list[int] | None:
        """Take an order. Returns in the child, if there is one, its descriptors."""
        raw, descriptors, _, _ = socket.recv_fds(self._orders, BIRTH.size, DESCRIPTORS)
        if not raw:
            os._exit(0)
        number, user = BIRTH.unpack(raw)
        try:
            pid = self._forker.fork(user)
        except OSError as error:
            self._tell(wire.REFUSED, number, str(error).encode())
        else:
            if pid == 0:
                signal.set_wakeup_fd(self._before[0])
                signal.signal(signal.SIGCHLD, self._before[1])
                os.close(self._wake)
                os.close(self._alarm)
                self._orders.close()
                self._children.clear()
                return descriptors
            self._children[pid] = number
            self._tell(wire.MADE, number, wire.PROCESS.pack(pid))
        for descriptor in descriptors:
            os.close(descriptor)
        return None

    def _tell(self, kind: int, number: int, payload: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # the worker is gone, as the next look at the orders will show
            self._report(kind, number, payload)

    def _bury(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake, 512):
                pass
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if (number := self._children.pop(pid, None)) is not None:
                    self._tell(wire.ENDED, number, wire.STATUS.pack(status))


@contextlib.contextmanager
def or_last_words() -> Iterator[None]:
    """A child never returns into its parent's code: whatever goes wrong is written where the worker hears it."""
    try:
        yield
    except BaseException:  # noqa: BLE001 - there is nobody above to handle it
        with contextlib.suppress(OSError):
            os.write(2, f"attacca: this process could not go on:\n{traceback.format_exc()}".encode())
        os._exit(70)


@contextlib.contextmanager
def last_words() -> Iterator[None]:
    """The same for what never ends but by ending the process."""
    with or_last_words():
        yield
    os._exit(70)
