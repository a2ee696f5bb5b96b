"""Control in a process of its own: the catalogue, the admin API on a listener of its own, and links to all others."""

import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import msgspec

from attacca import __version__
from attacca.cli.serve.cluster import advertised, certificates, leave_key, listened, ticket
from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.planes import pages
from attacca.cli.serve.planes.door import CONTROL, ENDS, Once, cannot_listen, keep, no_token, probe, told_url, url_of
from attacca.control import metrics
from attacca.control.deploy.state import StateDir
from attacca.control.driver import Control
from attacca.control.http.app import admin
from attacca.control.http.authorization import door
from attacca.gateway.async_calls import new_owner
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.server import HttpServer
from attacca.io.certificates import Certificates
from attacca.io.journal.opening import open_journal
from attacca.io.logbook import Logbook
from attacca.io.store.opening import is_beside, open_store
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Listener
from attacca.io.wire.types import Limits
from attacca.kernel.access import is_loopback
from attacca.kernel.clock import Clock, SystemClock
from attacca.kernel.rand import Streams
from attacca.model.invocation import Call
from attacca.model.log import LogLine
from attacca.model.messages import Catalogue, Deleted, Deployed, Logged, Said, ToControl
from attacca.model.sandbox import WorkerView
from attacca.model.story import Moment

LOG = logging.getLogger("attacca.control")


class ControlPlane:
    """A `running.Plane`, and what its admin API is shown of the others."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.link_address = ""  # where others join
        self.restored = 0
        self._clock: Clock = SystemClock()
        self._streams = Streams.from_entropy()
        self._opened_at = self._clock.now()
        self._closing = contextlib.AsyncExitStack()
        self._http: HttpServer | None = None
        self._port = config.gateway.port
        self._is_ready = False
        self._is_draining = False
        self._logbook: Logbook | None = None
        self._peers: Peers[Said] = Peers()

    def __repr__(self) -> str:
        return f"<ControlPlane {self.link_address}: {len(self._peers.names())} peers>"

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
        host, port = listened(config.cluster)
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
        self.control = Control(
            config.control, store, self._clock, self._peers.send, self._announce,
            chance=Streams.from_entropy().stream("placement"), log=self._log,
            silent_s=config.gateway.silent_s, is_ordinary_user=os.geteuid() != 0,
        )  # fmt: skip
        await self.control.open()
        self._closing.push_async_callback(self.control.close)
        self.journal = await open_journal(config.store, state.calls, new_owner(), self._clock)
        self._closing.push_async_callback(self.journal.close)
        if not is_loopback(config.gateway.host) and not await self.control.tokens.all():
            raise no_token(config.gateway.host, config.control.state_dir)
        key = leave_key(state.path, await self.control.tokens.join())
        await self._listen_for_people()
        await self._listen_for_planes(host, port, key, certs)
        self._is_ready = True

    async def _listen_for_planes(self, host: str, port: int, key: bytes, certs: Certificates | None) -> None:
        """
        Raises:
            Conflict, BadConfig: there is nothing to listen on.
        """
        control, peers = self.control, self._peers
        peers.bind(lambda _: None, self._receiver, control.lose)
        hello = ticket(CONTROL, CONTROL, key).hello()
        once = Once(cast(Peers[object], peers), self._is_silent)
        limits = Limits(message_bytes=self.config.wire.message_bytes)

        def make() -> StreamLink:
            return StreamLink(peers, hello, ToControl, limits, has_dialed=False, admit=once.admit)

        listener = Listener(make)
        try:
            await listener.open(host, port, None if certs is None else certs.to_listen)
        except OSError as error:
            raise cannot_listen(host, port, error, CONTROL) from None
        self._closing.push_async_callback(listener.close, ENDS)
        keep(certs, self._closing)
        self._closing.callback(control.drain)
        self.link_address = advertised(self.config.cluster, host, listener.port)

    async def _listen_for_people(self) -> None:
        config, control = self.config.gateway, self.control
        app = cast(AsgiApp, admin(control, self, door(is_loopback=is_loopback(config.host))))
        self._http, self._port = await pages.listen(
            self, config, self._clock, lambda: self._is_ready, self._allow, lambda: control.is_uid_shared,
            self._functions_at, app,
        )  # fmt: skip
        control.url = told_url(self.config, self._port)

    def _receiver(self, peer: str) -> Callable[[ToControl], None]:
        return lambda message: self.control.receive(peer, message)

    def _is_silent(self, peer: str) -> bool:
        worker = self.control.core.workers.by_name.get(peer)
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
        return self.control.tokens.admits(None if authorization is None else authorization.decode("latin-1"))

    def _functions_at(self) -> str:
        return next((one.url for one in self.control.core.gateways.by_name.values() if one.url), "")

    # What its pages show.

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    @property
    def has_all(self) -> bool:
        """There is a worker, which could check what is deployed."""
        return bool(self.control.core.workers.by_name)

    def metrics(self) -> bytes:
        return metrics.render(self.control.core)

    # What the admin API is shown (control.http.authorization.Observe).

    async def workers(self) -> list[WorkerView]:
        return await self.control.views.workers()

    async def story(self, subject: str) -> list[Moment]:
        return await self.control.views.story(subject)

    async def calls(self, function: str | None, limit: int) -> list[Call]:
        return await self.control.views.calls(function, limit)

    def logs(self, function: str, since_s: float | None, follow: bool) -> AsyncIterator[LogLine]:  # noqa: FBT001 - Observe
        assert self._logbook is not None
        return self._logbook.follow(function, since_s) if follow else self._logbook.read(function, since_s)

    def info(self) -> dict[str, Any]:
        core = self.control.core
        return {
            "version": __version__,
            "process": os.getpid(),
            "up_s": round(self._clock.now() - self._opened_at, 3),
            "state_dir": str(self.config.control.state_dir),
            "join": self.link_address,
            "workers": len(core.workers.by_name),
            "gateways": {one.name: one.url for one in core.gateways.by_name.values()},
            "at": self._clock.wall(),
        }

    # The end.

    @property
    def url(self) -> str:
        return url_of(self.config.gateway, self._port)

    async def drain(self) -> None:
        self._is_ready, self._is_draining = False, True
        self.control.drain()
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
