"""The listener of a plane that answers no functions: its health, its metrics, and the admin API where it has one."""

from collections.abc import Callable

from attacca.gateway.config import GatewayConfig
from attacca.gateway.driver import Gateway
from attacca.gateway.http.access import Allow
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.listener import serve
from attacca.gateway.http.pages import Shown
from attacca.gateway.http.plane import PlanePages
from attacca.gateway.http.server import HttpServer
from attacca.kernel.clock import Clock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams


async def listen(
    plane: Shown,
    config: GatewayConfig,
    clock: Clock,
    is_ready: Callable[[], bool],
    allow: Allow,
    is_uid_shared: Callable[[], bool],
    functions_at: Callable[[], str],
    admin: AsgiApp | None = None,
) -> tuple[HttpServer, int]:
    """And the port that it has got. The bounds and the sweep are a gateway's, which here has nothing to admit.

    Raises:
        BadConfig: nothing can listen at the address.
    """
    streams = Streams.from_entropy()
    nobody = Gateway(config, clock, Ids(streams.stream("ids")), streams.stream("balancing"), lambda _, __: None)
    http = HttpServer(nobody, config, admin, is_ready, allow, is_uid_shared)
    http.handler = PlanePages(plane, http.access, is_ready, functions_at, has_admin=admin is not None)
    return http, (await serve(http)).sockets[0].getsockname()[1]
