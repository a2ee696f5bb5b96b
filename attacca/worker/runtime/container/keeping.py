"""The worker's end of its keeper: orders go to it, and what it tells comes back, on the event loop."""

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from attacca.errors import IsolationMissing
from attacca.worker.host.grace import Grace
from attacca.worker.runtime.container.engine import Word
from attacca.worker.runtime.container.keeper import gvisor
from attacca.worker.runtime.container.keeper.berth import slay, sweep

MAIN = Path(__file__).parent / "keeper" / "main.py"
PACKAGE_ROOT = Path(__file__).parents[4]
PYTHON = os.path.realpath(sys.executable)
ENGINES = ("crun", "runc")  # in the order in which they are tried
PROGRAMS = (*ENGINES, gvisor.NAME)  # that we run ourselves
PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUN = Path("/run")
PREFIX = "attacca-"
START_S, END_S = 20.0, 20.0
LARGEST = 64 * 1024


_told = msgspec.json.Decoder(Word).decode


def engine_of(wanted: str) -> str:
    """Where the engine is.

    Raises:
        IsolationMissing: there is none.
    """
    for name in ENGINES if wanted == "auto" else (wanted,):
        if (path := shutil.which(name, path=PLACES)) is not None:
            return path
    names = " or ".join(ENGINES) if wanted == "auto" else wanted
    hint = "apt-get install crun (or runc)" if wanted in ("auto", *ENGINES) else f"apt-get install {wanted}"
    raise IsolationMissing(f"containers need {names}, which is not here", hint)


class Keeping:
    """`hear` is told what it tells; `lost`, once, that it is gone although nobody closed it."""

    def __init__(self, engine: str, hear: Callable[[Word], None], lost: Callable[[], None]) -> None:
        self.engine, self._hear, self._lost = engine, hear, lost
        self._group = f"{PREFIX}{os.getpid()}-{secrets.token_hex(3)}"
        self._home = str(RUN / self._group)
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._waiting: deque[tuple[bytes, list[int]]] = deque()  # what it could not be told yet
        self._grace = Grace()

    @property
    def name(self) -> str:
        return os.path.basename(self.engine)

    @property
    def makes_networks(self) -> bool:
        return False

    @property
    def can_wait(self) -> bool:
        return True

    def __repr__(self) -> str:
        state = f"{len(self._waiting)} orders wait" if self._orders else "closed"
        return f"<Keeping {self._group} by {self.name}, {state}>"

    async def open(self) -> None:
        """
        Raises:
            IsolationMissing: the kernel, or this user, cannot have one.
        """
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        self._process = subprocess.Popen(  # noqa: ASYNC220 - a fork and an exec, once
            [PYTHON, "-I", "-S", "-X", "utf8", str(MAIN), str(PACKAGE_ROOT), str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            env={"PATH": PLACES, "LANG": "C.UTF-8"},
            start_new_session=True,  # Ctrl-C in the terminal is for us
        )
        theirs.close()
        self._orders = ours
        setting = {"engine": self.engine, "home": self._home, "group": self._group}
        ours.send(msgspec.json.encode(setting))
        try:
            first = _told(await asyncio.wait_for(loop.sock_recv(ours, LARGEST), START_S))
        except (TimeoutError, OSError, msgspec.MsgspecError):
            first = Word(why="it did not begin")
        if first.why:
            await self.close()
            raise IsolationMissing(f"nobody can keep containers here: {first.why}", "run as root")
        loop.add_reader(ours, self._read)

    async def close(self) -> None:
        """When this returns, it is gone with all that it kept."""
        process, self._process = self._process, None
        self._hang_up()
        if process is not None:
            await asyncio.to_thread(process.wait, END_S)

    def start(
        self,
        name: str,
        spec: dict[str, Any],
        lower: str,
        files: dict[str, str],
        fds: list[int],
        *,
        waits: bool = False,
    ) -> None:
        """`fds`: where its output goes, and its network namespace, unless it has the machine's. They stay ours.

        Raises:
            OSError: it cannot be told.
        """
        if self._orders is None:
            raise BrokenPipeError("its keeper is gone")
        self._grace.begin()
        order = {"start": name, "spec": msgspec.json.encode(spec).decode(), "lower": lower, "files": files}
        told = msgspec.json.encode({**order, "waits": waits})
        self._send(told, fds)

    def say(self, do: str, name: str) -> None:
        """Have it `go`, `kill`, `pause`, `resume` it, `look` whether it lives, or open its `root`. Of a keeper that is
        gone, all are dead already."""
        if self._orders is not None:
            with contextlib.suppress(OSError):
                self._send(msgspec.json.encode({"do": do, "name": name}), [])

    def _send(self, told: bytes, fds: list[int]) -> None:
        """In the order in which they come; what the socket does not take yet waits, with descriptors of its own."""
        assert self._orders is not None
        if not self._waiting:
            try:
                socket.send_fds(self._orders, [told], fds)
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._orders, self._flush)
            else:
                return
        self._waiting.append((told, [os.dup(one) for one in fds]))

    def _flush(self) -> None:
        while self._orders is not None and self._waiting:
            told, fds = self._waiting[0]
            try:
                socket.send_fds(self._orders, [told], fds)
            except BlockingIOError:
                return
            except OSError:  # it is gone, and says so by its other end
                break
            self._forget()
        if self._orders is not None:
            asyncio.get_running_loop().remove_writer(self._orders)

    def _forget(self) -> None:
        """The first of those that wait."""
        for one in self._waiting.popleft()[1]:
            os.close(one)

    def _hang_up(self) -> None:
        if self._orders is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._orders)
            loop.remove_writer(self._orders)
            self._orders.close()
            self._orders = None
        while self._waiting:
            self._forget()

    def _read(self) -> None:
        while self._orders is not None:
            try:
                raw, opened, _, _ = socket.recv_fds(self._orders, LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:
                raw, opened = b"", []
            if not raw:
                self._hang_up()
                self._lost()
                return
            told = _told(raw)
            if opened and told.started:
                told = msgspec.structs.replace(told, pid=process_of(opened[0]))
            elif opened:
                told = msgspec.structs.replace(told, descriptor=opened[0])
            self._hear(told)


def process_of(descriptor: int) -> int:
    """As we call it; 0: it is gone, or none. The descriptor is closed."""
    try:
        lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text().splitlines()
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    numbers = [line.removeprefix("Pid:").strip() for line in lines if line.startswith("Pid:")]
    return int(numbers[0]) if numbers and numbers[0].isdecimal() else 0


def is_abandoned(group: str) -> bool:
    """Is that the name of what a worker has made that is no more?"""
    pid = group.removeprefix(PREFIX).partition("-")[0]
    return group.startswith(PREFIX) and pid.isdecimal() and not Path(f"/proc/{pid}").exists()


def clean() -> int:
    """Remove what keepers left behind whose worker no longer runs; of how many."""
    found = 0
    for home in RUN.glob(f"{PREFIX}*-*"):
        if is_abandoned(home.name):
            slay(home.name)
            sweep(home.name, str(home))
            found += 1
    return found
