"""Ilúvatar's agent over its Unix socket: a message is two numbers and bytes, an answer one number and JSON.

The socket lies where only the container sees it, and is reached by a descriptor of the container's root: step by step,
so that no link in there leads anywhere else.
"""

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from attacca.model.invocation import Failed, Ok, Outcome
from attacca.worker.runtime.container.errands import CANCELLED

PLACE: Final = "/iluvatar/sockets"  # of the container's own, and of nobody else's
SOCKET: Final = f"{PLACE}/sock"
HEAD, SIZE = struct.Struct("=QQ"), struct.Struct("=Q")
CHECK, INVOKE = 0, 1
STATUS_MOST = 16_384  # bytes of what it says of itself
SMALLER = "answer less at once, or raise process.max_response_mb of the server"
HINT = "see `attacca logs` for what its agent wrote"
STEP: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def found(root: int) -> int:
    """A descriptor of the socket.

    Raises:
        OSError: it is not there, or is something else.
    """
    *places, name = SOCKET.strip("/").split("/")
    with contextlib.ExitStack() as opened:
        at = root
        for place in places:
            at = os.open(place, STEP | os.O_DIRECTORY, dir_fd=at)
            opened.callback(os.close, at)
        descriptor = os.open(name, STEP, dir_fd=at)
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{SOCKET} is no socket")
    return descriptor


class AgentSocket:
    """Of one container, whose `root` stays open as long as it is used. It takes one message after the other. `doubt`
    and `ended` are as those of `Errands`."""

    def __init__(self, root: int, most: int, doubt: Callable[[], None], ended: Callable[[str, Outcome], None]) -> None:
        self._root, self._most, self._doubt, self._ended = root, most, doubt, ended
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._running: tuple[str, asyncio.Task[None]] | None = None
        self._broken: tuple[str, Failed] | None = None  # what its container's end would explain
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def __repr__(self) -> str:
        state = "connected" if self._streams is not None else "not connected"
        return f"<AgentSocket {state}, {len(self._waiting)} wait>"

    async def status(self) -> bytes:
        """What it says of itself.

        Raises:
            OSError: it is not there, or does not answer.
        """
        return await self._ask(CHECK, b"", STATUS_MOST)

    # orders

    def run(self, invocation: str, event: bytes) -> None:
        self._waiting.append((invocation, event))
        self._next()

    def stop(self, invocation: str) -> None:
        """What it is at cannot be ended; nobody listens to it any more."""
        if self._running is not None and self._running[0] == invocation:
            self._running[1].cancel()
            self._running = None
            self._hang_up()
        elif invocation in [name for name, _ in self._waiting]:
            self._waiting = deque(one for one in self._waiting if one[0] != invocation)
        else:
            return
        self._loop.call_soon(self._ended, invocation, CANCELLED)
        self._loop.call_soon(self._next)

    def alive(self) -> None:
        """Its container is not about to end."""
        if self._broken is not None:
            (name, why), self._broken = self._broken, None
            self._ended(name, why)
            self._next()

    def close(self) -> None:
        self._waiting.clear()
        if self._running is not None:
            self._running[1].cancel()
        self._hang_up()

    # what comes of them

    def _next(self) -> None:
        if self._running is None and self._broken is None and self._waiting:
            name, event = self._waiting.popleft()
            self._running = name, self._loop.create_task(self._run(name, event))

    async def _run(self, name: str, event: bytes) -> None:
        outcome: Outcome
        try:
            outcome = Ok(await self._ask(INVOKE, event, self._most))
        except OverflowError as error:
            outcome = Failed("response_too_large", str(error), SMALLER)
        except OSError as error:
            self._running = None
            self._broken = name, Failed("bad_response", f"its agent did not answer: {error}", HINT)
            self._doubt()
            return
        self._running = None
        self._ended(name, outcome)
        self._next()

    async def _ask(self, command: int, data: bytes, most: int) -> bytes:
        try:
            reader, writer = self._streams = self._streams or await self._connected()
            writer.write(HEAD.pack(command, len(data)) + data)
            await writer.drain()
            [size] = SIZE.unpack(await reader.readexactly(SIZE.size))
            if size > most:
                raise OverflowError(f"its agent answers with {size} bytes, and {most} are the most")
            return await reader.readexactly(size)
        except asyncio.IncompleteReadError:
            self._hang_up()
            raise ConnectionError("it closed its socket") from None
        except BaseException:
            self._hang_up()
            raise

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        descriptor = found(self._root)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(0)
            sock.connect(f"/proc/self/fd/{descriptor}")
            return await asyncio.open_unix_connection(sock=sock)
        except BaseException:
            sock.close()
            raise
        finally:
            os.close(descriptor)

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
