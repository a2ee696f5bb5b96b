"""Carries out what the control core decides, and tells it what comes of that. Steps of a build pass it by."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import cast

import msgspec

from attacca.control.beside import Beside, Nothing
from attacca.control.config import ControlConfig
from attacca.control.core.control import ControlCore, Stage
from attacca.control.core.events import (
    OPEN,
    Announce,
    Build,
    BuildFailed,
    Built,
    CatalogueAsked,
    Command,
    DeleteAsked,
    DeployAsked,
    Drain,
    Erase,
    Erased,
    Event,
    Examine,
    Examined,
    GatewaySaid,
    Ordered,
    Outcome,
    Put,
    ReaderLeft,
    Reply,
    RollbackAsked,
    Say,
    ScaleAsked,
    SecretDeleteAsked,
    SecretSet,
    StopBuild,
    Stored,
    StoreFailed,
    Sweep,
    Swept,
    Tick,
)
from attacca.control.core.policies import Policies
from attacca.control.core.progress import Done, Progress, Refused
from attacca.control.core.recent import remembering
from attacca.control.core.secrets import SECRETS
from attacca.control.core.stored import Function
from attacca.control.deploy.artefacts import Artefacts
from attacca.control.deploy.build import Builder, ProgressStream
from attacca.control.deploy.reception import Reception, Upload
from attacca.control.deploy.restore import restore, tell_missing
from attacca.control.deploy.state import StateDir
from attacca.control.minders import Minders
from attacca.control.orders import Orders
from attacca.control.runs import Runs
from attacca.control.secrets import Secret, Secrets
from attacca.control.supplies import Supplies
from attacca.control.tokens import Tokens
from attacca.control.tracing import untraced
from attacca.control.uploads import Uploads
from attacca.control.views import Views
from attacca.errors import AttaccaError, StateUnavailable
from attacca.io.store.types import Store
from attacca.io.vault.sealed import SealedVault
from attacca.kernel.chance import Chance
from attacca.kernel.clock import Clock
from attacca.kernel.drive import Drive, LoopTimer, each, report_refused
from attacca.model.endpoints import AskEndpoints, EndpointsKnown, Loads
from attacca.model.function import Revision, Scale, Settings
from attacca.model.history import HistoryTold
from attacca.model.journals import AskCall, AskMinding, AsyncTold, CallTold
from attacca.model.looks import LoadsTold
from attacca.model.messages import (
    Access,
    AskCatalogue,
    CallsTold,
    Catalogue,
    Cordon,
    Deleted,
    Deployed,
    Evict,
    GatewayJoined,
    GatewayLeft,
    Logged,
    Prewarm,
    Said,
    Send,
    StoryTold,
    ToControl,
    Viewed,
    WorkerJoined,
    WorkerLeft,
)
from attacca.model.story import Tell, aloud
from attacca.model.supplies import AskPiece, AskSecrets


class Control:
    """Owns the catalogue of one domain. Deployments of one function take turns; those of several go side by side.

    `send` takes the name of a peer and what it is told; `announce` tells all of them. `log` keeps what functions write.
    `is_ordinary_user`: sandboxes run as the server's own user, as they do unless that is root. `artefacts`: the store
    is shared. `tell` is told what the core has seen, `beside` what control hears, as it has more to do than functions.
    """

    def __init__(
        self,
        config: ControlConfig,
        store: Store,
        clock: Clock,
        send: Callable[[str, Said], None],
        announce: Callable[[Catalogue | Deployed | Deleted], None],
        *,
        chance: Chance,
        log: Callable[[Logged], None] | None = None,
        silent_s: float = float("inf"),
        is_ordinary_user: bool = False,
        artefacts: Artefacts | None = None,
        tell: Tell | None = None,
        beside: Beside | None = None,
    ) -> None:
        self._store, self._artefacts, self.clock, self.beside = store, artefacts, clock, beside or Nothing()
        self._send, self._announce, self._log = send, announce, log or (lambda _: None)
        self.core = core = ControlCore(
            chance, Policies.of(config), silent_s=silent_s, is_ordinary_user=is_ordinary_user,
            allow_source_builds=config.allow_source_builds, prefetch=config.prefetch,
        )  # fmt: skip
        self.views = Views(send, clock, core.workers.by_name, core.gateways.by_name)
        handle = aloud(remembering(core.handle, self.views.recent), self.views.recent, tell)
        self._drive: Drive[Event, Command] = Drive(
            handle, core.alarm, each(self._perform), clock.now, LoopTimer(clock.now), Tick(), report_refused
        )
        self.state, self.traced, self.runs = StateDir(config.state_dir), untraced, Runs(config.runs_dir)
        self.reception = Reception(self.state.tmp, config.uploads, config.archive.packed_mb)
        self.tokens = Tokens(store, clock, lambda: self._tell_access(core.apart()))
        self.secrets = Secrets(store, SealedVault(config.secret_key_file or self.state.secret_key), clock)
        fetch = None if artefacts is None else partial(artefacts.ensure, store)
        self._supplies = Supplies(self.state, self.secrets, core.entitled.of, send, fetch)
        self._builder = Builder(config, self.state, None if artefacts is None else partial(artefacts.save, store))
        self.minders = Minders(store, clock.wall, send)
        self.uploads = Uploads(self._builder, clock, self.beside.digests)
        self.url, self._asked = "", 0  # url: of the admin API, where it has a listener of its own
        self._deployments: dict[str, tuple[Upload, ProgressStream]] = {}  # by request
        self._replies: dict[str, asyncio.Future[Outcome]] = {}
        self._builds: dict[str, asyncio.Task[Event]] = {}
        self._orders, self._at_rest = Orders(self._feed), asyncio.Event()

    def __repr__(self) -> str:
        return f"<Control {self.core.stage}: {len(self._deployments)} deployments, {len(self._orders)} tasks>"

    async def open(self) -> None:
        """Take the state directory, read the catalogue and announce it.

        Raises:
            BadConfig: another server uses the state directory.
            StateCorrupt: the catalogue cannot be read, or is new where there is code already.
        """
        self.state.lock()
        try:
            restored = await restore(self._store, self.state, is_shared=self._artefacts is not None)
            await self.tokens.open()
            await self.secrets.open()
            await self.beside.open()  # it may write, and what is damaged is left alone
            secrets = tuple(secret.name for secret in self.secrets.all())
            await self._ask(OPEN, msgspec.structs.replace(restored, secrets=secrets))
        except BaseException:
            await self.tokens.close()
            self.state.unlock()
            raise
        if self._artefacts is None:
            tell_missing(self.state, self.core.changes.catalogue.current())

    def drain(self, why: AttaccaError | None = None) -> None:
        """Take nothing new, and give up what is being deployed; what is being written is ended."""
        self._feed(Drain(why))

    async def close(self) -> None:
        """Give up what is being deployed, and let the state directory go. The store is its owner's to close."""
        self.drain()
        await self.settled()
        self._drive.stop()
        await self.beside.close()
        await asyncio.gather(self._supplies.close(), self.minders.close())
        await self._builder.close()
        await self.tokens.close()
        self.state.unlock()

    async def settled(self) -> None:
        """Until nothing is on its way, and what nobody needs is removed."""
        while not self.core.is_at_rest():
            self._at_rest.clear()
            await self._at_rest.wait()

    def receive(self, peer: str, message: ToControl) -> None:
        if self.beside.hear(message):
            return
        match message:
            case AskCatalogue():
                self._feed(CatalogueAsked(peer))
            case Loads() | AskEndpoints() | EndpointsKnown():
                self._feed(GatewaySaid(peer, message))
            case GatewayJoined() | WorkerJoined():
                self._feed(message)
                self._tell_access([peer])
            case Logged():
                self._log(message)
            case Viewed() | StoryTold() | LoadsTold() | CallsTold() | HistoryTold() | AsyncTold() | CallTold():
                self.views.hear(message)
            case AskCall():
                self.views.pass_on(peer, message)
            case AskPiece() | AskSecrets():
                self._supplies.hear(peer, message)
            case AskMinding():
                self.minders.hear(peer, message)
            case _:
                self._feed(cast(Event, message))  # what is beside has had the rest

    def _tell_access(self, peers: list[str]) -> None:
        """Who may ask them: planes apart judge by themselves."""
        for peer in set(peers).intersection(self.core.apart()):
            self._send(peer, Access(self.tokens.digests(), self.is_uid_shared, self.url))

    def lose(self, peer: str, why: str) -> None:
        """It is gone, with what it was asked for."""
        self.views.lose(peer)
        if self.core.stage is not Stage.DRAINING:  # then it is left, and not gone: who comes next finds what it runs
            self.beside.lose(peer)
        self._feed(GatewayLeft(peer) if peer in self.core.gateways.by_name else WorkerLeft(peer, why))

    # What is asked for.

    def deploy(
        self, settings: Settings, upload: Upload, *, allow_source_builds: bool = False
    ) -> AsyncGenerator[Progress, None]:
        """Says how it goes; the last word is Done or Refused, and only after Done is there anything to be found.

        A reader who goes away ends it, unless the check has begun: from there on it runs to its end. It begins at once,
        and closes the upload, also when nobody reads.
        """
        request, stream = self._request(), ProgressStream()
        self._deployments[request] = upload, stream
        self._feed(DeployAsked(request, settings, allow_source_builds))
        return self.traced(settings.name, self._read_along(request, stream))

    async def rollback(self, name: str, to: int | None = None) -> Revision:
        """
        Raises:
            NotFound: no such function or revision.
            BadRequest: it is current already.
            SecretMissing: it asks for one that is not set any more.
            TooMuchReserved: its min_sandboxes do not fit beside those of the others.
        """
        return cast("Revision", await self._ask(request := self._request(), RollbackAsked(request, name, to)))

    async def scale(self, name: str, scale: Scale) -> Revision:
        """Raises what a rollback does, and BadConfig: no such policy, or no such option of it."""
        return cast("Revision", await self._ask(request := self._request(), ScaleAsked(request, name, scale)))

    async def delete(self, name: str) -> None:
        """Raises NotFound: no such function."""
        await self._ask(request := self._request(), DeleteAsked(request, name))

    async def set_secret(self, name: str, value: bytes) -> Secret:
        """Idle sandboxes and templates that have the value before it go.

        Raises:
            BadRequest, PayloadTooLarge, StateCorrupt: see `Secrets.set`.
        """
        secret = await self.secrets.set(name, value)
        self._feed(SecretSet(name))
        return secret

    async def delete_secret(self, name: str, *, force: bool) -> None:
        """
        Raises:
            NotFound: there is no such secret.
            SecretInUse: a function asks for it, and could not start without.
        """
        await self._ask(request := self._request(), SecretDeleteAsked(request, name, force))

    async def order(self, order: Prewarm | Evict | Cordon) -> None:
        """
        Raises:
            NotFound: no such function.
            TooMuchReserved: so many sandboxes can never be made ahead.
        """
        await self._ask(request := self._request(), Ordered(request, order))

    def functions(self) -> Sequence[Function]:
        """By name."""
        return [self.function(name) for name in self.core.changes.catalogue.names()]

    def function(self, name: str) -> Function:
        """
        Raises:
            NotFound: no such function; with near names.
        """
        return self.core.changes.catalogue.get(name)

    @property
    def is_uid_shared(self) -> bool:
        """Since this start, sandboxes with the host's network may run as the server's user."""
        return self.core.changes.is_uid_shared

    def _request(self) -> str:
        """An id that no run of this server has given before."""
        self._asked += 1
        return f"{self.core.changes.catalogue.epoch}.{self._asked}"

    async def _ask(self, request: str, event: Event) -> Outcome:
        reply: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._replies[request] = reply
        self._feed(event)
        return await reply

    async def _read_along(self, request: str, stream: ProgressStream) -> AsyncGenerator[Progress, None]:
        try:
            async for word in stream.read():
                yield word
        finally:
            self._feed(ReaderLeft(request))

    # Out.

    def _feed(self, event: Event) -> None:
        self._drive.feed(event)
        if self.core.is_at_rest():
            self._at_rest.set()

    def _perform(self, command: Command) -> None:
        match command:
            case Send():
                self._send(command.peer, command.message)
            case Announce():
                self._announce(command.message)
            case Reply():
                self._reply(command)
            case Say():
                self._deployments[command.id][1].say(command.step)
            case Build():
                build = self._orders.begin(self._build(command), lambda why: BuildFailed(command.id, why))
                self._builds[command.id] = build
                build.add_done_callback(lambda _: self._builds.pop(command.id))  # once the core knows of its end
            case StopBuild():
                self._builds[command.id].cancel()  # it may have ended, and the core not have heard of it yet
            case Examine():
                self._orders.begin(self._examine(command), lambda why: Examined(command.id, why))
            case Put() | Erase():
                self._orders.begin(self._write(command), lambda why: StoreFailed(command.id, why))
            case Sweep():
                self._orders.begin(self._sweep(command), lambda _: Swept())  # tried again when something else goes

    def _reply(self, reply: Reply) -> None:
        outcome = reply.outcome
        if reply.id in self._deployments:
            upload, stream = self._deployments.pop(reply.id)
            upload.close()
            assert isinstance(outcome, Done | Refused)
            stream.say(outcome)
            return
        waiting = self._replies.pop(reply.id)
        if isinstance(outcome, AttaccaError) and not waiting.done():
            waiting.set_exception(outcome)
        elif not waiting.done():  # else whoever asked went away
            waiting.set_result(outcome)

    async def _examine(self, command: Examine) -> Event:
        self.secrets.expect_all_of(command.settings)
        return Examined(command.id, has_token=bool(await self.tokens.all()))

    async def _build(self, command: Build) -> Event:
        upload, stream = self._deployments[command.id]
        try:
            made = await self._builder.make(upload, stream.say, command.runtime, from_source=command.from_source)
        except OSError as error:
            what = f"the server cannot keep the code in {self.state.path}: {error.strerror or error}"
            hint = "free space there, or check its mode, and deploy again"
            return BuildFailed(command.id, StateUnavailable(what, hint))
        return Built(command.id, made, self.clock.wall())

    async def _write(self, command: Put | Erase) -> Event:
        if isinstance(command, Put):
            entry = await self._store.put_if(command.key, command.value, command.version)
            return Stored(command.id, entry.version)
        if command.key.startswith(SECRETS):
            await self.secrets.delete(command.key.removeprefix(SECRETS))
        else:
            await self._store.delete(command.key, command.version)
        return Erased(command.id)

    async def _sweep(self, command: Sweep) -> Event:
        keep = frozenset({*command.keep, *self.uploads.digests()})
        await asyncio.to_thread(self.state.sweep, keep)
        if self._artefacts is not None:
            await self._artefacts.sweep(self._store, keep)
        return Swept()
