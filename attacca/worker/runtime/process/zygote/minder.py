"""Pid 1 of a template's namespaces: minds the template, and prepares the places that sandboxes are forked into.

A template runs a user's code, so it has no right to mount, to make namespaces or to reach others. Whatever a sandbox
needs that takes such a right is done here, ahead of its birth, by a process that never runs a user's code: a *place*
is a set of new namespaces with their own /proc, /tmp, /dev/shm and loopback device, held by a first process of its own.
The template gets the descriptors of those namespaces, enters them, and forks: an ordinary fork, which every library
notices.
"""

import contextlib
import ctypes
import errno
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from attacca.guest import channel as wire
from attacca.worker.runtime.process.zygote import linux, rootfs, seccomp
from attacca.worker.runtime.process.zygote.forkserver import ready, receive
from attacca.worker.runtime.process.zygote.networks import SpentNetworks
from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

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
SIG_IGN = 1
BIRTH_PIPE = (0, 1)  # of a place's first process: its two ends
MADE, FAILED = 0xFFFF_FFFF, 0xFFFF_FFFE  # what it says to its minder; its maker says its process id
MADE_WORD, FAILED_WORD = (word.to_bytes(4, sys.byteorder) for word in (MADE, FAILED))
QUIET_S = 0.008  # after a birth, before the next place is made: the sandbox has answered by then
AHEAD = 2  # places: one that the template has entered, and the next
LAST_S = 1.0


class PreparedPlace(NamedTuple):
    """Where the next sandbox will be born, as its template holds it."""

    kinds: tuple[tuple[int, int], ...]  # descriptors of namespaces, and what they are
    user: int  # of the user namespace
    birth: int  # a byte written here says that the sandbox exists

    def descriptors(self) -> list[int]:
        return [*(one for one, _ in self.kinds), self.user, self.birth]

    def close(self) -> None:
        for descriptor in self.descriptors():
            os.close(descriptor)

    def entry(self) -> list[linux.Step]:
        """What a child does to be there, once its parent has entered what it can."""
        return [
            (linux.libc.setns, (self.user, linux.CLONE_NEWUSER)),
            (linux.libc.write, (self.birth, b"!", ctypes.c_size_t(1))),
            *((linux.libc.close, (descriptor,)) for descriptor in self.descriptors()),
        ]


def close_all_but(kept: set[int]) -> None:
    for descriptor in set(range(max(kept))) - kept:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    os.closerange(max(kept) + 1, 1 << 20)


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
        for _ in range(pid + 1, FAR):
            use_up_a_process_id()


def use_up_a_process_id() -> None:
    """What has it shares our memory until it finds that there is nothing to run, which is far less work than a fork."""
    with contextlib.suppress(OSError):
        os.posix_spawn("/", ["/"], {})


def mind(worker: wire.Channel, carpenter: "Carpenter", template: int) -> NoReturn:
    """Have a few places prepared, and one more for each PREPARE, until the template ends."""

    def bury(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == template:
                    os._exit(_exit_code(found[1]))

    pidfd = os.pidfd_open(template)
    signal.signal(signal.SIGCHLD, bury)
    bury()
    try:
        for _ in range(AHEAD):
            carpenter.prepare_or_say_why()
        while True:
            while worker.read()[0] != wire.PREPARE:
                pass
            if ready([carpenter.hands.fileno()], QUIET_S):  # somebody waits for it
                carpenter.hands.recv(1)
            carpenter.prepare_or_say_why()
    except wire.Closed:
        pass
    except ConnectionError:  # the template has let go of its end, which a process that ends does before it has ended
        ready([pidfd, worker.reader])
    ready([pidfd], LAST_S)  # its end may be why the worker let go, and then is to be told
    bury()
    os._exit(0)


def _exit_code(status: int) -> int:
    """As shells have it: a process that is pid 1 cannot die of a signal of its own."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class Carpenter:
    """Makes places. Each begins as the minder's own namespaces, which moves on to new ones for the next."""

    def __init__(self, spec: SpawnSpec, hands: socket.socket, processes: int) -> None:
        """`hands` reaches the template; `processes` is a descriptor of a /proc that can be written to."""
        self._spec, self.hands, self._processes = spec, hands, processes
        own = ("mnt", "ipc", "uts") if spec["host_network"] else ("mnt", "ipc", "uts", "net")
        self._own = {kind: KINDS[kind] for kind in own}
        self._networks = SpentNetworks(processes)
        self._can_share = "net" in self._own and not spec["is_plugged"]  # no cable was ever in it
        self._home = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)  # with nothing of any place mounted
        wanted, self._want = os.pipe2(os.O_CLOEXEC)
        self._told, tell = os.pipe2(os.O_CLOEXEC)
        mold = Mold(wanted, tell, sum(self._own.values()))
        if os.fork() == 0:
            close_all_but({wanted, tell, mold.minder})
            mold.live()
        mold.close()

    def descriptors(self) -> set[int]:
        """Once it is there, and before it has made a place."""
        return {self.hands.fileno(), self._processes, self._home, self._want, self._told}

    def prepare_or_say_why(self) -> None:
        try:
            self.prepare()
        except OSError as error:
            self.hands.send(str(error).encode()[:TEXT] or b"?")

    def prepare(self) -> None:
        """Make one, and hand it over.

        Raises:
            OSError: the kernel refused something.
        """
        linux.join(self._home, linux.CLONE_NEWNS)
        is_used = self._can_share and self._networks.enter()
        linux.unshare(sum(kind for name, kind in self._own.items() if not (is_used and name == "net")))
        rootfs.take_room(self._spec["space_mb"])
        if "net" in self._own and not is_used:
            linux.raise_loopback()
        os.write(self._want, b"!")
        pid = self._hear()
        opened: list[int] = []
        try:
            rootfs.map_other(self._processes, pid)
            places = [f"{pid}/ns/pid", *(f"self/ns/{kind}" for kind in self._own), f"{pid}/ns/user"]
            for place in places:  # at /proc there is now what the place sees of it
                opened.append(os.open(place, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._processes))  # noqa: PERF401 - each is to be closed, also if the next fails
            birth = f"{pid}/fd/{BIRTH_PIPE[1]}"
            opened.append(os.open(birth, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._processes))
            os.write(opened[-1], b".")
            if self._can_share:
                self._networks.keep(os.dup(opened[places.index("self/ns/net")]), os.pidfd_open(pid))
            socket.send_fds(self.hands, [",".join(("pid", *self._own)).encode()], opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _hear(self) -> int:
        """The process that holds the new place, once both it and who made it have spoken."""
        told = [int.from_bytes(os.read(self._told, 4), sys.byteorder) for _ in range(2)]
        if FAILED in told or 0 in told:  # the latter when the mold is gone
            raise OSError(errno.EIO, "a place for a sandbox could not be made")
        return next(word for word in told if word != MADE)


class Mold:
    """Whom the first processes of all places are forked from: it does next to nothing in between, so that what they
    share with it stays shared."""

    def __init__(self, wanted: int, tell: int, kinds: int) -> None:
        self.minder = os.pidfd_open(os.getpid())
        self._wanted, self._tell = wanted, tell
        self._inside = Inside(tell, self.minder, kinds)
        self._fork = linux.bare_clone(linux.CLONE_NEWPID)

    def close(self) -> None:
        for descriptor in (self.minder, self._wanted, self._tell):
            os.close(descriptor)

    def live(self) -> NoReturn:
        linux.libc.signal(int(signal.SIGCHLD), ctypes.c_void_p(SIG_IGN))  # for those that it forks, too
        gc.freeze()
        while os.read(self._wanted, 1):
            pid = self._fork()
            if pid == 0:
                self._inside.live()
            os.write(self._tell, (pid if pid > 0 else FAILED).to_bytes(4, sys.byteorder))
            if pid < 0:
                os.write(self._tell, FAILED_WORD)
        os._exit(0)


class Inside:
    """The first process of a place: its end is the end of everything in it, and it ends with the sandbox.

    There is one for each sandbox, and what it writes to is copied; so all that it does is put together before it is
    there, and it runs next to nothing of Python. In a user namespace of its own a template's code could reach it, so
    by then it can do no more than wait.
    """

    def __init__(self, tell: int, minder: int, kinds: int) -> None:
        """`tell` hears that the place is made; `minder` is a pidfd of whose namespaces of these kinds it has."""
        quiet, mode = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC | linux.MS_RDONLY, linux.SECCOMP_MODE_FILTER
        libc, word, (reader, writer) = linux.libc, ctypes.c_size_t(len(MADE_WORD)), BIRTH_PIPE
        self._filter, self._byte = seccomp.Code(seccomp.FOR_HOLDERS), ctypes.create_string_buffer(1)
        self._tell = tell
        self._steps: tuple[linux.Step, ...] = (
            (libc.setns, (minder, kinds)),
            (libc.mount, (b"proc", b"/proc", b"proc", quiet, None)),
            (libc.pipe, ((ctypes.c_int * 2)(),)),  # which becomes BIRTH_PIPE, as 0 and 1 are free
            (libc.prctl, (linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)),
            (libc.prctl, (linux.PR_SET_SECCOMP, mode, self._filter.address, 0, 0)),
            (libc.unshare, (linux.CLONE_NEWUSER,)),  # last: it owns nothing, and is there to count processes
            (libc.write, (tell, MADE_WORD, word)),
            (libc.read, (reader, self._byte, ctypes.c_size_t(1))),
            (libc.close, (writer,)),
        )
        self._read: linux.Step = self._steps[-2]
        self._poll = select.poll()

    def live(self) -> NoReturn:
        for call, words in self._steps:
            if call(*words) == -1:
                os.write(self._tell, FAILED_WORD)
                os._exit(1)
        os.closerange(BIRTH_PIPE[0] + 1, 1 << 20)
        call, words = self._read
        if call(*words) == 1:
            with contextlib.suppress(OSError):  # it has ended already
                self._poll.register(os.pidfd_open(SANDBOX_PID))
                self._poll.poll()
        os._exit(0)


class PlaceForker:
    """How a template's children come into the world: each into the next place. See `forkserver.Forker`.

    Like a `ForkServer`, a child keeps this as it was.
    """

    def __init__(self, hands: socket.socket, here: str) -> None:
        """`here` is the working directory, which entering a place loses."""
        self._hands, self._here = hands, here
        self._next: PreparedPlace | OSError | None = None  # where the next child will be born, or why it will not
        self._entry: tuple[linux.Step, ...] = ()

    def __repr__(self) -> str:
        state = "nowhere" if self._next is None else "in a place" if isinstance(self._next, PreparedPlace) else "stuck"
        return f"<PlaceForker {state}>"

    def fork(self, user: int, network: int, home: int) -> int:
        if self._next is None:
            if not ready([self._hands.fileno()], 0):
                self._hands.send(b"!")
            self._move()
        place, self._next = self._next, None
        if not isinstance(place, PreparedPlace):
            raise place or OSError("nothing was prepared")
        try:
            pid = os.fork()
        except OSError:
            place.close()
            raise
        if pid:
            place.close()
        return pid

    def enter(self) -> None:
        linux.take(self._entry)

    def forget(self, home: int) -> None:
        return None

    def idle(self) -> tuple[int, Callable[[], None]] | None:
        return None if self._next is not None else (self._hands.fileno(), self._move)

    def _move(self) -> None:
        """Enter the next place, which may have to be waited for. What went wrong is for the child that it was for."""
        try:
            place = _take(self._hands)
            try:
                for descriptor, kind in place.kinds:
                    linux.join(descriptor, kind)
                os.chdir(self._here)
            except OSError:
                place.close()
                raise
        except OSError as error:
            self._next = error
        else:
            self._next, self._entry = place, (*place.entry(), (linux.libc.close, (self._hands.fileno(),)))


def _take(hands: socket.socket) -> PreparedPlace:
    raw, descriptors = receive(hands, TEXT, len(KINDS) + 2)
    kinds = raw.decode("utf-8", "replace").split(",")
    if len(descriptors) != len(kinds) + 2 or not all(kind in KINDS for kind in kinds):
        for descriptor in descriptors:
            os.close(descriptor)
        raise OSError(raw.decode("utf-8", "replace") or "its places are made no more")
    *namespaces, user, birth = descriptors
    return PreparedPlace(tuple(zip(namespaces, (KINDS[kind] for kind in kinds), strict=True)), user, birth)
