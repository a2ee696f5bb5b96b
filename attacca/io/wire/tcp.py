"""Links over TCP: one side listens, the other dials, and dials again for as long as it wants to be joined."""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from attacca.io.wire.stream import StreamLink

Make = Callable[[], StreamLink]  # for one connection

MOST = 1024  # connections at once
HANDSHAKE_S = 5.0
FIRST_S, LAST_S, FACTOR = 0.05, 5.0, 2.0  # between two attempts


class Listener:
    """`port` is the one that was found when any would do."""

    def __init__(self, make: Make, most: int = MOST) -> None:
        self.port = 0
        self._make = make
        self._most = most
        self._links: set[StreamLink] = set()
        self._server: asyncio.Server | None = None

    def __repr__(self) -> str:
        return f"<Listener port {self.port}: {len(self._links)} of {self._most} connections>"

    async def open(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """
        Raises:
            OSError: this address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        handshake_s = None if context is None else HANDSHAKE_S
        self._server = await loop.create_server(
            self._accept, host, port, ssl=context, ssl_handshake_timeout=handshake_s
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self, why: str) -> None:
        """No more of them; those that are there end with what was sent."""
        if self._server is not None:
            self._server.close()
        links = list(self._links)
        for link in links:
            link.close(why)
        for link in links:
            await link.ended.wait()

    def cut(self) -> None:
        """Break all of them without a word."""
        for link in list(self._links):
            link.cut()

    def _accept(self) -> asyncio.Protocol:
        if len(self._links) >= self._most:
            return _TurnedAway()
        link = self._make()
        link.on_begin, link.on_end = self._links.add, self._links.discard  # who fails to shake hands never begins
        return link


class Dialer:
    """One link to an address, made anew when it breaks or did not come about."""

    def __init__(self, make: Make, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        self._make = make
        self._address = host, port
        self._context = context
        self._link: StreamLink | None = None
        self._task: asyncio.Task[None] | None = None
        self.attempts = 0  # since the last that was successful

    def __repr__(self) -> str:
        return f"<Dialer {self._address[0]}:{self._address[1]}: {self.attempts} attempts, {self._link!r}>"

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
                await asyncio.sleep(min(FIRST_S * FACTOR ** (self.attempts - 1), LAST_S))

    async def _try(self) -> None:
        """Until it has ended."""
        loop, link = asyncio.get_running_loop(), self._make()
        self.attempts += 1
        try:
            await loop.create_connection(lambda: link, *self._address, ssl=self._context)
        except OSError as error:
            link.refuse(f"{self._address[0]}:{self._address[1]} cannot be reached: {error.strerror or error}")
            return
        self._link = link
        await link.ended.wait()
        self._link = None
        if link.was_open:
            self.attempts = 0


class _TurnedAway(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).abort()
