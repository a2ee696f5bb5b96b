"""Links over TCP: one side listens, the other dials, and dials again for as long as it wants to be joined."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Sequence

from attacca.io.wire.stream import StreamLink
from attacca.kernel.chance import Chance

Make = Callable[[], StreamLink]  # for one connection
Address = tuple[str, int]

LOG = logging.getLogger("attacca.wire")
MOST = 1024  # connections at once
BACKLOG = 256
HANDSHAKE_S = 5.0
PORT_MOST = 65_535
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
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._joining: dict[asyncio.Task[None], socket.socket] = {}  # handshakes

    def __repr__(self) -> str:
        return f"<Listener port {self.port}: {len(self._links)} of {self._most} connections>"

    async def open(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """
        Raises:
            OSError: this address cannot be listened on.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        listening.setblocking(False)  # noqa: FBT003 - the standard library's
        self.port = listening.getsockname()[1]
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listening, context))

    async def close(self, why: str) -> None:
        """No more of them; those that are there end with what was sent."""
        if self._accepting is not None and self._socket is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
            self._socket.close()
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
                task = loop.create_task(self._join(connection, str(whence[0]), context))
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
            link.refuse(f"{whence} has shown no certificate that is good here: {error}")


class Dialer:
    """One link to the first of several addresses that takes it, made anew when it breaks or did not come about."""

    def __init__(
        self,
        make: Make,
        addresses: Sequence[Address],
        context: ssl.SSLContext | None = None,
        chance: Chance | None = None,
    ) -> None:
        """`chance`: pauses are spread, so that those who lost a peer together do not come back together."""
        self._make = make
        self._addresses = addresses
        self._context = context
        self._chance = chance
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
                await loop.create_connection(lambda: link, host, port, ssl=self._context)
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


class Dialers:
    """Of several peers, each at an address of its own."""

    def __init__(self, make: Make, context: ssl.SSLContext | None = None, chance: Chance | None = None) -> None:
        self._make, self._context, self._chance = make, context, chance
        self._dialers: dict[str, Dialer] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Dialers {len(self._dialers)} peers, {len(self._closing)} closing>"

    def dial(self, peer: str, address: Address) -> None:
        """From now on, in place of where it was before."""
        self.hang_up(peer, "it is somewhere else now")
        dialer = self._dialers[peer] = Dialer(self._make, [address], self._context, self._chance)
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


def parsed(address: str) -> Address | None:
    """HOST:PORT, or [HOST]:PORT; None: it is neither."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > PORT_MOST:
        return None
    if ":" in host and not host.startswith("["):
        return None
    return host.removeprefix("[").removesuffix("]"), int(port)
