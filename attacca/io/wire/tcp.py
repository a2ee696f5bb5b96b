"""Links over TCP: one side listens, the other dials, and dials again for as long as it wants to be joined.

Planes that share a machine and a directory go by sockets in there: the same bytes, without the kernel's network.
"""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from attacca.io.wire.stream import StreamLink
from attacca.kernel.chance import Chance

Make = Callable[[], StreamLink]  # for one connection
Address = tuple[str, int]

LOG = logging.getLogger("attacca.wire")
MOST = 1024  # connections at once
BACKLOG = 256
HANDSHAKE_S = 5.0
PORT_MOST = 65_535
PATH_MOST = 107  # bytes of a socket's path; where it is longer, links go over TCP
FIRST_S, LAST_S, FACTOR = 0.05, 5.0, 2.0  # between two attempts
LAST_OF_SEVERAL_S = 0.5  # any of them may lead in the next moment
ROUNDS = 16  # beyond, pauses are the longest ones anyway, and powers no numbers any more


class Listener:
    """`port` is the one that was found when any would do."""

    def __init__(self, make: Make, most: int = MOST) -> None:
        self.port = 0
        self._make = make
        self._most = most
        self._links: set[StreamLink] = set()
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._path: Path | None = None  # of the socket for those beside us
        self._joining: dict[asyncio.Task[None], socket.socket] = {}  # handshakes

    def __repr__(self) -> str:
        return f"<Listener port {self.port}: {len(self._links)} of {self._most} connections>"

    async def open(
        self, host: str, port: int, context: ssl.SSLContext | None = None, beside: Path | None = None
    ) -> None:
        """`beside`: a directory of sockets, for those who dial from this machine; not where links pass through TLS.

        Raises:
            OSError: this address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self.port = listening.getsockname()[1]
        self._listen(listening, context)
        path = None if beside is None or context is not None else beside_path(beside, host, self.port)
        if path is not None:
            self._listen_beside(path)

    def _listen(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        listening.setblocking(False)  # noqa: FBT003 - the standard library's
        self._sockets.append(listening)
        self._accepting.append(asyncio.get_running_loop().create_task(self._accept(listening, context)))

    def _listen_beside(self, path: Path) -> None:
        """Where the disk has no sockets, those beside us come over TCP as well."""
        local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)  # of a process that was killed
            local.bind(str(path))
            local.listen(BACKLOG)
        except OSError as error:
            local.close()
            LOG.warning("no socket at %s: %s", path, error.strerror or error)
            return
        self._path = path
        self._listen(local, None)

    async def close(self, why: str) -> None:
        """No more of them; those that are there end with what was sent."""
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        for listening in self._sockets:
            listening.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        for connection in self._joining.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)  # what has come is taken, and nobody is waited for
        await asyncio.gather(*self._joining)
        links = list(self._links)
        for link in links:
            link.close(why)
        for link in links:
            await link.ended.wait()

    def cut(self) -> None:
        """Break all of them without a word."""
        for link in list(self._links):
            link.cut()

    async def _accept(self, listening: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, whence = await loop.sock_accept(listening)
            except OSError as error:  # it has gone already, or there are too many open files
                LOG.warning("a connection was not taken: %s", error.strerror or error)
                await asyncio.sleep(FIRST_S)
                continue
            if len(self._links) + len(self._joining) >= self._most:
                connection.close()
            else:
                task = loop.create_task(self._join(connection, str(whence[0]) if whence else "", context))
                self._joining[task] = connection
                task.add_done_callback(self._joining.pop)

    async def _join(self, connection: socket.socket, whence: str, context: ssl.SSLContext | None) -> None:
        """Who cannot show a certificate that is believed is told nothing, and is in the log with its address."""
        link = self._make()
        link.on_begin, link.on_end = self._links.add, self._links.discard
        handshake_s = None if context is None else HANDSHAKE_S
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: link, connection, ssl=context, ssl_handshake_timeout=handshake_s
            )
        except (OSError, ssl.SSLError) as error:
            connection.close()
            why = str(error) or "it broke off, as who does not believe ours does"
            link.refuse(f"{whence} has shown no certificate that is good here: {why}")


class Dialer:
    """One link to the first of several addresses that takes it, made anew when it breaks or did not come about."""

    def __init__(
        self,
        make: Make,
        addresses: Sequence[Address],
        context: ssl.SSLContext | None = None,
        chance: Chance | None = None,
        beside: Path | None = None,
    ) -> None:
        """`chance`: pauses are spread, so that those who lost a peer together do not come back together. `beside`: the
        directory of sockets of this machine, where there is one."""
        self._make = make
        self._addresses = addresses
        self._context = context
        self._chance = chance
        self._beside = None if context is not None else beside
        self._link: StreamLink | None = None
        self._task: asyncio.Task[None] | None = None
        self._next = 0
        self._instead: Address | None = None  # where a peer that refused has said to go
        self._is_sent_on = False  # the one that is dialed now was named by another
        self.attempts = 0  # since the last that was successful

    def __repr__(self) -> str:
        where = ", ".join(f"{host}:{port}" for host, port in self._addresses)
        return f"<Dialer {where}: {self.attempts} attempts, {self._link!r}>"

    def open(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._dial())

    async def close(self, why: str) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._link is not None:
            self._link.close(why)
            await self._link.ended.wait()

    async def _dial(self) -> None:
        while True:
            await self._try()
            if self.attempts:
                await asyncio.sleep(self._pause_s())

    def _pause_s(self) -> float:
        """None of the addresses is tried twice before all have been tried once."""
        if self._instead is not None and not self._is_sent_on:
            return 0.0
        rounds = min((self.attempts - 1) // len(self._addresses), ROUNDS)
        pause_s = min(FIRST_S * FACTOR**rounds, LAST_S if len(self._addresses) == 1 else LAST_OF_SEVERAL_S)
        return pause_s if self._chance is None else pause_s * (0.5 + self._chance.random())

    async def _try(self) -> None:
        """Until it has ended."""
        loop, link = asyncio.get_running_loop(), self._make()
        host, port = self._instead or self._addresses[self._next]
        self._is_sent_on = self._instead is not None
        self._instead = None
        self.attempts += 1
        try:
            async with asyncio.timeout(HANDSHAKE_S / 2):  # the kernel itself would try for minutes
                if not await self._try_beside(link, host, port):
                    await loop.create_connection(lambda: link, host, port, ssl=self._context)
        except ssl.SSLError as error:
            link.refuse(f"{host}:{port} has shown no certificate that is good here: {error.strerror or error}")
        except OSError as error:
            link.refuse(f"{host}:{port} cannot be reached: {error.strerror or str(error) or 'it does not answer'}")
        else:
            self._link = link
            await link.ended.wait()
            self._link = None
        if link.was_open and not link.is_left:
            self.attempts = 0
        else:
            self._next = (self._next + 1) % len(self._addresses)
            self._instead = parsed(link.instead)

    async def _try_beside(self, link: StreamLink, host: str, port: int) -> bool:
        """Nobody listens at a socket that was left behind."""
        path = None if self._beside is None else beside_path(self._beside, host, port)
        if path is None or not path.exists():
            return False
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: link, str(path))
        except OSError:
            return False
        return True


class Dialers:
    """Of several peers, each at an address of its own. `make` is told whom one is to."""

    def __init__(
        self,
        make: Callable[[str], StreamLink],
        context: ssl.SSLContext | None = None,
        chance: Chance | None = None,
        beside: Path | None = None,
    ) -> None:
        self._make, self._context, self._chance, self._beside = make, context, chance, beside
        self._dialers: dict[str, Dialer] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Dialers {len(self._dialers)} peers, {len(self._closing)} closing>"

    def dial(self, peer: str, address: Address) -> None:
        """From now on, in place of where it was before."""
        self.hang_up(peer, "it is somewhere else now")
        make = partial(self._make, peer)
        dialer = self._dialers[peer] = Dialer(make, [address], self._context, self._chance, self._beside)
        dialer.open()

    def hang_up(self, peer: str, why: str) -> None:
        dialer = self._dialers.pop(peer, None)
        if dialer is not None:
            task = asyncio.get_running_loop().create_task(dialer.close(why))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self, why: str) -> None:
        for peer in list(self._dialers):
            self.hang_up(peer, why)
        await asyncio.gather(*self._closing)


def beside_path(directory: Path, host: str, port: int) -> Path | None:
    """Of the socket beside that address; None: no socket can have such a long one."""
    path = directory / f"{host}:{port}"
    return path if len(os.fsencode(path)) <= PATH_MOST else None


def parsed(address: str) -> Address | None:
    """HOST:PORT, or [HOST]:PORT; None: it is neither."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > PORT_MOST:
        return None
    if ":" in host and not host.startswith("["):
        return None
    return host.removeprefix("[").removesuffix("]"), int(port)
