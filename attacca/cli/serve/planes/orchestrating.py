"""Workflows beside control, wherever that is: what they are made of, and their part of the admin API."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from attacca.cli.serve.planes.joining import DOMAIN, join
from attacca.control.beside import Beside
from attacca.control.core.policies import placement
from attacca.control.driver import Control
from attacca.control.http.app import admin
from attacca.control.http.authorization import Observe, door
from attacca.control.http.registry import beside
from attacca.dashboard.showing import show
from attacca.gateway.http.access import Allow
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.server import HttpServer
from attacca.io.logbook import Logbook
from attacca.io.store.types import Store
from attacca.kernel.access import Door, is_loopback
from attacca.kernel.chance import Chance
from attacca.kernel.clock import Clock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.doors import Doors
from attacca.model.events import Faraway, OfInstances
from attacca.model.messages import Cordon, Logged
from attacca.workflow import domain_http, http
from attacca.workflow.config import WorkflowsConfig
from attacca.workflow.dataset import Dataset
from attacca.workflow.dialects.edgeless.nodes.bridge import Bridge, is_guest
from attacca.workflow.dialects.edgeless.nodes.server import NodeServer
from attacca.workflow.dialects.edgeless.server import EdgelessServer
from attacca.workflow.driver import Workflows
from attacca.workflow.mirror.opening import mirrored

if TYPE_CHECKING:
    from attacca.cli.serve.configuration import ServerConfig


def workflows(
    config: WorkflowsConfig,
    store: Store,
    clock: Clock,
    chance: Chance,
    send: Callable[[str, OfInstances | Doors | Faraway], None],
    logbook: Logbook,
    control: Callable[[], Control],
    silent_s: float,
) -> Workflows:
    """`control`: whom it is beside, once that is there. `silent_s`: see `Workflows`."""

    bridge: Bridge | None = None

    async def cordon(node: str, is_on: bool) -> None:  # noqa: FBT001 - as it is told
        if bridge is not None and is_guest(node):
            await bridge.cordon(node, is_on)
        else:
            await control().order(Cordon(node, is_on))

    def tell(worker: str, message: OfInstances | Doors | Faraway) -> None:
        if bridge is not None and is_guest(worker):
            bridge.tell(worker, message)
        else:
            send(worker, message)

    made = Workflows(
        store, clock, chance, placement(config.placement), tell, logbook.keep, config.domain, cordon,
        silent_s,
    )  # fmt: skip
    if config.edgeless_nodes_url:
        bridge = _bridge(made, config.edgeless_nodes_url, clock, logbook, control, store)
        made.attendants.append(bridge)
    if config.mirror.url:
        mirror = mirrored(config.mirror, clock, Ids(chance, "m").next(), made.delegation)
        made.telemetry.sinks.append(mirror.collect)
        made.attendants.append(mirror)
    if config.dataset.path:
        dataset = Dataset(config.dataset, clock, made.delegation.state)
        made.telemetry.sinks.append(dataset.collect)
        made.attendants.append(dataset)
    return made


def _bridge(
    workflows: Workflows, url: str, clock: Clock, logbook: Logbook, control: Callable[[], Control], store: Store
) -> Bridge:
    """To nodes of EDGELESS.

    Raises:
        BadConfig: they could not be heard there.
    """

    def log(line: Logged) -> None:
        logbook.append(line.function, line.revision, line.sandbox, line.invocation, line.stream, line.text)

    server = NodeServer(control, url, clock)
    streams = Streams.from_entropy()
    return Bridge(workflows, clock, streams, lambda: control().state.code, log, server.open, server.close, store)


class Hosting(Protocol):
    """What a control is beside: one domain, or a federation of several."""

    def beside(
        self,
        config: "ServerConfig",
        store: Store,
        clock: Clock,
        streams: Streams,
        send: Callable[[str, Any], None],
        logbook: Logbook,
        control: Callable[[], Control],
    ) -> Beside: ...

    def admin(self, control: Control, observe: Observe, host: str) -> AsgiApp: ...
    async def speak(self, config: WorkflowsConfig, control: Callable[[], Control], closing: AsyncExitStack) -> None: ...
    def show(self, http: HttpServer, allow: Allow, clock: Clock) -> None:
        """Pages for people, where it has any."""

    def unwelcome(self, plane: str) -> str:
        """Why planes of that kind do not join here; empty: they do."""


class OfDomain:
    """A `Hosting`."""

    def __repr__(self) -> str:
        return "<OfDomain>"

    def beside(
        self,
        config: "ServerConfig",
        store: Store,
        clock: Clock,
        streams: Streams,
        send: Callable[[str, Any], None],
        logbook: Logbook,
        control: Callable[[], Control],
    ) -> Beside:
        made = workflows(
            config.workflows, store, clock, streams.stream("workflows"), send, logbook, control,
            config.gateway.silent_s,
        )  # fmt: skip
        join(made, config, streams, lambda: control().url)
        return made

    def admin(self, control: Control, observe: Observe, host: str) -> AsgiApp:
        return made_admin(control, observe, host)

    async def speak(self, config: WorkflowsConfig, control: Callable[[], Control], closing: AsyncExitStack) -> None:
        await speak_edgeless(config, control, closing)

    def show(self, http: HttpServer, allow: Allow, clock: Clock) -> None:
        show(http, allow, clock)

    def unwelcome(self, plane: str) -> str:
        return "this leads one domain, and no other joins it: attacca federation" if plane == DOMAIN else ""


async def speak_edgeless(config: WorkflowsConfig, control: Callable[[], Control], closing: AsyncExitStack) -> None:
    """At `workflows.edgeless_url`, where there is one. `control` raises while another leads.

    Raises:
        BadConfig: it cannot be had.
    """
    if not config.edgeless_url:
        return
    at = urlsplit(config.edgeless_url)
    host = at.hostname or ""
    server = EdgelessServer(control, Door(os.getuid(), is_loopback(host)))
    await server.open(host, at.port or 0)
    closing.push_async_callback(server.close)


def made_admin(control: Control, observe: Observe, host: str) -> AsgiApp:
    """`host`: where it listens."""
    access, workflows = door(is_loopback=is_loopback(host)), getattr(control, "beside", None)
    handlers = [*http.HANDLERS, *domain_http.HANDLERS]
    app = cast(AsgiApp, admin(control, observe, access, handlers, workflows=workflows, logs=observe.logs))
    return beside(app, control, access)
