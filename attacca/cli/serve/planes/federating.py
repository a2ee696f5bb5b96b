"""A federation beside control: what it is made of, and its part of the admin API."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import msgspec

from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.planes.joining import DOMAIN
from attacca.control.beside import Beside
from attacca.control.core.policies import placement
from attacca.control.driver import Control
from attacca.control.http.api import ErrorBody, ErrorLine
from attacca.control.http.app import admin
from attacca.control.http.authorization import Observe, Scope, door
from attacca.errors import NotFound
from attacca.federation import http
from attacca.federation.driver import Federation
from attacca.gateway.http.access import Allow
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.server import HttpServer
from attacca.io.logbook import Logbook
from attacca.io.store.types import Store
from attacca.kernel.access import is_loopback
from attacca.kernel.clock import Clock
from attacca.kernel.rand import Streams
from attacca.workflow.config import WorkflowsConfig

PATHS = ("/api/workflows", "/api/domains", "/api/code", "/api/tokens", "/api/info", "/api/schema")
HINT = "ask a domain, of those that `attacca domain list` shows"


class OfFederation:
    """An `orchestrating.Hosting`."""

    def __repr__(self) -> str:
        return "<OfFederation>"

    def beside(
        self,
        config: ServerConfig,
        store: Store,
        clock: Clock,
        streams: Streams,
        send: Callable[[str, Any], None],
        logbook: Logbook,
        control: Callable[[], Control],
    ) -> Beside:
        chance, silent_s = streams.stream("workflows"), config.federation.silent_s
        return Federation(store, clock, chance, placement(config.workflows.placement), send, silent_s)

    def admin(self, control: Control, observe: Observe, host: str) -> AsgiApp:
        access, beside = door(is_loopback=is_loopback(host)), getattr(control, "beside", None)
        return bounded(cast(AsgiApp, admin(control, observe, access, http.HANDLERS, federation=beside)))

    async def speak(self, config: WorkflowsConfig, control: Callable[[], Control], closing: AsyncExitStack) -> None:
        """Nothing else."""

    def show(self, http: HttpServer, allow: Allow, clock: Clock) -> None:
        """None: they are those of its domains."""

    def unwelcome(self, plane: str) -> str:
        return "" if plane == DOMAIN else "this is a federation, and has domains alone: a plane joins its control"


def bounded(app: AsgiApp) -> AsgiApp:
    """Without what control has of functions, which nothing here could run."""

    async def ask(scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        path = str(scope["path"])
        if any(f"{path}/".startswith(f"{one}/") for one in PATHS):
            await app(scope, receive, send)
            return
        none = NotFound(f"a federation has workflows and domains, and no {path[:80]}", HINT)
        body = msgspec.json.encode(ErrorLine(ErrorBody(code=none.code, message=none.message, hint=none.hint)))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": none.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return ask
