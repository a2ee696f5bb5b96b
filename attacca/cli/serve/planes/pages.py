"""The listener of a plane that answers no functions: its health, its metrics, and the admin API where it has one."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from attacca.gateway.config import GatewayConfig
from attacca.gateway.driver import Gateway
from attacca.gateway.http.access import Allow
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.listener import serve
from attacca.gateway.http.pages import Shown
from attacca.gateway.http.plane import PlanePages
from attacca.gateway.http.server import HttpServer
from attacca.io.exposition import Form
from attacca.kernel.clock import Clock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.worker import metrics
from attacca.worker.driver import Worker

Part = Callable[[Form], Callable[[], bytes]]


class NodePage:
    """A `Shown`: a worker's own page, wherever it is served, and `more` below it."""

    def __init__(self, worker: Worker, *more: Part) -> None:
        self._worker, self._more = worker, more

    @property
    def is_draining(self) -> bool:
        return self._worker.core.draining

    @property
    def has_all(self) -> bool:
        return True

    def metrics(self, form: Form) -> Callable[[], bytes]:
        telemetry = self._worker.core.instances.telemetry
        own = partial(metrics.render, self._worker.showing.page(), telemetry, form)
        return together([own, *(part(form) for part in self._more)])


class GatewayPage:
    """A `Shown`: a gateway's own page, and `more` below it."""

    def __init__(self, gateway: Shown, *more: Part) -> None:
        self._gateway, self._more = gateway, more

    @property
    def is_draining(self) -> bool:
        return self._gateway.is_draining

    @property
    def has_all(self) -> bool:
        return self._gateway.has_all

    def metrics(self, form: Form) -> Callable[[], bytes]:
        return together([self._gateway.metrics(form), *(part(form) for part in self._more)])


def together(parts: Sequence[Callable[[], bytes]]) -> Callable[[], bytes]:
    return lambda: b"".join(write() for write in parts)


async def listen_for_prometheus(
    worker: Worker, config: GatewayConfig, clock: Clock, allow: Allow, is_uid_shared: Callable[[], bool]
) -> HttpServer | None:
    """At `telemetry.metrics_url`; None: there is none.

    Raises:
        BadConfig: nothing can listen at the address.
    """
    at = worker.config.telemetry.metrics_at()
    if at is None:
        return None
    alone = msgspec.structs.replace(config, host=at[0], port=at[1], share_port=False, public=False, dialects=())
    return (await listen(NodePage(worker), alone, clock, lambda: True, allow, is_uid_shared, str))[0]


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
