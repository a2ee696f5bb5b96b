"""Control in a process of its own: the catalogue, the admin API on a listener of its own, and links to all others.

Where the state lies in a store that several of them share, one leads; the others refuse links, and send on who asks.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, cast

import msgspec

from attacca import __version__
from attacca.cli.serve.cluster import advertised, certificates, leave_key, listened, ticket
from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.lines import teller
from attacca.cli.serve.planes.door import CONTROL, ENDS, Once, cannot_listen, keep, no_token, probe, told_url, url_of
from attacca.cli.serve.planes.orchestrating import Hosting, OfDomain
from attacca.cli.serve.planes.own import own
from attacca.control import metrics
from attacca.control.async_calls import Gathered
from attacca.control.deploy.artefacts import Artefacts
from attacca.control.deploy.state import StateDir
from attacca.control.driver import Control
from attacca.control.leadership import Leader, Leadership
from attacca.control.packing import packing
from attacca.control.secrets import Secrets
from attacca.control.tokens import Tokens
from attacca.errors import AttaccaError, NotLeading
from attacca.gateway.async_calls import new_owner
from attacca.gateway.driver import Gateway
from attacca.gateway.http.asgi_adapter import AsgiApp, Receive, Scope, Send
from attacca.gateway.http.listener import serve
from attacca.gateway.http.plane import PlanePages, ToLeader
from attacca.gateway.http.server import HttpServer
from attacca.io.certificates import Certificates
from attacca.io.exposition import Form
from attacca.io.haproxy import Balancer
from attacca.io.journal.opening import is_shared, open_journal
from attacca.io.logbook import Logbook
from attacca.io.store.opening import is_beside, open_store
from attacca.io.store.types import Store
from attacca.io.vault.sealed import SealedVault
from attacca.io.wire.frames import Goodbye
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Listener
from attacca.io.wire.types import Hello, Limits
from attacca.kernel.access import is_loopback
from attacca.kernel.clock import Clock, SystemClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.invocation import Call
from attacca.model.log import LogLine
from attacca.model.messages import Catalogue, Deleted, Deployed, Leads, Logged, Said, ToControl
from attacca.model.sandbox import WorkerView
from attacca.model.story import Moment

LOG = logging.getLogger("attacca.control")
SAID = 6  # times that it says that it leads, in the time after which it is not believed any more


class ControlPlane:
    """A `running.Plane`, and what its admin API is shown of the others."""

    def __init__(self, config: ServerConfig, hosting: Hosting | None = None) -> None:
        self.config, self._hosting = config, hosting or OfDomain()
        self.link_address, self.restored = "", 0  # where others join; how many functions
        self._clock: Clock = SystemClock()
        self._streams = Streams.from_entropy()
        self._opened_at = self._clock.now()
        self._closing = contextlib.AsyncExitStack()
        self._http: HttpServer | None = None
        self._port = config.gateway.port
        self._is_ready = self._is_draining = False
        self._logbook: Logbook | None = None
        self._peers: Peers[Said] = Peers()
        self._control: Control | None = None  # while it leads
        self._next: Control | None = None  # that is opened, and does not lead yet
        self._admin: AsgiApp | None = None
        self._leadership: Leadership | None = None  # None: there is no other
        self._artefacts: Artefacts | None = None
        self._ending: asyncio.Task[None] | None = None  # of the one that led before
        self._saying: asyncio.TimerHandle | None = None
        self._knows_leader = asyncio.Event()
        self._term = 0

    def __repr__(self) -> str:
        return f"<ControlPlane {self.link_address}: {len(self._peers.names())} peers>"

    @property
    def control(self) -> Control:
        """
        Raises:
            NotLeading: another does.
        """
        if self._control is None:
            raise self._not_leading()
        return self._control

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
        config, (host, port) = self.config, listened(self.config.cluster)
        certs = certificates(msgspec.structs.replace(config.cluster, control=()))
        probe(config.gateway.host, config.gateway.port, CONTROL)
        state = StateDir(config.control.state_dir)
        state.make()
        if is_beside(config.store):
            state.expect_database()
        store = await open_store(config.store, state.database, self._clock)
        self._closing.push_async_callback(store.close)
        self._logbook = Logbook(state.logs, self._clock, config.logs)
        self._closing.push_async_callback(self._close_logbook)
        journal = await open_journal(config.store, state.calls, new_owner(), self._clock)
        self._closing.push_async_callback(journal.close)
        self.journal = journal if is_shared(config.store) else Gathered(journal, lambda: self._control)
        tokens = Tokens(store, self._clock)
        if is_beside(config.store):
            self._closing.push_async_callback(self._end_control)
            term = await self._open_control(store)
        if not is_loopback(config.gateway.host) and not await tokens.all():
            raise no_token(config.gateway.host, config.control.state_dir)
        key = leave_key(state.path, await tokens.join())
        await self._listen_for_people()
        await self._listen_for_planes(host, port, key, certs)
        if is_beside(config.store):
            self._lead(term)
        else:
            await self._compete(store, state)
        await self._hosting.speak(config.workflows, lambda: self.control, self._closing)
        self._balance()
        self._is_ready = True

    def _balance(self) -> None:
        cluster = self.config.cluster
        if cluster.haproxy is not None:
            balancer = Balancer(cluster.haproxy, cluster.haproxy_backend, self._gateways)
            task = asyncio.get_running_loop().create_task(balancer.keep())
            self._closing.push_async_callback(_cancelled, task)

    def _gateways(self) -> dict[str, str] | None:
        """Those there are, where it leads; whoever follows does not know."""
        if self._control is None:
            return None
        return {gateway.name: gateway.url for gateway in self._control.core.gateways.by_name.values()}

    # Who leads.

    async def _compete(self, store: Store, state: StateDir) -> None:
        """Until it leads, or knows who does."""
        config = self.config
        # The first takes its time, which there is not when it is to lead.
        self._hosting.admin(cast(Control, None), self, config.gateway.host)
        secrets = Secrets(store, SealedVault(config.control.secret_key_file or state.secret_key), self._clock)
        await secrets.open()
        secrets.tell_sealed()
        self._artefacts = Artefacts(state, config.control.artefact_mb)
        mirror = asyncio.get_running_loop().create_task(self._artefacts.mirror(store))
        self._closing.push_async_callback(_cancelled, mirror)
        self._closing.push_async_callback(self._end_control)
        me = Leader(config.cluster.name or self.link_address, self.link_address, told_url(config, self._port))
        self._leadership = Leadership(
            store, self._clock, me, config.control.lease_s, self._open_control, self._lead, self._step_down,
            self._knows_leader.set,
        )  # fmt: skip
        self._closing.push_async_callback(self._leadership.close)
        self._leadership.open()
        await self._knows_leader.wait()

    async def _open_control(self, store: Store) -> int:
        """The term that begins with it."""
        if self._ending is not None:
            await asyncio.shield(self._ending)  # the state directory is one's at a time
        config = self.config
        logbook, send = cast(Logbook, self._logbook), self._peers.send
        beside = self._hosting.beside(config, store, self._clock, self._streams, send, logbook, lambda: control)
        control = Control(
            config.control, store, self._clock, packing(self._peers.send), self._announce, beside=beside,
            chance=self._streams.stream("placement"), log=self._log, tell=teller(),
            silent_s=config.gateway.silent_s, is_ordinary_user=os.geteuid() != 0, artefacts=self._artefacts,
        )  # fmt: skip
        await control.open()
        self._next = control
        return control.core.changes.catalogue.epoch

    def _lead(self, term: int) -> None:
        assert self._next is not None
        self._control, self._next = self._next, None
        self._control.url = told_url(self.config, self._port)
        self._admin = self._hosting.admin(self._control, self, self.config.gateway.host)
        self._term = term
        self._say_leads()

    def _step_down(self, why: str) -> None:
        """Nobody is told anything more, from this moment on."""
        for peer in self._peers.names():
            self._peers.end(peer, f"it does not lead any more: {why}")
        if self._saying is not None:
            self._saying.cancel()
        before, self._control, self._next, self._admin = self._control or self._next, None, None, None
        if before is not None:
            before.drain(self._not_leading())
            self._ending = asyncio.get_running_loop().create_task(before.close())

    def _say_leads(self) -> None:
        for peer in self._peers.names():
            self._peers.send(peer, Leads(self._term))
        loop = asyncio.get_running_loop()
        self._saying = loop.call_later(self.config.gateway.silent_s / SAID, self._say_leads)

    def _not_leading(self) -> NotLeading:
        if self._leadership is None:
            return NotLeading("this control has not begun yet", "try again in a few seconds")
        return self._leadership.refusal()

    async def _end_control(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
        if self._ending is not None:
            await self._ending
        for control in (self._control, self._next):
            if control is not None:
                await control.close()

    # Where others come.

    async def _listen_for_planes(self, host: str, port: int, key: bytes, certs: Certificates | None) -> None:
        """
        Raises:
            Conflict, BadConfig: there is nothing to listen on.
        """
        peers = self._peers
        peers.bind(lambda peer: peers.send(peer, Leads(self._term)), self._receiver, self._lose)
        hello = ticket(CONTROL, CONTROL, key).hello()
        once = Once(cast(Peers[object], peers), self._is_silent)
        limits = Limits(message_bytes=self.config.wire.message_bytes)

        def admit(peer: Hello) -> Goodbye | None:
            if self._control is None:
                refusal = self._not_leading()
                return Goodbye(refusal.message, refusal.links)
            unwelcome = self._hosting.unwelcome(peer.plane)
            return Goodbye(unwelcome) if unwelcome else once.admit(peer)

        def make() -> StreamLink:
            return StreamLink(peers, hello, ToControl, limits, has_dialed=False, admit=admit)

        listener = Listener(make)
        try:
            await listener.open(host, port, None if certs is None else certs.to_listen)
        except OSError as error:
            raise cannot_listen(host, port, error, CONTROL) from None
        self._closing.push_async_callback(listener.close, ENDS)
        keep(certs, self._closing)
        self._closing.callback(self._drain_control)
        self.link_address = advertised(self.config.cluster, host, listener.port)

    async def _listen_for_people(self) -> None:
        config, clock, streams = self.config.gateway, self._clock, self._streams
        nobody = Gateway(config, clock, Ids(streams.stream("ids")), streams.stream("balancing"), lambda _, __: None)
        http = HttpServer(nobody, config, self._ask, lambda: self._is_ready, self._allow, self._is_uid_shared)
        http.handler = PlanePages(self, http.access, lambda: self._is_ready, self._functions_at, has_admin=True)
        self._hosting.show(http, self._allow, self._clock)
        http.handler = ToLeader(http.handler, lambda: None if self._control is not None else self._not_leading())
        self._port = (await serve(http)).sockets[0].getsockname()[1]
        self._http = http

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Raises:
            NotLeading: since it was asked.
        """
        if self._admin is None:
            raise self._not_leading()
        await self._admin(scope, receive, send)

    def _drain_control(self, why: AttaccaError | None = None) -> None:
        if self._control is not None:
            self._control.drain(why)

    def _lose(self, peer: str, why: str) -> None:
        if self._control is not None:
            self._control.lose(peer, why)

    def _is_uid_shared(self) -> bool:
        return self._control is not None and self._control.is_uid_shared

    def _receiver(self, peer: str) -> Callable[[ToControl], None]:
        return own(self._peers.hellos[peer], partial(self.control.receive, peer), self._peers.end)

    def _is_silent(self, peer: str) -> bool:
        worker = None if self._control is None else self._control.core.workers.by_name.get(peer)
        return worker is not None and worker.is_silent

    def _announce(self, message: Catalogue | Deployed | Deleted) -> None:
        assert self._logbook is not None
        self._logbook.receive(message)
        if isinstance(message, Catalogue):
            self.restored = len(message.current)

    def _log(self, line: Logged) -> None:
        if self._logbook is not None:
            self._logbook.append(line.function, line.revision, line.sandbox, line.invocation, line.stream, line.text)

    def _allow(self, authorization: bytes | None) -> bool:
        given = None if authorization is None else authorization.decode("latin-1")
        return self._control is not None and self._control.tokens.admits(given)

    def _functions_at(self) -> str:
        gateways = () if self._control is None else self._control.core.gateways.by_name.values()
        return next((gateway.url for gateway in gateways if gateway.url), "")

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    @property
    def has_all(self) -> bool:
        """There is a worker, which could check what is deployed."""
        return self._control is None or bool(self._control.core.workers.by_name)

    def metrics(self, form: Form) -> Callable[[], bytes]:
        return bytes if self._control is None else metrics.later(self._control.core, self._control.beside.metrics, form)

    # What the admin API is shown (control.http.authorization.Observe).

    async def workers(self, function: str | None = None) -> list[WorkerView]:
        return await self.control.views.workers(function)

    async def story(self, subject: str) -> list[Moment]:
        return await self.control.views.story(subject)

    async def calls(self, function: str | None, limit: int, call: str = "") -> list[Call]:
        return await self.control.views.calls(function, limit, call)

    def logs(self, function: str, since_s: float | None, follow: bool) -> AsyncIterator[LogLine]:  # noqa: FBT001 - Observe
        assert self._logbook is not None
        return self._logbook.follow(function, since_s) if follow else self._logbook.read(function, since_s)

    def info(self) -> dict[str, Any]:
        core = None if self._control is None else self._control.core
        leader = None if self._leadership is None else self._leadership.leader
        return {
            "version": __version__,
            "process": os.getpid(),
            "up_s": round(self._clock.now() - self._opened_at, 3),
            "state_dir": str(self.config.control.state_dir),
            "join": self.link_address,
            "workers": 0 if core is None else len(core.workers.by_name),
            "gateways": self._gateways() or {},
            "leads": core is not None,
            "leader": self.link_address if leader is None else leader.name,
            "term": self._term if leader is None else leader.term,
            "at": self._clock.wall(),
        }

    # The end.

    @property
    def url(self) -> str:
        return url_of(self.config.gateway, self._port)

    async def drain(self) -> None:
        self._is_ready, self._is_draining = False, True
        if self._leadership is not None:
            await self._leadership.close()  # another leads at once
        self._drain_control()
        if self._http is not None:
            self._http.end()
        await self._close_logbook()  # ends those who follow a log, who would never have enough
        if self._http is not None:
            await self._http.ended()

    async def close(self) -> None:
        if self._http is not None:
            self._http.end()
        await self._closing.aclose()

    async def _close_logbook(self) -> None:
        logbook, self._logbook = self._logbook, None
        if logbook is not None:
            await logbook.close()


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
