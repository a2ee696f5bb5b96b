"""Pid 1 of a template's namespaces: minds the template, and prepares the places that sandboxes are forked into.

A template runs a user's code, so it has no right to mount, to make namespaces or to reach others. Whatever a sandbox
needs that takes such a right is done here, ahead of its birth, by a process that never runs a user's code: a *place*
is a set of new namespaces with their own /proc, /tmp, /dev/shm and loopback device, held by a first process of its own.
The template gets the descriptors of those namespaces, enters them, and forks: an ordinary fork, which every library
notices.
"""

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from attacca.worker.runtime.process.guest import channel as wire
from attacca.worker.runtime.process.guest import linux, root
from attacca.worker.runtime.process.guest.breeder import or_last_words
from attacca.worker.runtime.process.guest.orders import Order

KINDS = {
    "pid": linux.CLONE_NEWPID,
    "mnt": linux.CLONE_NEWNS,
    "ipc": linux.CLONE_NEWIPC,
    "uts": linux.CLONE_NEWUTS,
    "net": linux.CLONE_NEWNET,
}
USER = "user"
TEXT = 1024  # bytes of an error
FAR, VERY_FAR = 300, 30_000  # process ids of a template: its sandboxes are 2, so what compares them sees a fork
SANDBOX_PID = 2
LAST_S = 1.0


class Place(NamedTuple):
    """Where the next sandbox will be born, as its template holds it."""

    kinds: tuple[tuple[int, int], ...]  # descriptors of namespaces, and what they are
    user: int  # of the user namespace
    birth: int  # a byte written here says that the sandbox exists

    def close(self) -> None:
        for descriptor in (*(one for one, _ in self.kinds), self.user, self.birth):
            os.close(descriptor)


def fork_far(processes: int) -> int:
    """As os.fork, for a child whose process id none of its sandboxes will have. `processes` is a descriptor of a /proc
    that can be written to."""
    with contextlib.suppress(OSError):  # not every kernel offers it
        descriptor = os.open("sys/kernel/ns_last_pid", os.O_WRONLY, dir_fd=processes)
        try:
            os.write(descriptor, b"%d" % (VERY_FAR - 1))
        finally:
            os.close(descriptor)
    while True:
        pid = os.fork()
        if pid == 0:
            if os.getpid() >= FAR:
                return 0
            os._exit(0)
        if pid >= FAR:
            return pid
        os.waitpid(pid, 0)


def mind(order: Order, worker: wire.Channel, hands: socket.socket, template: int) -> NoReturn:
    """Prepare a place, and one more for each PREPARE, until the template ends. `hands` reaches the template."""

    def bury(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == template:
                    os._exit(_exit_code(found[1]))

    pidfd = os.pidfd_open(template)
    signal.signal(signal.SIGCHLD, bury)
    bury()
    with contextlib.suppress(wire.Closed):
        while True:
            _prepare(order, worker.reader, hands)
            while worker.read()[0] != wire.PREPARE:
                pass
    select.select([pidfd], [], [], LAST_S)  # its end may be why the worker let go, and then is to be told
    bury()
    os._exit(0)


def _exit_code(status: int) -> int:
    """As shells have it: a process that is pid 1 cannot die of a signal of its own."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _prepare(order: Order, worker: int, hands: socket.socket) -> None:
    try:
        pid = linux.clone(sum(flag for kind, flag in KINDS.items() if kind in _kinds(order)))
    except OSError as error:
        hands.send(str(error).encode()[:TEXT])
        return
    if pid == 0:
        os.close(worker)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            reader = _furnish(order, hands)
        except OSError as error:
            with contextlib.suppress(OSError):
                hands.send(str(error).encode()[:TEXT])
            os._exit(1)
        _hold(reader)


def _kinds(order: Order) -> list[str]:
    return [kind for kind in KINDS if kind != "net" or not order["host_network"]]


def _furnish(order: Order, hands: socket.socket) -> int:
    """Make the place, and hand it over. Returns where its birth will be told."""
    writable = root.take_space(order["space_mb"])
    if not order["host_network"]:
        linux.raise_loopback()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    kinds = _kinds(order)
    linux.unshare(linux.CLONE_NEWUSER)  # last: it owns nothing, and is there for counting processes
    root.map_self(root.ID, root.ID, processes=writable)
    descriptors = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in (*kinds, USER)]
    socket.send_fds(hands, [",".join(kinds).encode()], [*descriptors, writer])
    return reader


def _hold(reader: int) -> NoReturn:
    """The first process of the place: its end is the end of everything in it. It ends with the sandbox."""
    linux.prctl(linux.PR_SET_DUMPABLE, 0)  # out of reach of the template's code
    os.closerange(0, reader)
    os.closerange(reader + 1, 1 << 20)
    linux.drop_capabilities()
    if not os.read(reader, 1):
        os._exit(0)  # nobody was born here
    try:
        sandbox = os.pidfd_open(SANDBOX_PID)
    except OSError:
        os._exit(0)
    wake, alarm = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while sandbox not in select.select([sandbox, wake], [], [])[0]:
        os.read(wake, 512)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    os._exit(0)


class Forker:
    """How a template's children come into the world: each into the next place. See `breeder.Forker`."""

    def __init__(self, hands: socket.socket, here: str) -> None:
        """`here` is the working directory, which entering a place loses."""
        self._hands, self._here = hands, here
        self._place: Place | None = None

    def fork(self, user: int) -> int:
        if self._place is None:
            self._move()
        place, self._place = self._place, None
        assert place is not None
        try:
            pid = os.fork()
        except OSError:
            place.close()
            raise
        if pid == 0:
            with or_last_words():
                self._hands.close()
                linux.join(place.user, linux.CLONE_NEWUSER)
                os.write(place.birth, b"!")
        place.close()
        return pid

    def idle(self) -> tuple[int, Callable[[], None]] | None:
        return None if self._place is not None else (self._hands.fileno(), self._move)

    def _move(self) -> None:
        """Enter the next place, which may have to be waited for.

        Raises:
            OSError: none could be made.
        """
        place = _take(self._hands)
        try:
            for descriptor, kind in place.kinds:
                linux.join(descriptor, kind)
            os.chdir(self._here)
        except OSError:
            place.close()
            raise
        self._place = place


def _take(hands: socket.socket) -> Place:
    raw, descriptors, _, _ = socket.recv_fds(hands, TEXT, len(KINDS) + 2)
    kinds = raw.decode("utf-8", "replace").split(",")
    if len(descriptors) != len(kinds) + 2 or not all(kind in KINDS for kind in kinds):
        for descriptor in descriptors:
            os.close(descriptor)
        raise OSError(raw.decode("utf-8", "replace") or "its places are made no more")
    *namespaces, user, birth = descriptors
    return Place(tuple(zip(namespaces, (KINDS[kind] for kind in kinds), strict=True)), user, birth)
