"""A gateway in a process of its own: it hears of functions and workers from control, and dials the workers."""

import asyncio
import contextlib
import logging
import os
import socket
import urllib.parse
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from attacca import __version__
from attacca.cli.serve.cluster import address, calls_file, certificates, fresh_name, given_key, ticket
from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.lines import teller, watcher
from attacca.cli.serve.planes.charting import chart_gateway
from attacca.cli.serve.planes.delivering import Deliveries
from attacca.cli.serve.planes.door import CONTROL, ENDS, keep, probe, told_url, url_of
from attacca.cli.serve.planes.led import led
from attacca.cli.serve.planes.pages import GatewayPage
from attacca.cli.serve.planes.telling import Telling
from attacca.control.deploy.state import StateDir
from attacca.gateway.async_calls import AsyncCalls, new_owner
from attacca.gateway.dialects.speaking import speak
from attacca.gateway.driver import Gateway
from attacca.gateway.elsewhere import Elsewhere
from attacca.gateway.http.listener import serve
from attacca.gateway.http.plane import ToControl
from attacca.gateway.http.server import HttpServer
from attacca.gateway.invoking import invoke
from attacca.gateway.minding import journal_name
from attacca.io.journal.opening import is_shared, open_journal
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink, only
from attacca.io.wire.tcp import Dialer, Dialers, parsed
from attacca.io.wire.types import Hello, Limits
from attacca.kernel.access import is_loopback
from attacca.kernel.clock import Clock, SystemClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.doors import DoorsKnown
from attacca.model.journals import AskAsync, AskCall, CallTold, MindingTold
from attacca.model.messages import (
    AskCatalogue,
    Catalogue,
    FromWorker,
    GatewayJoined,
    Known,
    Leads,
    OfGateway,
    ToGateway,
    ToWorker,
)

LOG = logging.getLogger("attacca.gateway")
LOOK_S = 0.02  # for workers, before anybody is answered


class Own(Protocol):
    """The way to the worker of the same process: control names it as any other, and nobody dials it."""

    @property
    def name(self) -> str: ...
    def dial(self) -> None: ...
    def lose(self) -> None: ...
    def hang_up(self, why: str) -> None: ...


class GatewayPlane:
    """A `running.Plane`. Ready when control has told it the catalogue."""

    def __init__(
        self,
        config: ServerConfig,
        handed: socket.socket | None = None,
        make_own: Callable[[Peers[Any], Hello, Limits], Own] | None = None,
    ) -> None:
        """`handed`: listens at `config.gateway` already. `make_own`: there is a worker in this process."""
        self._streams = Streams.from_entropy()
        self.name = config.cluster.name or fresh_name("gateway", self._streams.stream("name"))
        self.config = config
        self._handed = handed
        self._make_own = make_own
        self._own: Own | None = None
        self._clock: Clock = SystemClock()
        self._opened_at = self._clock.now()
        self._closing = contextlib.AsyncExitStack()
        self._http: HttpServer | None = None
        self._deliveries = Deliveries()
        self._port = config.gateway.port
        self._peers: Peers[ToWorker | OfGateway] = Peers()
        self._has_catalogue = asyncio.Event()

    def __repr__(self) -> str:
        return f"<GatewayPlane {self.name}: {len(self._peers.names())} peers>"

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
        config, streams = self.config, self._streams
        certs = certificates(config.cluster)
        keep(certs, self._closing)
        self._is_secured, to_dial = certs is not None, None if certs is None else certs.to_dial
        key = given_key(config.cluster, os.environ, config.control.state_dir)
        limits = Limits(message_bytes=config.wire.message_bytes)
        hello = ticket("gateway", self.name, key).hello()
        peers = self._peers
        if self._handed is None and not config.gateway.share_port:
            probe(config.gateway.host, config.gateway.port, "gateway")

        def to_worker(worker: str) -> StreamLink:
            return StreamLink(peers, hello, FromWorker, limits, has_dialed=True, admit=only(worker))

        def to_control() -> StreamLink:
            return StreamLink(peers, hello, Leads | ToGateway, limits, has_dialed=True)

        self._workers = Dialers(to_worker, to_dial, streams.stream("dialing"), config.cluster.sockets)
        self.gateway = gateway = Gateway(
            config.gateway,
            self._clock,
            Ids(streams.stream("invocations")),
            streams.stream("balancing"),
            peers.send,
            watcher(),
            self._tell_control,
            self,
            teller(),
        )
        gateway.invoke_for = partial(invoke, gateway, peers.send)
        self._observe(gateway)
        self._led = led(self._clock, config.gateway.silent_s, peers)
        peers.bind(
            self._begin, lambda peer: self._hear_control if peer == CONTROL else gateway.receive, self._lose,
            gateway.press,
        )  # fmt: skip
        self._closing.push_async_callback(self._workers.close, ENDS)
        if self._make_own is not None:
            self._own = own = self._make_own(peers, hello, limits)
            self._closing.callback(own.hang_up, ENDS)
        self._closing.callback(gateway.close)
        await self._open_calls(key)
        http = HttpServer(
            gateway, config.gateway, None, self._is_ready, gateway.admits, lambda: gateway.access.is_uid_shared
        )
        http.serve_later(self.calls_later)
        http.handler = ToControl(http.handler, self._admin_at)
        speak(http)
        if self._handed is None:
            await self._listen(http)
        control = Dialer(
            to_control, [address(one) for one in config.cluster.control], to_dial, streams.stream("control")
        )
        self._closing.push_async_callback(control.close, ENDS)
        control.open()
        await peers.until(CONTROL)
        if self._handed is not None:
            await self._until_equipped()
            await self._listen(http)

    def _observe(self, gateway: Gateway) -> None:
        chart_gateway(self.config, self._clock, gateway, self._closing, self._deliveries, self.name)
        Telling(self.config.otlp, self._clock, "gateway", self.name, self._deliveries).open(self._closing, gateway)

    async def _listen(self, http: HttpServer) -> None:
        http.show(GatewayPage(self.gateway, self._deliveries.metrics))
        self._port = (await serve(http, self._handed)).sockets[0].getsockname()[1]
        self._http = http

    async def _until_equipped(self) -> None:
        """Who calls can wait a moment, or others take them: functions are known, and workers joined, as far as they can
        be reached in the time after which one is lost."""
        await self._has_catalogue.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.gateway.silent_s):
                while not self.gateway.is_equipped:  # noqa: ASYNC110 - links and what comes over them have no one event
                    await asyncio.sleep(LOOK_S)

    async def _open_calls(self, key: bytes) -> None:
        """Gateways of one machine share a file, where the state is not on a server."""
        config, state = self.config, StateDir(self.config.control.state_dir)
        state.make()
        file = calls_file(state, key)
        journal = await open_journal(config.store, file, new_owner(), self._clock)
        self._closing.push_async_callback(journal.close)
        chance = self._streams.stream("async")
        self.calls_later = AsyncCalls(self.gateway, journal, config.gateway.async_, self._clock, chance)
        if not is_shared(config.store):
            self.calls_later.elsewhere = Elsewhere(lambda asked: self._peers.send(CONTROL, asked))
            self.calls_later.mind(journal_name(file), lambda asked: self._peers.send(CONTROL, asked))
        self._closing.push_async_callback(self.calls_later.close)
        self.calls_later.open()
        self.gateway.remembering.open()

    def _begin(self, peer: str) -> None:
        if peer == CONTROL:
            self._peers.send(CONTROL, GatewayJoined(self.name, told_url(self.config, self._port), is_apart=True))
            self._peers.send(CONTROL, AskCatalogue(0, 0))
            if self.calls_later.minding is not None:
                self.calls_later.minding.ask()

    def _hear_control(self, message: Leads | ToGateway) -> None:
        if isinstance(message, Leads):
            self._led.hear(message)
        elif not self._led.is_obeyed:
            return
        elif isinstance(message, CallTold):
            if self.calls_later.elsewhere is not None:
                self.calls_later.elsewhere.hear(message)
        elif isinstance(message, MindingTold):
            if self.calls_later.minding is not None:
                self.calls_later.minding.hear(message)
        elif isinstance(message, AskAsync | AskCall):
            self.calls_later.tell(message, lambda told: self._peers.send(CONTROL, told))
        else:
            self.gateway.hear(message)
            if isinstance(message, Catalogue):
                self._has_catalogue.set()

    def _lose(self, peer: str, why: str) -> None:
        if peer == CONTROL:
            self._led.lose()
        self.gateway.lose(peer, why)
        if self._own is not None and peer == self._own.name:
            self._own.lose()

    def _tell_control(self, message: OfGateway) -> None:
        is_named = isinstance(message, Known | DoorsKnown)
        named = msgspec.structs.replace(message, peer=self.name) if is_named else message
        self._peers.send(CONTROL, named)

    def _admin_at(self) -> str:
        """Where who asks here may be sent; nowhere, where control listens on its own loopback and we do not."""
        url = self.gateway.access.admin_url
        host = urllib.parse.urlsplit(url).hostname
        is_reached = host is not None and (not is_loopback(host) or is_loopback(self.config.gateway.host))
        return url if is_reached else ""

    def _is_ready(self) -> bool:
        return self.gateway.has_catalogue

    # `gateway.driver.Roads`.

    def dial(self, worker: str, where: str) -> None:
        if self._own is not None and worker == self._own.name:
            self._own.dial()
            return
        pair = parsed(where)
        if pair is None or not (self._is_secured or is_loopback(pair[0])):
            LOG.error(
                "worker %s at %s cannot be dialed: without --certs links pass through loopback only", worker, where
            )
        else:
            self._workers.dial(worker, pair)

    def hang_up(self, worker: str) -> None:
        why = "control does not know it any more"
        if self._own is not None and worker == self._own.name:
            self._own.hang_up(why)
        else:
            self._workers.hang_up(worker, why)

    # What is shown, and the end.

    @property
    def url(self) -> str:
        return url_of(self.config.gateway, self._port)

    def info(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "process": os.getpid(),
            "up_s": round(self._clock.now() - self._opened_at, 3),
            "name": self.name,
            "at": self._clock.wall(),
        }

    async def drain(self) -> None:
        """What it has taken is seen to its end, also what still waits; what comes now, others take."""
        if self._http is not None:
            self._http.end()
            await self._http.ended(self.config.gateway.drain_s)
        self.calls_later.drain()
        self.gateway.drain()

    async def close(self) -> None:
        if self._http is not None:
            self._http.end()
        await self._closing.aclose()
