"""Containers are made in networks that are there already, which docker has no words for but "the network of that other
container": that other is an usher of ours, whose first process goes into one network after the other.

nobody ──▶ made ──▶ it takes no orders, or cannot go anywhere: docker makes networks itself, then
             ▼
           idle ◀──▶ in a network, while one container is made there
             ▼
           let go: more are idle than are kept, it does not answer, or it is not known whether what was made there is
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from attacca.worker.host import network
from attacca.worker.runtime.container.daemons.usher import CALL, ENTER, LARGEST, LEAVE
from attacca.worker.runtime.container.keeping import PYTHON
from attacca.worker.runtime.process.zygote.rootfs import SYSTEM

PROGRAM = Path(__file__).parent / "usher.py"
THERE, SOCKET = "/usher.py", "/usher"  # in its container
KEPT, LULL_S = 1, 3.0  # of those that are idle, once none has been wanted for so long
COME_S, ANSWER_S = 20.0, 5.0
MEMORY, PROCESSES = 64 << 20, 4
Run = Callable[[str, dict[str, Any]], Awaitable[None]]
End = Callable[[str], Awaitable[None]]


class Usher:
    """`name` is its container's; `line` leads to its first process."""

    def __init__(self, name: str, line: socket.socket) -> None:
        self.name, self._line = name, line

    def __repr__(self) -> str:
        return f"<Usher {self.name}, {'gone' if self._line.fileno() < 0 else 'here'}>"

    async def enter(self, network: int) -> None:
        """
        Raises:
            OSError: it cannot, or is gone.
        """
        await self._order(ENTER, network)

    async def leave(self) -> None:
        """
        Raises:
            OSError: it is gone.
        """
        await self._order(LEAVE)

    async def call(self, pid: int, name: str) -> None:
        """The machine that this process sees is called so from here on; one that is gone is none.

        Raises:
            OSError: it cannot, or is gone.
        """
        with contextlib.suppress(FileNotFoundError):
            space = os.open(f"/proc/{pid}/ns/uts", os.O_RDONLY | os.O_CLOEXEC)
            try:
                await self._order(CALL + name.encode(), space)
            finally:
                os.close(space)

    def close(self) -> None:
        self._line.close()

    async def _order(self, order: bytes, *fds: int) -> None:
        try:
            socket.send_fds(self._line, [order], fds)
            async with asyncio.timeout(ANSWER_S):
                said = await asyncio.get_running_loop().sock_recv(self._line, LARGEST)
        except (OSError, TimeoutError):
            said = b""
        if not said:
            raise BrokenPipeError(f"docker has lost {self.name}, which leads into networks; try again")
        if said != b"\0":
            raise OSError(f"{self.name} cannot go into a network: {said.decode('utf-8', 'replace')}")


class Ushers:
    """`run` has docker run a container of that name, `end` ends one. `home` is a directory for sockets."""

    def __init__(self, group: str, home: str, run: Run, end: End) -> None:
        self._group, self._home, self._run, self._end = group, home, run, end
        self._idle: list[Usher] = []
        self._count = 0
        self._going: set[asyncio.Task[None]] = set()
        self._later: asyncio.TimerHandle | None = None  # until fewer are kept

    def __repr__(self) -> str:
        return f"<Ushers of {self._group}: {len(self._idle)} idle, {self._count} made>"

    async def open(self) -> None:
        """One is there, and has gone into a network.

        Raises:
            OSError: it cannot, or docker runs no such container.
        """
        there = network.made()
        try:
            async with self.within(there):
                pass
        finally:
            os.close(there)

    @contextlib.asynccontextmanager
    async def within(self, network: int) -> AsyncIterator[Usher]:
        """One that is in this network, until then.

        Raises:
            OSError: there can be none.
        """
        usher = await self._entered(network)
        try:
            yield usher
            await usher.leave()
        except BaseException:  # docker may still make what it was told to, where this one is
            self._dismiss(usher)
            raise
        self._idle.append(usher)
        if self._later is not None:
            self._later.cancel()
        self._later = asyncio.get_running_loop().call_later(LULL_S, self._thin)

    def _thin(self) -> None:
        """Nobody has wanted one for a while."""
        for one in self._idle[KEPT:]:
            self._dismiss(one)
        del self._idle[KEPT:]

    async def _entered(self, network: int) -> Usher:
        while self._idle:
            usher = self._idle.pop()
            try:
                await usher.enter(network)
            except OSError:  # docker was restarted, and has ended it
                self._dismiss(usher)
            else:
                return usher
        usher = await self._made()
        try:
            await usher.enter(network)
        except BaseException:
            self._dismiss(usher)
            raise
        return usher

    async def _made(self) -> Usher:
        self._count += 1
        name = f"{self._group}-usher-{self._count}"
        place = f"{self._home}/usher-{self._count}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
            door.settimeout(0)
            door.bind(place)
            door.listen(1)
            try:
                await self._run(name, body(self._group, place))
                async with asyncio.timeout(COME_S):
                    line, _ = await asyncio.get_running_loop().sock_accept(door)
            except BaseException as error:
                self._forget(name)
                if isinstance(error, TimeoutError):
                    raise OSError(f"docker started {name}, which leads into networks, and it did not begin") from None
                raise
            finally:
                os.unlink(place)
        return Usher(name, line)

    def _dismiss(self, usher: Usher) -> None:
        usher.close()
        self._forget(usher.name)

    def _forget(self, name: str) -> None:
        task = asyncio.get_running_loop().create_task(self._forgotten(name))
        self._going.add(task)
        task.add_done_callback(self._going.discard)

    async def _forgotten(self, name: str) -> None:
        with contextlib.suppress(OSError):  # whoever uses docker next has it forgotten
            await self._end(name)

    async def close(self) -> None:
        if self._later is not None:
            self._later.cancel()
        while self._idle:
            self._dismiss(self._idle.pop())
        await asyncio.gather(*self._going)


def body(group: str, socket: str) -> dict[str, Any]:
    """What docker is told of one, but for its image, in which there is nothing: it has the machine's Python, and may go
    into namespaces and nothing else."""
    apart = {one for one in (sys.base_prefix, sys.base_exec_prefix) if not one.startswith(("/usr/", "/lib/"))}
    seen = [one for one in (*SYSTEM, *sorted(apart - {"/usr"})) if os.path.isdir(one)]
    return {
        "Hostname": "usher",
        "Env": ["LANG=C.UTF-8"],
        "Entrypoint": [PYTHON, "-I", "-S", "-X", "utf8", THERE, SOCKET],
        "Cmd": [],
        "WorkingDir": "/",
        "User": "0:0",
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["SYS_ADMIN"],
            "SecurityOpt": ["no-new-privileges", "label=disable"],
            "Memory": MEMORY,
            "PidsLimit": PROCESSES,
            "CgroupParent": f"/{group}",
            "LogConfig": {"Type": "none"},
            "Binds": [f"{PROGRAM}:{THERE}:ro", f"{socket}:{SOCKET}:ro", *(f"{one}:{one}:ro" for one in seen)],
        },
    }
