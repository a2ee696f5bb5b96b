"""The gateway's listener: one port for functions, the admin API, health and metrics."""

import asyncio
import socket
from collections.abc import Callable

from attacca.errors import BadConfig
from attacca.gateway.config import GatewayConfig
from attacca.gateway.driver import Gateway
from attacca.gateway.http.access import Allow
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.connection import Connection
from attacca.gateway.http.server import HttpServer

BACKLOG = 1024


async def listen(
    gateway: Gateway,
    config: GatewayConfig,
    admin: AsgiApp | None,
    is_ready: Callable[[], bool],
    allow: Allow | None = None,
) -> asyncio.Server:
    """Serve until the server is closed; connections end with the answers that they wait for.

    `allow` judges the value of an Authorization header. On loopback, and with `public`, /function does without.

    Raises:
        BadConfig: nothing can listen at the address.
    """
    return await serve(HttpServer(gateway, config, admin, is_ready, allow))


async def serve(server: HttpServer, handed: socket.socket | None = None) -> asyncio.Server:
    """Listen for one that was made before; its `end()` and `ended()` see its connections off. `handed` listens already,
    for others too: what they have not accepted is not lost when one of them ends."""
    host, port, shares = server.config.host, server.config.port, server.config.share_port or None
    loop = asyncio.get_running_loop()
    begin: Callable[[HttpServer], asyncio.Protocol] = Connection
    if server.config.http2:
        from attacca.gateway.http.h2c import Greeting

        begin = Greeting
    make: Callable[[], asyncio.Protocol] = lambda: begin(server)  # noqa: E731
    try:
        if handed is not None:
            listening = await loop.create_server(make, sock=handed, backlog=BACKLOG)
        else:
            listening = await loop.create_server(make, host, port, backlog=BACKLOG, reuse_port=shares)
    except (OSError, socket.gaierror) as error:
        raise BadConfig(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            "is another server there? choose another with --port",
        ) from error
    server.open(listening)
    return listening
