"""Gateway, control and one worker in one process: the parts are made, joined by links, opened and closed here."""

import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from attacca import __version__
from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.joints import End, Joints
from attacca.cli.serve.lines import teller
from attacca.cli.serve.planes.charting import chart, chart_gateway
from attacca.cli.serve.planes.delivering import Deliveries
from attacca.cli.serve.planes.door import no_token, probe, url_of
from attacca.cli.serve.planes.joining import join
from attacca.cli.serve.planes.metering import Metering
from attacca.cli.serve.planes.orchestrating import made_admin, speak_edgeless, workflows
from attacca.cli.serve.planes.pages import GatewayPage, NodePage, listen_for_prometheus
from attacca.cli.serve.planes.telling import Telling
from attacca.control.deploy.artefacts import Artefacts
from attacca.control.deploy.state import StateDir
from attacca.control.driver import Control
from attacca.control.tenure import Tenure
from attacca.dashboard.showing import show
from attacca.gateway.async_calls import AsyncCalls, new_owner
from attacca.gateway.dialects.speaking import speak
from attacca.gateway.driver import Gateway
from attacca.gateway.http.listener import serve
from attacca.gateway.http.server import HttpServer
from attacca.gateway.invoking import invoke
from attacca.images.store import ImageStore
from attacca.io.journal.opening import open_journal
from attacca.io.logbook import Logbook
from attacca.io.store.opening import is_beside, open_store
from attacca.io.store.types import Store
from attacca.io.wire.peers import Peers
from attacca.io.wire.types import Hello
from attacca.kernel.access import is_loopback
from attacca.kernel.clock import Clock, SystemClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.function import Artefact, ResourceClass
from attacca.model.invocation import Call
from attacca.model.log import LogLine
from attacca.model.machine import Machine
from attacca.model.messages import (
    AskCatalogue,
    Catalogue,
    Deleted,
    Deployed,
    FromControl,
    FromWorker,
    GatewayJoined,
    Logged,
    OfGateway,
    Said,
    ToControl,
    ToGateway,
    ToWorker,
    WorkerJoined,
)
from attacca.model.sandbox import WorkerView
from attacca.model.story import Moment
from attacca.worker.driver import Worker
from attacca.worker.host.accelerators import equipped
from attacca.worker.host.load import Meter
from attacca.worker.host.machine import found
from attacca.worker.host.nat.outside import Nat
from attacca.worker.host.uses import Uses
from attacca.worker.measuring import Measuring
from attacca.worker.runtime.abilities import makers, networks
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.container.making import containers
from attacca.worker.runtime.kubernetes.making import pods
from attacca.worker.runtime.looking import watched
from attacca.worker.runtime.microvm.making import micro_vms
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.router import Router, with_events
from attacca.worker.runtime.types import Runtime
from attacca.worker.runtime.wasm.making import with_modules
from attacca.workflow.resources.making import Classes, made

GATEWAY, CONTROL = "gateway", "control"
LOG = logging.getLogger("attacca.server")
Watch = Callable[[object], None]  # is told of each ended invocation and each change of the catalogue


class Server:
    """Everything of `attacca up`. `open` either succeeds whole or leaves nothing behind."""

    def __init__(self, config: ServerConfig, watch: Watch | None = None, handed: socket.socket | None = None) -> None:
        """`handed`: listens at `config.gateway` already, for whoever comes after us too."""
        self.config = msgspec.structs.replace(config, worker=equipped(config.worker))
        self._handed = handed
        self.restored = 0  # functions found in the state directory
        self._watch = watch
        self._clock: Clock = SystemClock()
        self._opened_at = self._clock.now()
        self._closing = contextlib.AsyncExitStack()
        self._http: HttpServer | None = None
        self._port = config.gateway.port
        self._has_logbook = self._is_ready = False
        self.deliveries = Deliveries()
        self.telling = Telling(config.otlp, self._clock, "server", config.worker.name, self.deliveries)

    def __repr__(self) -> str:
        state = "ready" if self._is_ready else "not ready"
        return f"<Server {state}, port {self._port}, {self.restored} functions restored>"

    async def open(self) -> None:
        """
        Raises:
            AttaccaError: what stands in the way, and what to do about it.
        """
        try:
            await self._open()
        except BaseException:
            await self._closing.aclose()
            raise

    async def _open(self) -> None:
        config, clock = self.config, self._clock
        if self._handed is None:
            probe(config.gateway.host, config.gateway.port)
        state = StateDir(config.control.state_dir)
        state.make()
        if is_beside(config.store):
            state.expect_database()
        self.store = await open_store(config.store, state.database, clock)
        self._closing.push_async_callback(self.store.close)
        self.logbook = Logbook(state.logs, clock, config.logs)
        self._has_logbook = True
        self._closing.push_async_callback(self._close_logbook)
        artefacts = None if is_beside(config.store) else Artefacts(state, config.control.artefact_mb)
        tenure = None if artefacts is None else await Tenure.take(self.store, "attacca up", config.control.lease_s)
        if tenure is not None:
            self._closing.push_async_callback(tenure.close)
        self._make(state, self.store if tenure is None else tenure.store, artefacts)
        await self.control.open()  # takes the lock of the state directory, before a sandbox is made in it
        self._closing.push_async_callback(self.control.close)
        if tenure is not None and artefacts is not None:
            await tenure.begin()
            await artefacts.bring(self.store, self.control.core.changes.catalogue.kept())
        if not is_loopback(config.gateway.host) and not await self.control.tokens.all():
            raise no_token(config.gateway.host, config.control.state_dir)
        await self.worker.open()
        self._closing.push_async_callback(self.joints.close)  # after the worker, whose last words they carry
        self._closing.push_async_callback(self.worker.close)
        self.metering.open(self._closing)
        self._closing.callback(self.control.drain)  # a deployment hears that we end, not that its worker is lost
        self._closing.callback(self.gateway.close)
        await self._open_calls(state)
        await self._join()
        self.telling.open(self._closing, self.gateway, self.control)
        chart(config.series, self._clock, self.worker.showing.brief, self._closing, self.deliveries)
        chart_gateway(config, self._clock, self.gateway, self._closing, self.deliveries)
        await self._listen()
        await speak_edgeless(config.workflows, lambda: self.control, self._closing)
        self._is_ready = True

    def _make(self, state: StateDir, store: Store, artefacts: Artefacts | None) -> None:
        config, clock, streams = self.config, self._clock, Streams.from_entropy()
        self.joints = Joints(config.wire)
        self._of_gateway: Peers[ToWorker | OfGateway] = Peers()
        self._of_control: Peers[Said] = Peers()
        self._of_worker: Peers[FromWorker | ToControl] = Peers()
        tell = teller() if config.log == "json" else None  # for people a line for each invocation says enough

        def secret(name: str) -> bytes:
            return self.control.secrets.value(name)

        self.gateway = Gateway(
            config.gateway,
            clock,
            Ids(streams.stream("invocations")),
            streams.stream("balancing"),
            self._of_gateway.send,
            self._watch,
            lambda message: self._of_gateway.send(CONTROL, message),
            tell=tell,
        )
        self.gateway.invoke_for = partial(invoke, self.gateway, self._of_gateway.send)
        nat, memory_mb, code = Nat(config.nat), config.worker.memory_mb, SharedCode(state.path)
        images, shared = ImageStore(state.images, state.tmp), config.of_sandboxes
        self.runtime = ProcessRuntime(code, shared, clock, memory_mb, secret, nat=nat, images=images)
        uploaded = with_modules(self.runtime, shared, clock, memory_mb, state.code, secret)
        uploaded |= containers(self.runtime, images, config.container, shared, clock, secret, state.path)
        uploaded |= micro_vms(self.runtime, code, config.microvm, shared, state.path, clock, secret)
        uploaded |= pods(config.kubernetes, config.process.space_mb, state.path, clock, secret)
        self.worker = Worker(
            config.worker,
            self._metered(Router({**uploaded, ResourceClass: made(config.resources, state.path / "resources", clock)})),
            clock,
            streams,
            self._of_worker.send,
            lambda line: self._of_worker.send(CONTROL, line),
            self._load_per_core,
            Measuring(Meter(state.path), Uses(self.runtime.common.processes), self.metering.meter),
            tell,
        )
        self.worker.core.machine = self._machine(state, uploaded)
        self.workflows = workflows(
            config.workflows, store, clock, streams.stream("workflows"), self._of_control.send, self.logbook,
            lambda: self.control, config.gateway.silent_s,
        )  # fmt: skip
        join(self.workflows, config, streams, lambda: self.url)
        self.control = Control(
            config.control,
            store,
            clock,
            self._of_control.send,
            self._announce,
            chance=streams.stream("placement"),
            log=self._log,
            silent_s=config.gateway.silent_s,
            is_ordinary_user=os.geteuid() != 0,
            artefacts=artefacts,
            tell=tell,
            beside=self.workflows,
        )

    def _metered(self, runtime: Runtime) -> Runtime:
        """And the meter with it."""
        living, memory_mb = self.runtime.common.processes, self.config.worker.memory_mb
        self.metering = Metering(self.config.energy, self._clock, living, memory_mb)
        return self.metering.around(watched(self.config.worker.accelerators, runtime))

    def _machine(self, state: StateDir, uploaded: Mapping[type[Artefact], Runtime]) -> Machine:
        can, events = networks(uploaded, self.config.process, self.config.container), with_events(uploaded)
        by = makers(uploaded, self.config.container, self.config.microvm)
        return found(self.config.worker, state.path, Classes(self.config.resources.classes).names(), events, can, by)

    async def _join(self) -> None:
        gateway, worker = self.gateway, self.worker
        gateway.more_metrics = self.workflows.metrics
        self._of_gateway.bind(
            self._begin, lambda peer: gateway.hear if peer == CONTROL else gateway.receive, gateway.lose, gateway.press
        )
        self._of_control.bind(lambda _: None, lambda peer: partial(self._hear, peer), self.control.lose)
        self._of_worker.bind(worker.join, lambda peer: partial(worker.receive, peer), worker.lose, worker.press)
        key = os.urandom(16)  # nobody else on this machine has it
        at_gateway = Hello("gateway", GATEWAY, key)
        at_control = Hello("control", CONTROL, key)
        at_worker = Hello("worker", self.config.worker.name, key)
        join = self.joints.join
        await join(End(self._of_control, at_control, ToControl), End(self._of_gateway, at_gateway, ToGateway))
        await join(End(self._of_control, at_control, ToControl), End(self._of_worker, at_worker, FromControl))
        await join(End(self._of_gateway, at_gateway, FromWorker), End(self._of_worker, at_worker, ToWorker))

    def _begin(self, peer: str) -> None:
        if peer == CONTROL:
            self._of_gateway.send(CONTROL, GatewayJoined(GATEWAY))
            self._of_gateway.send(CONTROL, AskCatalogue(0, 0))

    def _hear(self, peer: str, message: ToControl) -> None:
        self.control.receive(peer, message)
        if isinstance(message, WorkerJoined):
            self._tell_short(peer)

    def _tell_short(self, worker: str) -> None:
        """This start may have less memory than the one in which they were deployed."""
        for settings, kept in self.control.core.workers.short(worker, self.control.core.changes.catalogue):
            LOG.warning(
                "%s keeps %d of its %d min_sandboxes: with %d MB each they are more than --memory %d holds beside the "
                "others; start with more, or deploy it again with fewer",
                settings.name, kept, settings.min_sandboxes, settings.memory_mb, self.config.worker.memory_mb,
            )  # fmt: skip

    async def _open_calls(self, state: StateDir) -> None:
        """Before the gateway is closed, so that what is cut off then is not taken for tried."""
        chance = Streams.from_entropy().stream("async")
        journal = await open_journal(self.config.store, state.calls, new_owner(), self._clock)
        self._closing.push_async_callback(journal.close)
        self.journal = journal
        self.calls_later = AsyncCalls(self.gateway, journal, self.config.gateway.async_, self._clock, chance)
        self._closing.push_async_callback(self.calls_later.close)
        self.calls_later.open()
        self.gateway.remembering.open()

    async def _listen(self) -> None:
        config = self.config.gateway
        app = made_admin(self.control, self, config.host)
        http = HttpServer(
            self.gateway, config, app, lambda: self._is_ready, self._allow, lambda: self.control.is_uid_shared
        )
        http.serve_later(self.calls_later)
        http.show(GatewayPage(self.gateway, NodePage(self.worker).metrics, self.deliveries.metrics))
        speak(http)
        show(http, self._allow, self._clock)
        self._port = (await serve(http, self._handed)).sockets[0].getsockname()[1]
        self._http = http
        page = await listen_for_prometheus(
            self.worker, config, self._clock, self._allow, lambda: self.control.is_uid_shared
        )
        if page is not None:
            self._closing.callback(page.end)

    def _announce(self, message: Catalogue | Deployed | Deleted) -> None:
        self.logbook.receive(message)
        if isinstance(message, Catalogue):
            self.restored = len(message.current)
        for peer in (self.config.worker.name, GATEWAY):  # who runs it hears of it before it can be called
            self._of_control.send(peer, message)
        if self._watch is not None:
            self._watch(message)

    def _log(self, line: Logged) -> None:
        self.telling.log(line)
        self.logbook.append(line.function, line.revision, line.sandbox, line.invocation, line.stream, line.text)

    def _load_per_core(self) -> float:
        return os.getloadavg()[0] / self.config.worker.cores

    def _allow(self, authorization: bytes | None) -> bool:
        return self.control.tokens.admits(None if authorization is None else authorization.decode("latin-1"))

    # What the admin API is shown (control.http.authorization.Observe).

    async def workers(self, function: str | None = None) -> list[WorkerView]:
        return await self.control.views.workers(function)

    async def story(self, subject: str) -> list[Moment]:
        return await self.control.views.story(subject)

    async def calls(self, function: str | None, limit: int, call: str = "") -> list[Call]:
        return await self.control.views.calls(function, limit, call)

    def logs(self, function: str, since_s: float | None, follow: bool) -> AsyncIterator[LogLine]:  # noqa: FBT001 - Observe
        return self.logbook.follow(function, since_s) if follow else self.logbook.read(function, since_s)

    def info(self) -> dict[str, Any]:
        worker = self.config.worker
        return {
            "version": __version__,
            "process": os.getpid(),
            "up_s": round(self._clock.now() - self._opened_at, 3),
            "state_dir": str(self.config.control.state_dir),
            "isolation": self.config.process.isolation,
            "memory_limits": self.runtime.limits,
            "memory_mb": worker.memory_mb,
            "cores": worker.cores,
            "policies": {
                "queueing": worker.queueing.policy,
                "concurrency": worker.concurrency.policy,
                "keepalive": worker.keepalive.policy,
            },
            "system": {
                "workers": 1,
                "memory_mb": worker.memory_mb,
                "cores": worker.cores,
                "templates": worker.templates,
                "queueing": msgspec.to_builtins(worker.queueing),
                "concurrency": msgspec.to_builtins(worker.concurrency),
                "keepalive": msgspec.to_builtins(worker.keepalive),
                "scaling": msgspec.to_builtins(self.config.control.scaling),
                "placement": msgspec.to_builtins(self.config.control.placement),
                "silent_s": self.config.gateway.silent_s,
                "attempts": self.config.gateway.attempts,
            },
            "at": self._clock.wall(),
        }

    # The end.

    @property
    def url(self) -> str:
        """Where it listens, with the port that was found when any would do."""
        return url_of(self.config.gateway, self._port)

    async def drain(self) -> None:
        """Take nothing new, refuse what waits, let what runs finish within `worker.drain_s` and its answers out. Where
        whoever comes after us takes what comes now, what waits is not refused either."""
        self._is_ready = False
        if self._handed is not None and self._http is not None:
            self._http.end()
            await self._http.ended(self.config.gateway.drain_s)
        self.calls_later.drain()
        self.gateway.drain()
        if self._http is not None:
            self._http.end()
        await self.worker.drain(self.config.worker.drain_s)
        await self._close_logbook()  # ends those who follow a log, who would never have enough
        if self._http is not None:
            await self._http.ended()

    async def close(self) -> None:
        """Everything ends, what runs too."""
        if self._http is not None:
            self._http.end()
        await self._closing.aclose()

    async def _close_logbook(self) -> None:
        if self._has_logbook:
            self._has_logbook = False
            await self.logbook.close()
