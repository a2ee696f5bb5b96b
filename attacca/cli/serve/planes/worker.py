"""A worker in a process of its own: it joins control, listens for gateways, and runs what they send."""

import contextlib
import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec

from attacca import __version__
from attacca.cli.serve.cluster import address, advertised, certificates, given_key, kept_name, listened, ticket
from attacca.cli.serve.configuration import ServerConfig, default_state_dir
from attacca.cli.serve.lines import teller
from attacca.cli.serve.planes import pages
from attacca.cli.serve.planes.around import Around
from attacca.cli.serve.planes.charting import chart
from attacca.cli.serve.planes.delivering import Deliveries
from attacca.cli.serve.planes.door import CONTROL, ENDS, Once, cannot_listen, keep, url_of
from attacca.cli.serve.planes.led import led
from attacca.cli.serve.planes.metering import Metering
from attacca.gateway.http.server import HttpServer
from attacca.images.store import ImageStore
from attacca.io.exposition import Form
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer, Listener
from attacca.io.wire.types import MB, Hello, Limits
from attacca.kernel.access import admits
from attacca.kernel.clock import Clock, SystemClock
from attacca.kernel.rand import Streams
from attacca.model.endpoints import AskSandboxes
from attacca.model.events import BetweenInstances
from attacca.model.function import ResourceClass
from attacca.model.messages import Access, FromControl, FromWorker, Leads, Supplied, ToControl, ToWorker
from attacca.model.supplies import Piece, Prefetch, SecretChanged, SecretsTold
from attacca.worker.core import view
from attacca.worker.driver import Worker
from attacca.worker.host.accelerators import equipped
from attacca.worker.host.load import Meter
from attacca.worker.host.machine import found
from attacca.worker.host.nat.outside import Nat
from attacca.worker.host.uses import Uses
from attacca.worker.measuring import Measuring
from attacca.worker.runtime.abilities import makers, networks
from attacca.worker.runtime.code_cache import CodeCache
from attacca.worker.runtime.container.making import containers
from attacca.worker.runtime.fetching import Fetching
from attacca.worker.runtime.image_supplies import ImageSupplies
from attacca.worker.runtime.kubernetes.making import pods
from attacca.worker.runtime.looking import watched
from attacca.worker.runtime.microvm.making import micro_vms
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.router import Router, with_events
from attacca.worker.runtime.supplies import Supplies
from attacca.worker.runtime.told_first import ToldFirst
from attacca.worker.runtime.wasm.making import with_modules
from attacca.workflow.resources.making import Classes, made

WORKER = "worker"


class WorkerPlane:
    """A `running.Plane`."""

    def __init__(self, config: ServerConfig, gateway: str = "") -> None:
        """`gateway`: the name of the one in this process."""
        self.config, self._gateway = config, gateway
        self.name = ""
        self.link_address = ""  # where gateways dial it
        self._clock: Clock = SystemClock()
        self._opened_at = self._clock.now()
        self._streams = Streams.from_entropy()
        self._closing = contextlib.AsyncExitStack()
        self._deliveries = Deliveries()
        self._http: HttpServer | None = None
        self._port = config.gateway.port
        self._access = Access((), is_uid_shared=False)
        self._peers: Peers[FromWorker | ToControl] = Peers()

    def __repr__(self) -> str:
        return f"<WorkerPlane {self.name}: {len(self._peers.names())} peers>"

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
        config = self.config
        directory = config.control.state_dir
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = config.cluster.name or kept_name(directory, "worker", self._streams.stream("name"))
        certs = certificates(config.cluster)
        keep(certs, self._closing)
        key = given_key(config.cluster, os.environ, default_state_dir(os.environ))
        limits = Limits(message_bytes=config.wire.message_bytes)
        self._hello = hello = ticket("worker", self.name, key).hello()
        peers = self._peers
        self._make(directory)

        def to_gateway() -> StreamLink:
            return StreamLink(
                peers, hello, ToWorker | BetweenInstances, limits, has_dialed=False, admit=self._once.admit
            )

        listener = await self._listen(to_gateway, None if certs is None else certs.to_listen)
        self._closing.push_async_callback(listener.close, ENDS)
        control = Dialer(
            lambda: StreamLink(peers, hello, Leads | FromControl | Supplied, limits, has_dialed=True),
            [address(one) for one in config.cluster.control],
            None if certs is None else certs.to_dial, self._streams.stream("control"),
        )  # fmt: skip
        to_dial = None if certs is None else certs.to_dial
        around = Around(
            hello, limits, to_dial, self._streams.stream("around"), lambda: self.link_address,
            self.worker.neighbour_joined,
        )  # fmt: skip
        self.worker.around = around
        self._closing.push_async_callback(around.close)
        await self.worker.open()
        self._closing.push_async_callback(control.close, ENDS)  # after the worker, whose last words it carries
        self._closing.push_async_callback(self.worker.close)
        self.metering.open(self._closing)
        self._http, self._port = await pages.listen(
            self, config.gateway, self._clock, lambda: True, self._allow, lambda: self._access.is_uid_shared, str
        )
        await self._listen_for_prometheus()
        chart(config.series, self._clock, self.worker.showing.brief, self._closing, self._deliveries)
        control.open()
        await peers.until(CONTROL)

    async def _listen_for_prometheus(self) -> None:
        def is_shared() -> bool:
            return self._access.is_uid_shared

        page = await pages.listen_for_prometheus(self.worker, self.config.gateway, self._clock, self._allow, is_shared)
        if page is not None:
            self._closing.callback(page.end)

    def _make(self, directory: Path) -> None:
        config, peers = self.config, self._peers
        cache = CodeCache(directory, config.cluster.code_mb * MB)
        images = ImageStore(directory / "images", cache.tmp)
        self._supplies = supplies = Supplies(cache, lambda question: peers.send(CONTROL, question))
        supplies.images = ImageSupplies(images, supplies.download, self._clock.wall)
        nat, memory_mb, of_sandboxes = Nat(config.nat), config.worker.memory_mb, config.of_sandboxes
        self.runtime = ProcessRuntime(
            cache, of_sandboxes, self._clock, memory_mb, supplies.secret, nat=nat, images=images
        )
        uploaded = with_modules(self.runtime, of_sandboxes, self._clock, memory_mb, cache.code, supplies.secret)
        uploaded |= containers(
            self.runtime, images, config.container, of_sandboxes, self._clock, supplies.secret, directory
        )
        uploaded |= micro_vms(
            self.runtime, cache, config.microvm, of_sandboxes, directory, self._clock, supplies.secret
        )
        uploaded |= pods(config.kubernetes, config.process.space_mb, directory, self._clock, supplies.secret)
        supplies.changed = self._say_stock
        self._fetching = Fetching(Router(uploaded), supplies, self._clock, lambda: view.held(self.worker.core))
        resources = made(config.resources, directory / "resources", self._clock)
        told_first = ToldFirst(
            Router({**dict.fromkeys(uploaded, self._fetching), ResourceClass: resources}),
            self._ends_with_us if self._gateway else None,
        )
        of_worker = msgspec.structs.replace(equipped(config.worker), name=self.name)
        self.metering = Metering(config.energy, self._clock, self.runtime.common.processes, memory_mb)
        self.worker = Worker(
            of_worker,
            self.metering.around(watched(of_worker.accelerators, told_first)),
            self._clock,
            self._streams,
            peers.send,
            lambda line: peers.send(CONTROL, line),
            self._load_per_core,
            Measuring(Meter(directory), Uses(self.runtime.common.processes), self.metering.meter),
            teller(),
        )
        self.worker.core.machine = found(
            self.worker.config, directory, Classes(config.resources.classes).names(), with_events(uploaded),
            networks(uploaded, config.process, config.container), makers(uploaded, config.container, config.microvm),
        )  # fmt: skip
        self._once = Once(cast(Peers[object], peers), lambda _: False)
        self._led = led(self._clock, config.gateway.silent_s, peers)
        peers.bind(self._join, self._receiver, self._lose, self.worker.press)

    async def _listen(self, make: Callable[[], StreamLink], context: ssl.SSLContext | None) -> Listener:
        """
        Raises:
            Conflict, BadConfig: there is nothing to listen on.
        """
        host, port = listened(self.config.cluster)
        listener = Listener(make)
        try:
            await listener.open(host, port, context, self.config.cluster.sockets)
        except OSError as error:
            raise cannot_listen(host, port, error, "worker") from None
        self.link_address = advertised(self.config.cluster, host, listener.port)
        return listener

    def _receiver(self, peer: str) -> Callable[[Any], None]:
        hello = self._peers.hellos[peer]
        if hello.plane == WORKER:
            return partial(self.worker.hear_neighbour, peer, hello.instance)
        receive = partial(self.worker.receive, peer)
        return self._hear_control if peer == CONTROL else receive

    def _hear_control(self, message: Leads | FromControl | Supplied) -> None:
        if isinstance(message, Leads):
            self._led.hear(message)
        elif not self._led.is_obeyed:
            return
        elif isinstance(message, Piece | SecretsTold | SecretChanged):
            self._supplies.hear(message)
        elif isinstance(message, Access):
            self._access = message
        elif isinstance(message, Prefetch):
            self._fetching.prefetch(message.revision)
        else:
            self.worker.receive(CONTROL, message)
            if isinstance(message, AskSandboxes):  # by now it knows what is here, and so which secrets may be
                self._supplies.ask_again()

    def _join(self, peer: str) -> None:
        if self._peers.hellos[peer].plane == WORKER:
            return  # it is heard, and told nothing on this link
        if peer == CONTROL:
            self._supplies.forget_secrets()
        self.worker.join(peer, self.link_address)
        if peer == CONTROL:
            self._say_stock()

    def _say_stock(self) -> None:
        if CONTROL in self._peers.names():
            self._peers.send(CONTROL, self._supplies.stock(self.name))

    def _allow(self, authorization: bytes | None) -> bool:
        return admits(self._access.tokens, authorization)

    def _lose(self, peer: str, why: str) -> None:
        if peer == CONTROL:
            self._led.lose()
        self.worker.lose(peer, why)

    def _ends_with_us(self, invocation: str) -> bool:
        core = self.worker.core
        item = core.scheduler.items.get(invocation) or core.orders.items.get(invocation)
        return item is not None and item.peer == self._gateway

    def _load_per_core(self) -> float:
        return os.getloadavg()[0] / self.config.worker.cores

    # What is shown, and the end.

    @property
    def url(self) -> str:
        return url_of(self.config.gateway, self._port)

    @property
    def is_draining(self) -> bool:
        return self.worker.core.draining

    @property
    def has_all(self) -> bool:
        """Control knows of it."""
        return CONTROL in self._peers.names()

    def end(self) -> tuple[Peers[Any], Hello]:
        """Its end of a link within the process, when it is open."""
        return self._peers, self._hello

    def metrics(self, form: Form) -> Callable[[], bytes]:
        return pages.NodePage(self.worker, self._deliveries.metrics).metrics(form)

    def info(self) -> dict[str, Any]:
        worker = self.config.worker
        return {
            "url": self.url,
            "version": __version__,
            "process": os.getpid(),
            "up_s": round(self._clock.now() - self._opened_at, 3),
            "name": self.name,
            "address": self.link_address,
            "isolation": self.config.process.isolation,
            "memory_limits": self.runtime.limits,
            "memory_mb": worker.memory_mb,
            "cores": worker.cores,
            "at": self._clock.wall(),
        }

    async def drain(self) -> None:
        await self.worker.drain(self.config.worker.drain_s)
        if self._http is not None:
            self._http.end()
            await self._http.ended()

    async def close(self) -> None:
        if self._http is not None:
            self._http.end()
        await self._closing.aclose()
