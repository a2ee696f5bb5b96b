"""The loop of a process that others are forked from: takes orders, forks, reports who was born and who has died."""

import contextlib
import os
import select
import signal
import socket
import traceback
from collections.abc import Iterator
from time import monotonic

from attacca.worker.runtime.process.guest import linux, packets
from attacca.worker.runtime.process.guest.orders import Order

QUIET_S = 0.008  # after a birth, before the next child's network is made: the child has answered by then


class Breeder:
    """Runs in a zygote and in every template. `flags` are the namespaces each child gets.

    A network namespace costs more than all others together. With `lends_network` this process lets each child be born
    in its own, and moves to a new one when it has nothing else to do.
    """

    def __init__(self, control: socket.socket, flags: int, *, isolate: bool, lends_network: bool = False) -> None:
        self.control, self.isolate = control, isolate
        self._flags = flags if isolate else 0
        self._lends_network, self._is_network_lent = lends_network and isolate, False
        self._lent_at = 0.0
        self._children: dict[int, str] = {}
        self._wake, self._alarm = -1, -1

    def run(self) -> tuple[Order, int, int]:
        """Serve until the worker is gone, which ends the process. In each child this returns: its order, its channel
        and its output."""
        self._listen_for_children()
        poller = select.poll()
        poller.register(self.control, select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        while True:
            found = poller.poll(self._patience_ms())
            if not found:
                self._move_network()
            for descriptor, _ in found:
                if descriptor == self._wake:
                    self._bury()
                    continue
                order, descriptors = packets.receive(self.control)
                if order is None:
                    os._exit(0)
                if self._fork(order, descriptors):
                    return order, descriptors[0], descriptors[1]

    def _patience_ms(self) -> float | None:
        if not self._is_network_lent:
            return None
        return max(self._lent_at + QUIET_S - monotonic(), 0.0) * 1e3

    def _listen_for_children(self) -> None:
        self._wake, self._alarm = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._alarm, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _fork(self, order: Order, descriptors: list[int]) -> bool:
        """True in the child."""
        flags = self._flags
        try:
            if self._is_network_lent:
                self._move_network()
            if self.isolate and not order["host_network"] and not self._lends_network:
                flags |= linux.CLONE_NEWNET
            pid, pidfd = linux.clone(flags)
        except OSError as error:
            for descriptor in descriptors:
                os.close(descriptor)
            packets.send(self.control, {"refused": order["id"], "error": str(error)})
            return False
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self._wake)
            os.close(self._alarm)
            self._children.clear()
            return True
        self._children[pid] = order["id"]
        self._is_network_lent, self._lent_at = self._lends_network, monotonic()
        try:
            packets.send(self.control, {"made": order["id"]}, (pidfd,))
        except BrokenPipeError:
            pass
        except OSError as error:  # the kernel's room for descriptors on their way is per user, and others may fill it
            os.kill(pid, signal.SIGKILL)
            packets.send(self.control, {"refused": order["id"], "error": str(error)})
        for descriptor in (*descriptors, pidfd):
            os.close(descriptor)
        return False

    def _move_network(self) -> None:
        linux.unshare(linux.CLONE_NEWNET)
        linux.raise_loopback()
        self._is_network_lent = False

    def _bury(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake, 512):
                pass
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if (name := self._children.pop(pid, None)) is not None:
                    with contextlib.suppress(BrokenPipeError):
                        packets.send(self.control, {"ended": name, "status": status})


@contextlib.contextmanager
def last_words() -> Iterator[None]:
    """A child never returns into its parent's code: whatever goes wrong is written where the worker hears it."""
    try:
        yield
    except BaseException:  # noqa: BLE001 - there is nobody above to handle it
        with contextlib.suppress(OSError):
            os.write(2, f"attacca: this process could not go on:\n{traceback.format_exc()}".encode())
    os._exit(70)
