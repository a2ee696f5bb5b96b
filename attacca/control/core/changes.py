"""Changes of functions, from what was asked for to what is durable and announced; each ends in exactly one Reply."""

import msgspec

from attacca.control.core.access import refuse_host_network, refuse_source_builds
from attacca.control.core.catalogue import KEPT_REVISIONS, CatalogueState, changes, deployed, rescaled, rolled_back
from attacca.control.core.change import Ask, Change, Phase, Turns
from attacca.control.core.events import (
    Announce,
    Build,
    BuildFailed,
    Built,
    Command,
    DeployAsked,
    Erase,
    Erased,
    Examine,
    Examined,
    Made,
    Put,
    Reply,
    Report,
    RollbackAsked,
    Say,
    ScaleAsked,
    StopBuild,
    Stored,
    StoreFailed,
)
from attacca.control.core.garbage import Garbage, GarbageStage
from attacca.control.core.policies import Policies
from attacca.control.core.progress import Done, Step, refused, refused_check
from attacca.control.core.secrets import missing
from attacca.control.core.stored import FUNCTIONS, Function
from attacca.control.core.workers import Workers
from attacca.errors import (
    AttaccaError,
    BadFunction,
    Cancelled,
    Draining,
    IllegalTransition,
    NoCapacity,
    SandboxLost,
)
from attacca.model.function import (
    Artefact,
    Image,
    MicroVm,
    Network,
    PodImage,
    PythonDirectory,
    PythonImage,
    Revision,
    RuntimeKind,
    Settings,
    Signature,
    WasmFunction,
    is_handler,
)
from attacca.model.messages import Check, Checked, Send

ABSENT = 0  # the version of what is not in the store


class Changes:
    def __init__(
        self,
        workers: Workers,
        garbage: Garbage,
        policies: Policies,
        *,
        allow_source_builds: bool,
        is_ordinary_user: bool,
    ) -> None:
        self._workers = workers
        self._garbage = garbage
        self._allow_source_builds = allow_source_builds
        self._is_ordinary_user = is_ordinary_user
        self._policies = policies
        self.catalogue = CatalogueState((), epoch=0)
        self.versions: dict[str, int] = {}  # in the store, by function
        self.secrets: dict[str, None] = {}
        self.turns = Turns()
        self.ready: list[Change] = []  # the first is being written
        self.is_open = False  # takes something new
        self.why_closed: AttaccaError = draining()
        self.is_uid_shared = False  # since this start, sandboxes with the host's network may run as the server's user
        self._due: list[Change] = []  # whose turn has come

    def __repr__(self) -> str:
        return f"<Changes {len(self.turns.by_id)} on their way, {len(self.ready)} to be written>"

    def restore(self, functions: tuple[tuple[Function, int], ...], secrets: tuple[str, ...], epoch: int) -> None:
        self.catalogue = CatalogueState([function for function, _ in functions], epoch)
        self.versions = {function.name: version for function, version in functions}
        self.secrets = dict.fromkeys(secrets)
        hosts = [revision.settings.network is Network.HOST for revision in self.catalogue.kept()]
        self.is_uid_shared = self._is_ordinary_user and any(hosts)

    def ask(self, ask: Ask, out: list[Command]) -> None:
        change = Change(ask)
        if not self.is_open:
            out.append(_refusal(change, self.why_closed))
        elif self.turns.add(change):
            self._due.append(change)

    def report(self, event: Report, out: list[Command]) -> None:
        """
        Raises:
            IllegalTransition: nothing of that kind was ordered.
        """
        match event:
            case Examined():
                self._examined(self._expect(event, Phase.EXAMINING), event, out)
            case Built():
                self._built(self._expect(event, Phase.BUILDING), event, out)
            case BuildFailed():
                change = self._expect(event, Phase.BUILDING)
                self._refuse(change, change.why or event.error, out)
            case Checked():
                self._checked(event, out)
            case Stored():
                self._stored(self._expect(event, Phase.WRITING), event, out)
            case Erased():
                self._erased(self._expect(event, Phase.ERASING), out)
            case StoreFailed():
                self._give_up(self._expect(event, Phase.WRITING, Phase.ERASING), event.error, out)

    def settle(self, out: list[Command]) -> None:
        """What can begin because of what has ended."""
        while True:
            if self._due:
                self._begin(self._due.pop(0), out)
            elif self.ready and self.ready[0].phase is Phase.READY:
                self._write(self.ready[0], out)
            else:
                return

    # From the first word to the check.

    def _begin(self, change: Change, out: list[Command]) -> None:
        ask, name = change.ask, change.function
        try:
            if isinstance(ask, DeployAsked):
                settings = ask.settings
                self._policies.expect(settings)
                refusal = self._workers.refuse(settings, self.catalogue) or missing(self.secrets, settings)
                if refusal is not None:
                    raise refusal
            elif isinstance(ask, RollbackAsked):
                change.after = rolled_back(self.catalogue.get(name), ask.to)
                settings = change.after.now.settings
            elif isinstance(ask, ScaleAsked):
                change.after = rescaled(self.catalogue.get(name), ask.scale)
                self._policies.expect(change.after.now.settings)
                self._be_ready(change)
                return
            else:
                self.catalogue.get(name)
                change.phase = Phase.ERASING
                out.append(Erase(change.id, FUNCTIONS + name, self.versions[name]))
                return
        except AttaccaError as error:
            self._refuse(change, error, out)
            return
        change.phase = Phase.EXAMINING
        out.append(Examine(change.id, settings))

    def _examined(self, change: Change, event: Examined, out: list[Command]) -> None:
        refusal = change.why or event.error
        if refusal is None and isinstance(change.ask, DeployAsked):
            refusal = self._refuse_rights(change.ask, has_token=event.has_token)
        if refusal is not None:
            self._refuse(change, refusal, out)
        elif isinstance(change.ask, RollbackAsked):
            self._be_ready(change)
        elif self._garbage.stage is GarbageStage.SWEEPING:
            change.phase = Phase.HELD_OFF
        else:
            self._build(change, out)

    def _refuse_rights(self, ask: DeployAsked, *, has_token: bool) -> AttaccaError | None:
        """Before the code runs, which is at the check: it would have more rights than its deployer was asked for."""
        if self._is_ordinary_user and ask.settings.network is Network.HOST:
            refusal = refuse_host_network(has_token=has_token)
            if refusal is not None:
                return refusal
            self.is_uid_shared = True
        return None if self._allow_source_builds or not ask.from_source else refuse_source_builds()

    def _build(self, change: Change, out: list[Command]) -> None:
        assert isinstance(change.ask, DeployAsked)
        change.phase = Phase.BUILDING
        change.is_building = True
        self._garbage.begin_build()
        out.append(Build(change.id, change.ask.from_source, change.ask.settings.runtime))

    def swept(self, out: list[Command]) -> None:
        for change in self.turns:
            if change.phase is Phase.HELD_OFF:
                self._build(change, out)

    def _built(self, change: Change, event: Built, out: list[Command]) -> None:
        assert isinstance(change.ask, DeployAsked)
        number = self.catalogue.next_number(change.function)
        revision = candidate(change.ask.settings, event.made, number, event.at)
        worker = self._workers.pick(revision.needs)
        why = change.why or impure(revision)
        if why is not None or worker is None:
            self._refuse(change, why or no_worker(), out)
            return
        change.revision = revision
        change.worker = worker
        change.phase = Phase.CHECKING
        out.append(Say(change.id, Step("check", f"importing revision {number}")))
        out.append(Send(worker, Check(change.id, revision)))

    def _checked(self, event: Checked, out: list[Command]) -> None:
        """It may come of a worker that was given up, when nobody waits for it any more."""
        change = self.turns.by_id.get(event.id)
        if change is None or change.phase is not Phase.CHECKING:
            return
        out += [Say(change.id, Step("log", line)) for line in event.logs.splitlines()]
        out += [Say(change.id, Step("note", note)) for note in event.notes]
        refusal = refused_check(event)
        if refusal is not None:
            out.append(Reply(change.id, refusal))
            self._end(change)
        elif not is_handler(event.revision.handler):  # the code itself has a hand in what is found in it
            what = "what was found as the handler is no name of one"
            self._give_up(change, BadFunction(what, "name it with --handler"), out)
        else:
            assert change.revision is not None
            found = event.revision
            change.revision = msgspec.structs.replace(
                change.revision, handler=found.handler, signature=found.signature, event=found.event
            )
            change.imports_ms = event.timing.imports
            self._be_ready(change)

    # From the check to the last word.

    def _be_ready(self, change: Change) -> None:
        change.phase = Phase.READY
        self.ready.append(change)

    def _write(self, change: Change, out: list[Command]) -> None:
        """One after the other: two that fit, each for itself, need not fit together."""
        if change.revision is not None:
            change.after = deployed(self.catalogue.find(change.function), change.revision)
        after = change.after
        assert after is not None
        settings = after.now.settings
        refusal = self._workers.refuse(settings, self.catalogue) or missing(self.secrets, settings)
        if refusal is not None:
            self._give_up(change, refusal, out)
            return
        change.phase = Phase.WRITING
        version = self.versions.get(change.function, ABSENT)
        out.append(Put(change.id, FUNCTIONS + change.function, msgspec.json.encode(after), version))

    def _stored(self, change: Change, event: Stored, out: list[Command]) -> None:
        after, before = change.after, self.catalogue.find(change.function)
        assert after is not None
        self.ready.remove(change)
        self.versions[change.function] = event.version
        out.append(Announce(self.catalogue.put(after)))
        self._workers.share(self.catalogue, change.function)
        if change.revision is None:
            out.append(Reply(change.id, after.now))
        else:
            earlier = None if before is None else before.now
            number = None if before is None else before.current
            out.append(Reply(change.id, Done(after.now, change.imports_ms, number, changes(earlier, after.now))))
        self._end(change, is_kept=before is None or len(before.revisions) < KEPT_REVISIONS)

    def _erased(self, change: Change, out: list[Command]) -> None:
        del self.versions[change.function]
        out.append(Announce(self.catalogue.remove(change.function)))
        self._workers.share(self.catalogue)
        out.append(Reply(change.id))
        self._end(change)
        self._garbage.want()

    # The end, before there was one.

    def leave(self, id_: str, out: list[Command]) -> None:
        """Nobody reads how it goes; from the check on it goes on all the same."""
        change = self.turns.by_id.get(id_)
        if change is not None and isinstance(change.ask, DeployAsked):
            self._stop(change, Cancelled("whoever deployed it went away", "deploy it again"), out)

    def drain(self, why: AttaccaError | None, out: list[Command]) -> None:
        """What is being written is ended, and nothing else begun."""
        self.is_open = False
        self.why_closed = why or self.why_closed
        for change in self.turns:
            if change.phase in (Phase.CHECKING, Phase.READY):
                self._give_up(change, self.why_closed, out)
            else:
                self._stop(change, self.why_closed, out)

    def lose(self, worker: str, out: list[Command]) -> None:
        """What it checks nobody else goes on with: it may have been lost to it."""
        for change in self.turns:
            if change.phase is Phase.CHECKING and change.worker == worker:
                what = f"the worker {worker!r} was lost while it imported the code"
                self._give_up(change, SandboxLost(what, "deploy it again"), out)

    def _stop(self, change: Change, why: AttaccaError, out: list[Command]) -> None:
        if change.phase in (Phase.WAITING, Phase.HELD_OFF):
            self._refuse(change, why, out)
        elif change.phase in (Phase.EXAMINING, Phase.BUILDING) and change.why is None:
            change.why = why
            if change.phase is Phase.BUILDING:
                out.append(StopBuild(change.id))

    def _give_up(self, change: Change, error: AttaccaError, out: list[Command]) -> None:
        """Its number is not given again: a worker may have a template of it."""
        if change.revision is not None:
            self.catalogue.reserve(change.function, change.revision.number)
        if change in self.ready:
            self.ready.remove(change)
        self._refuse(change, error, out)

    def _refuse(self, change: Change, error: AttaccaError, out: list[Command]) -> None:
        out.append(_refusal(change, error))
        self._end(change)

    def _end(self, change: Change, *, is_kept: bool = False) -> None:
        """`is_kept`: all that it has built, and what there was before."""
        if change.is_building:
            self._garbage.end_build()
            if not is_kept:
                self._garbage.want()
        following = self.turns.end(change)
        if following is not None and self.is_open:
            self._due.append(following)

    def _expect(self, event: Report, *phases: Phase) -> Change:
        change = self.turns.by_id.get(event.id)
        if change is None or change.phase not in phases:
            what = "which is not on its way" if change is None else f"which is {change.phase}"
            raise IllegalTransition(
                f"{type(event).__name__} about the change {event.id}, {what}", "every order ends in one report"
            )
        return change


def _refusal(change: Change, error: AttaccaError) -> Reply:
    return Reply(change.id, refused(error) if isinstance(change.ask, DeployAsked) else error)


def candidate(settings: Settings, made: Made, number: int, at: float) -> Revision:
    """A revision that nobody has looked into yet: the check fills in handler, signature and event."""
    return Revision(
        function=settings.name,
        number=number,
        settings=settings,
        handler=settings.handler or "",
        signature=Signature.EVENT_CONTEXT,
        artefact=artefact(made, settings),
        created_at=at,
    )


def artefact(made: Made, settings: Settings) -> Artefact:
    if settings.runtime is RuntimeKind.KUBERNETES:
        return PodImage(settings.image)
    if made.image:
        return PythonImage(made.image) if made.has_handler else Image(made.image)
    if made.is_microvm:
        return MicroVm(made.code, made.bundle)
    return WasmFunction(made.code) if made.is_wasm else PythonDirectory(made.code, made.bundle)


def impure(revision: Revision) -> BadFunction | None:
    """Why it cannot be pure, if it is to be; what it imports its compiler sees."""
    if not revision.settings.pure or isinstance(revision.artefact, WasmFunction):
        return None
    return BadFunction(
        f"what is pure is a module of WebAssembly, and this is {revision.artefact.what}", "leave out pure"
    )


def draining() -> Draining:
    return Draining("the server is shutting down", "deploy again when it is back")


def no_worker() -> NoCapacity:
    return NoCapacity("there is no worker that could import the code", "try again when there is one")
