"""Containers as a worker's runtime: an engine makes them, and their programs are asked over HTTP from within their
own network."""

import asyncio
import contextlib
import os
import socket
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from attacca.errors import AttaccaError, BadFunction, StartFailed
from attacca.kernel.clock import Clock
from attacca.model.function import Network, Revision
from attacca.model.image import Contract
from attacca.model.invocation import Invocation, Making
from attacca.worker.core.events import ToSandbox
from attacca.worker.core.reports import (
    SandboxReady,
    Sink,
    TemplateReady,
)
from attacca.worker.host.nat.ahead import Outlets
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.host.nat.resolver import TEXT
from attacca.worker.host.network import Networks
from attacca.worker.runtime.container import contracts
from attacca.worker.runtime.container.ahead import ContainersAhead
from attacca.worker.runtime.container.ending import SERVE, ended, report
from attacca.worker.runtime.container.engine import Engine, Word
from attacca.worker.runtime.container.engines import engine
from attacca.worker.runtime.container.equipping import equipped, expect_devices
from attacca.worker.runtime.container.images import Images
from attacca.worker.runtime.container.keeping import clean
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.patience import Patience
from attacca.worker.runtime.container.people import whom
from attacca.worker.runtime.container.publishing import Publishing
from attacca.worker.runtime.container.sandbox import Container
from attacca.worker.runtime.container.spec import spec
from attacca.worker.runtime.process.description import Secret, files, no_secret, variables
from attacca.worker.runtime.process.options import ProcessOptions

PORT = 8080  # where an image says nothing
AT_ONCE = 6  # engines: more only get in one another's way
UNFIT = "a container is not forked"
OWN_NETWORK = 'write network = "none", or let it serve HTTP on $PORT'
HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"


class ContainerRuntime:
    """Implements `worker.runtime.types.Runtime`. `shared` are the options that containers have in common with
    processes."""

    has_events: ClassVar[bool] = False

    def __init__(
        self,
        images: Images,
        options: ContainerOptions,
        shared: ProcessOptions,
        clock: Clock,
        secret: Secret = no_secret,
        nat: Nat | None = None,
        file: Path | None = None,
    ) -> None:
        self._nat = nat or Nat(NatOptions())
        self._images, self._options, self._shared = images, options, shared
        self._clock, self._secret = clock, secret
        self._networks = Networks(options.networks)
        self._outlets = Outlets(self._networks, self._nat)
        self.containers: dict[str, Container] = {}
        self._keeping: Engine | None = None
        self._opening: asyncio.Task[Engine] | None = None
        self._called: dict[str, Container] = {}  # as their engine calls them
        unwanted = partial(self._kill, why="nobody wanted it")
        self._ahead = ContainersAhead(options.pool, self._make_ahead, unwanted, file)
        self._catching_up: asyncio.Task[None] | None = None
        self._publishing = Publishing(options.publish_on)
        self._turns, self._patience = asyncio.Semaphore(AT_ONCE), Patience()
        self._is_closing = False
        self._sink: Sink

    def __repr__(self) -> str:
        return f"<ContainerRuntime {len(self.containers)} containers, {self._networks}, {self._keeping}>"

    async def open(self, sink: Sink) -> None:
        """Its keeper is started by the first who wants a container, or whom the last server had one ready for."""
        self._loop, self._sink = asyncio.get_running_loop(), sink
        self._nat.hold()
        if remembered := await asyncio.to_thread(self._ahead.remembered):
            self._catching_up = self._loop.create_task(self._catch_up(remembered))

    async def _catch_up(self, revisions: tuple[Revision, ...]) -> None:
        with contextlib.suppress(AttaccaError, OSError):  # who wants one is told
            await self._keeper()
            for revision in revisions:
                self._ahead.want(revision)

    async def close(self) -> None:
        self._is_closing = True
        self._ahead.close()
        for container in list(self.containers.values()):
            self._kill(container, "its runtime was closed")
        if opening := [task for task in (self._catching_up, self._opening) if task is not None]:
            await asyncio.wait(opening)
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            await keeping.close()
        tasks = [container.task for container in self.containers.values() if container.task is not None]
        for container in list(self.containers.values()):  # of their ends a keeper that is gone tells nothing
            self._over(container, "its runtime was closed")
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._outlets.close()
        await self._networks.close()
        await self._nat.release()

    # the worker's orders

    def make_template(self, template: str, revision: Revision) -> None:
        self._make(template, revision).is_template = True

    def drop_template(self, template: str) -> None:
        self.kill(template)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        ahead = self._ahead.take(revision)
        container = self._make(sandbox, revision) if ahead is None else self._adopt(ahead, sandbox, revision)
        if template is not None and template not in self.containers:
            self._give_up(container, "sandbox_lost", "its template is gone")

    def kill(self, sandbox: str) -> None:
        if (container := self.containers.get(sandbox)) is not None:
            self._kill(container, "it was evicted")

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        if (container := self.containers.get(sandbox)) is not None:
            container.run(invocation)

    def stop(self, sandbox: str, invocation: str) -> None:
        if (container := self.containers.get(sandbox)) is not None:
            container.stop(invocation)

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        if (container := self.containers.get(sandbox)) is not None:
            container.body(invocation, data, last=last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        if (container := self.containers.get(sandbox)) is not None:
            container.flow(invocation, paused=paused)

    def leave(self, sandbox: str, invocation: str) -> None: ...
    def tell(self, sandbox: str, word: ToSandbox) -> None: ...

    # starts

    def _make(self, name: str, revision: Revision) -> Container:
        container = Container(name, revision, self._clock, self._sink, self._say, self._options.pause_after_s)
        self.containers[name] = container
        container.timer = self._loop.call_later(self._shared.start_timeout_s, self._too_late, container)
        container.task = self._loop.create_task(self._start(container))
        return container

    def _make_ahead(self, name: str, revision: Revision) -> Container:
        container = self._make(name, revision)
        container.is_ahead = True
        return container

    def _adopt(self, container: Container, sandbox: str, revision: Revision) -> Container:
        """It was created ahead, and is this sandbox now."""
        del self.containers[container.name]
        container.become(sandbox, revision)
        self.containers[sandbox] = container
        container.timer = self._loop.call_later(self._shared.start_timeout_s, self._too_late, container)
        container.task = self._loop.create_task(self._start(container))
        return container

    async def _start(self, container: Container) -> None:
        try:
            await self._turns.acquire()
            awaited = container.created if container.is_ahead else container.started
            awaited.add_done_callback(lambda _: self._turns.release())  # or it was given up
            if not container.is_kept:
                await self._order(container)
            else:
                self._say("go", container.called)
            if container.is_ahead:
                return
            await container.until_served()
        except AttaccaError as error:
            self._give_up(container, error.code, f"{error.message} ({error.hint})" if error.hint else error.message)
        except OSError as error:
            self._give_up(container, "start_failed", f"it could not be started: {error}")
        else:
            if container.is_template:  # a deployment is done when who comes first finds what there can be
                self._ahead.want(container.revision)
                await self._ahead.there(container.revision.function)
            self._ready(container)

    async def _order(self, container: Container) -> None:
        """
        Raises:
            AttaccaError, OSError: it cannot be made.
        """
        revision, settings = container.revision, container.revision.settings
        keeping = await self._keeper()
        began = self._clock.now()
        image = await self._images.rootfs(*revision.artefact.digests)
        unpacked = self._clock.now()
        container.image_ms = (unpacked - began) * 1e3
        contract = container.contract = image.config.contract
        config = contracts.configured(image.config, contract)
        container.program, container.most = contracts.named(config.command), self._shared.max_response_mb << 20
        if contract is Contract.LAMBDA and settings.network is Network.HOST:
            raise BadFunction("an image that asks for its events needs a network of its own", OWN_NETWORK)
        if settings.network is Network.HOST:
            container.network, container.port = self._networks.machine(), free_port()
        else:
            container.port = (*config.ports, PORT)[0]
            if keeping.makes_networks:
                contracts.expect_less(keeping.name, contract, settings)
            elif settings.network is Network.NAT:
                container.network, container.line = await self._outlets.take(settings, container.told)
            else:
                container.network = await self._networks.take()
        container.network_ms = (self._clock.now() - unpacked) * 1e3
        container.published = await self._publishing.hold(container.name, revision.function, settings)
        await container.listen()
        address = {} if container.api is None else {"AWS_LAMBDA_RUNTIME_API": container.api.address}
        besides = contracts.variables(contract, config, revision, container.port)
        told: dict[str, Any] = spec(
            config,
            settings,
            whom(image.rootfs, image.config.user or ""),
            {"PORT": str(container.port), **besides, **address, **settings.env, **variables(revision, self._secret)},
            processes=self._shared.processes,
            open_files=self._shared.open_files,
            space_mb=self._shared.space_mb,
        )
        told["mounts"] += contracts.mounts(contract)
        if settings.gpu:
            expect_devices(keeping.name)
            told = await asyncio.to_thread(equipped, told, settings, self._options.cdi, self._options.cdi_dirs)
        secrets = files(revision, self._secret, has_files=True)
        placed = {path: text for name, text in secrets.items() for path in contracts.secret_paths(contract, name)}
        placed |= {"/etc/hosts": HOSTS, "/etc/hostname": settings.name + "\n"}
        placed |= {"/etc/resolv.conf": TEXT} if container.line is not None else {}
        network = container.network
        shared = [network.descriptor] if network is not None and network.descriptor >= 0 else []
        if container.is_doomed:
            return
        descriptors, waits = [container.output.writer, *shared], container.is_ahead
        keeping.start(container.called, told, image.rootfs, placed, descriptors, waits=waits)
        self._called[container.called], container.is_kept = container, True
        container.output.handed_over()

    async def _keeper(self) -> Engine:
        """
        Raises:
            IsolationMissing: there can be none.
        """
        if self._is_closing:
            raise StartFailed("the worker is shutting down", "try again when it is up")
        if self._keeping is None:
            if self._opening is None:
                self._opening = self._loop.create_task(self._open())
            self._keeping = await asyncio.shield(self._opening)
        return self._keeping

    async def _open(self) -> Engine:
        try:
            await asyncio.to_thread(clean)
            await asyncio.to_thread(self._images.open)
            keeping = engine(self._options, self._hear, self._lost)
            await keeping.open()
            self._networks.open()
            self._ahead.open(keeping.name, can_wait=keeping.can_wait)
        finally:
            self._opening = None
        self._keeping = keeping
        return keeping

    def _too_late(self, container: Container) -> None:
        within = f"within {self._shared.start_timeout_s:g} s (start_timeout_s of the server)"
        if not container.port:
            why = f"its image was not unpacked {within}: try again, or allow for more"
        elif not container.started.done():
            why = f"{self._engine} had not started it {within}: the machine has much to do, or the engine hangs"
        else:
            why = f"nobody listened on port {container.port} {within}: {SERVE}"
        self._give_up(container, "timeout", why)

    def _ready(self, container: Container) -> None:
        if container.is_doomed or container.name not in self.containers:
            return
        container.is_ready = True
        if container.timer is not None:
            container.timer.cancel()
        now = self._clock.now()
        program_ms = (now - container.started_at) * 1e3 if container.started_at else 0.0  # quicker than its engine
        self._patience.took(container.revision.id, now, program_ms / 1e3)
        whole = Making((now - container.ordered_at) * 1e3)
        made = whole.knowing(network=container.network_ms, image=container.image_ms, readiness=program_ms)
        if container.is_template:
            settings, found = container.revision.settings, container.signature
            self._sink(
                TemplateReady(
                    container.name, settings.handler or container.program, found, settings.memory_mb,
                    made, contracts.event(found, settings.event), unfit=UNFIT,
                )
            )  # fmt: skip
        else:
            self._publishing.ready(container.name, container.published, container)
            self._sink(SandboxReady(container.name, made))
            container.rest()
        self._ahead.want(container.revision)

    # ends

    def _kill(self, container: Container, why: str) -> None:
        if not container.is_doomed:
            self._give_up(container, "sandbox_lost" if container.is_ready else "start_failed", why)

    def _give_up(self, container: Container, code: str, why: str) -> None:
        """Why it ends is known now; that it has ended, when its keeper says so."""
        if container.is_doomed or container.name not in self.containers:
            return
        container.is_doomed, container.failure = True, (code, why)
        if container.is_kept and self._keeping is not None:
            self._keeping.say("kill", container.called)
        else:
            self._loop.call_soon(self._over, container, why)

    @property
    def _engine(self) -> str:
        return self._keeping.name if self._keeping is not None else "the engine"

    def _say(self, do: str, name: str) -> None:
        if self._keeping is not None:
            self._keeping.say(do, name)

    def _hear(self, told: Word) -> None:
        container = self._called.get(
            told.created or told.started or told.failed or told.ended or told.alive or told.root
        )
        if container is None:
            if told.descriptor >= 0:
                os.close(told.descriptor)
            return
        if told.created:
            container.was_created()
        elif told.started:
            quiet_s = self._patience.quiet_s(container.revision.id, self._clock.now())
            container.was_started(told.pid, quiet_s, self._networks)
        elif told.alive:
            container.alive()
        elif told.root:
            container.rooted(told.descriptor)
        elif told.oom:
            memory = f"it went over its memory of {container.revision.settings.memory_mb} MB"
            container.failure = ("out_of_memory", memory)
            self._over(container, memory)
        elif told.failed:
            why = told.why or " ".join(container.output.close().splitlines()[-1:])
            container.failure = ("start_failed", f"{self._engine} could not start it: {why or 'it does not say why'}")
            self._over(container, why)
        else:
            self._over(container, told.why or ended(told.status))

    def _lost(self) -> None:
        """All that it kept has ended with it. The next who wants a container has another."""
        keeping, self._keeping = self._keeping, None
        for container in [one for one in self.containers.values() if one.is_kept]:
            self._over(container, "its keeper was lost")
        if keeping is not None:
            self._loop.create_task(keeping.close())

    def _over(self, container: Container, why: str) -> None:
        if self.containers.pop(container.name, None) is None:
            return
        if container.task is not None and container.task is not asyncio.current_task():
            container.task.cancel()
        self._called.pop(container.called, None)
        self._publishing.gone(container.name)
        if container.line is not None:
            self._nat.unplug(container.line)
        said = container.close()
        if container.is_ahead:
            self._ahead.forget(container)
        else:
            self._sink(report(container, why, said))


def free_port() -> int:
    """Of the machine's own network."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
