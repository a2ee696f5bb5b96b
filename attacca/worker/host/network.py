"""Network namespaces of sandboxes: made ahead of need, and entered for a moment to make a socket in one.

A namespace is held by its descriptor and nothing else: it is gone with its last holder, however that ended.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import math
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
FEW = 0.25  # of those that are kept ready
LULL_S = 0.1  # nobody took one for so long
FIRST_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def home() -> int:
    """A descriptor of the network namespace that we are in.

    Raises:
        OSError: there are too many descriptors.
    """
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def made() -> int:
    """A descriptor of a new one, in which there is nothing yet.

    Raises:
        OSError: the kernel makes none.
    """
    back = home()
    try:
        _checked(_libc.unshare(CLONE_NEWNET), "unshare")
        try:
            return home()
        finally:
            _checked(_libc.setns(back, CLONE_NEWNET), "setns")
    finally:
        os.close(back)


@contextlib.contextmanager
def enter(descriptor: int, back: int) -> Iterator[None]:
    """For this thread, and only for a moment; `back` is where it is now.

    Raises:
        OSError: it cannot be entered.
    """
    _checked(_libc.setns(descriptor, CLONE_NEWNET), "setns")
    try:
        yield
    finally:
        if _libc.setns(back, CLONE_NEWNET) != 0:
            os.abort()  # what we did next would be done in somebody else's network


class Namespace:
    """One of them. `descriptor` is -1 for the machine's own."""

    def __init__(self, descriptor: int, home: int) -> None:
        self.descriptor, self._home = descriptor, home

    def __repr__(self) -> str:
        return f"<Namespace {self.descriptor}>"

    def socket(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """For TCP, or another kind, within it.

        Raises:
            OSError: it cannot be entered, or there are too many descriptors.
        """
        if self.descriptor < 0:
            return socket.socket(socket.AF_INET, kind)
        with self.within():
            return socket.socket(socket.AF_INET, kind)

    def within(self) -> contextlib.AbstractContextManager[None]:
        """For this thread, and only for a moment.

        Raises:
            OSError: it cannot be entered.
        """
        return enter(self.descriptor, self._home)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Networks:
    """`ahead` of them are kept ready; while many are taken one after the other it is a few, since who takes one has to
    work for himself then. They have a loopback interface, and any port may be listened on; `equip` is called in each
    when it is made."""

    def __init__(self, ahead: int, equip: Callable[[], None] = lambda: None) -> None:
        self._ahead, self._equip = ahead, equip
        self._home = -1
        self._ready: deque[Namespace] = deque()
        self._making = 0
        self._maker: ThreadPoolExecutor | None = None
        self._later: asyncio.TimerHandle | None = None  # until more are made

    def __repr__(self) -> str:
        return f"<Networks {len(self._ready)} ready, {self._making} being made>"

    def open(self) -> None:
        self._home = home()
        self._maker = ThreadPoolExecutor(1, "networks")
        self._fill(self._ahead)

    async def close(self) -> None:
        maker, self._maker = self._maker, None
        if self._later is not None:
            self._later.cancel()
        if maker is not None:
            await asyncio.to_thread(maker.shutdown)
        await asyncio.sleep(0)  # what was made last is put down
        while self._ready:
            self._ready.popleft().close()
        if self._home >= 0:
            os.close(self._home)
            self._home = -1

    def machine(self) -> Namespace:
        """The one that everybody else is in."""
        return Namespace(-1, -1)

    def of(self, pid: int) -> Namespace | None:
        """The one that this process is in; None: it is gone."""
        try:
            return Namespace(os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC), self._home)
        except OSError:
            return None

    async def take(self) -> Namespace:
        """One that nobody has used.

        Raises:
            OSError: the kernel makes none.
        """
        assert self._maker is not None
        if self._ready:
            taken = self._ready.popleft()
        else:
            taken = await asyncio.get_running_loop().run_in_executor(self._maker, self._make)
        if self._later is not None:
            self._later.cancel()
        self._fill(math.ceil(self._ahead * FEW))
        self._later = asyncio.get_running_loop().call_later(LULL_S, self._fill, self._ahead)
        return taken

    def _fill(self, wanted: int) -> None:
        loop = asyncio.get_running_loop()
        while self._maker is not None and len(self._ready) + self._making < wanted:
            self._making += 1
            loop.run_in_executor(self._maker, self._make).add_done_callback(self._made)

    def _made(self, made: "asyncio.Future[Namespace]") -> None:
        self._making -= 1
        with contextlib.suppress(OSError, asyncio.CancelledError):  # whoever wants one will hear of it
            self._ready.append(made.result())

    def _make(self) -> Namespace:
        """In a thread of its own, which then comes back."""
        _checked(_libc.unshare(CLONE_NEWNET), "unshare")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
            with open(FIRST_PORT, "w") as file:
                file.write("0")
            self._equip()
            return Namespace(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC), self._home)
        finally:
            _checked(_libc.setns(self._home, CLONE_NEWNET), "setns")
