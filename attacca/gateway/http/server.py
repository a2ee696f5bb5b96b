"""What all connections of one listener share: settings, the coarse clock, and the sweep over slow clients."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from attacca.gateway.async_calls import AsyncCalls
from attacca.gateway.config import GatewayConfig
from attacca.gateway.driver import Gateway
from attacca.gateway.http import response
from attacca.gateway.http.access import Access, Allow
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.async_routes import AsyncRoutes
from attacca.gateway.http.handler import Handler
from attacca.gateway.http.pages import Shown
from attacca.gateway.http.proxies import Proxies
from attacca.gateway.http.reader import Heads
from attacca.gateway.http.room import Rooms
from attacca.gateway.http.routes import Routes

LOOPBACK = "127.0.0.1"
MB = 1024 * 1024
SWEEP_S = 1.0


class Swept(Protocol):
    """A connection, as the sweep sees it."""

    def sweep(self, now: float, *, is_ending: bool) -> None:
        """Close it if its client is too slow, or, when all of this ends, if it is idle."""

    def abandon(self) -> None:
        """Close it now, whatever it waits for."""


class HttpServer:
    """The sweep is one timer for all connections: `now` and `date` are as old as the last sweep, which is enough for
    clients that are slow by seconds, and costs a request nothing."""

    def __init__(
        self,
        gateway: Gateway,
        config: GatewayConfig,
        admin: AsgiApp | None,
        is_ready: Callable[[], bool],
        allow: Allow | None,
        is_uid_shared: Callable[[], bool] = lambda: False,
    ) -> None:
        """`allow` and `is_uid_shared` are for `access.Access`."""
        self.gateway = gateway
        self.config = config
        self.admin = admin
        proxies = Proxies(config.proxies)
        self.access = Access(
            config.host,
            is_public=config.public,
            allow=allow,
            is_uid_shared=is_uid_shared,
            knows_proxies=proxies.knows(LOOPBACK),
        )
        self._routes = Routes(gateway, self.access, proxies, is_ready, lambda: self.admin is not None)
        self.handler: Handler = self._routes
        self.heads = Heads()
        self.rooms = Rooms(config)
        self.connections: dict[Swept, None] = {}
        self.turned_away = 0  # of them: those that were one too many, and are on their way out
        self.is_ending = False  # every answer is the last of its connection
        self.now = gateway.clock.now()
        self.date = b""
        self.prefixes: dict[str, bytes] = {}  # by content type: how a warm answer begins
        self.max_head = config.max_head_kb * 1024
        self.max_body = int(config.max_body_mb * MB)
        self.max_stream = int(config.max_stream_mb * MB)
        self.max_admin = int(config.max_admin_mb * MB)
        shortest_s = min(config.head_timeout_s, config.body_timeout_s, config.idle_timeout_s, config.linger_s)
        self._sweep_s = min(SWEEP_S, shortest_s / 4)
        self._timer: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None
        self._has_ended = asyncio.Event()

    def __repr__(self) -> str:
        return f"<HttpServer {len(self.connections)} connections, {self.turned_away} turned away, {self.heads!r}>"

    def serve_later(self, calls: AsyncCalls) -> None:
        """Calls whose answers are fetched later are taken, and keys of requests minded."""
        self._routes.later = AsyncRoutes(calls, hides_token=self.access.needs_token)

    def show(self, shown: Shown) -> None:
        """More on its pages than the gateway."""
        self._routes.shown = shown

    def prefix(self, content_type: str) -> bytes:
        """How a warm answer of this type begins, until the next sweep.

        Raises:
            BadResponse: the type would break out of its header.
        """
        prefix = response.WARM_PREFIX % (response.content_type(content_type), self.date)
        if len(content_type) <= response.CONTENT_TYPE_LENGTH:
            if len(self.prefixes) >= response.CONTENT_TYPES_KEPT:
                self.prefixes.clear()
            self.prefixes[content_type] = prefix
        return prefix

    def open(self, server: asyncio.Server) -> None:
        self._server = server
        self.gateway.on_drain = self.drain
        self.sweep()

    def sweep(self) -> None:
        """Once in a while, until the listener is closed and its last connection gone."""
        self.now = now = self.gateway.clock.now()
        self.date = formatdate(self.gateway.clock.wall(), usegmt=True).encode()
        self.prefixes.clear()
        for connection in list(self.connections):
            connection.sweep(now, is_ending=self.is_ending)
        if self._is_over():
            self._has_ended.set()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._sweep_s, self.sweep)

    def leave(self, connection: Swept) -> None:
        self.connections.pop(connection, None)
        if self._is_over():
            self._stop()

    def drain(self) -> None:
        """Every answer from now on is the last of its connection; idle connections go with the next sweep."""
        self.is_ending = True

    def end(self) -> None:
        """Accept nothing new, and drain; idle connections go at once."""
        if self._server is not None:
            self._server.close()
        self.drain()
        for connection in list(self.connections):
            connection.sweep(self.now, is_ending=True)
        if self._is_over():
            self._stop()

    async def ended(self, grace_s: float = 0.0) -> None:
        """Until all connections are gone; those that are still there after `grace_s`, and the time in which a client
        reads what it was answered, are dropped."""
        try:
            async with asyncio.timeout(grace_s + self.config.linger_s):
                await self._until_over()
        except TimeoutError:
            for connection in list(self.connections):
                connection.abandon()
            await self._has_ended.wait()

    async def _until_over(self) -> None:
        """One that was accepted before the end is only there a turn of the loop later."""
        while True:
            await self._has_ended.wait()
            await asyncio.sleep(0)
            if self._is_over():
                return
            self._has_ended.clear()

    def _is_over(self) -> bool:
        return self._server is not None and not self._server.is_serving() and not self.connections

    def _stop(self) -> None:
        self._has_ended.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
