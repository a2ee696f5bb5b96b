"""Checks of code that is not deployed yet: each makes a template, which waits a while for its deployment."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from attacca.errors import AttaccaError
from attacca.model.function import Revision
from attacca.model.invocation import Failed, timed
from attacca.model.messages import Check, Checked, Send
from attacca.model.resources import KINDS, Resources, amount
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import Command, ToPeer
from attacca.worker.core.phases import TemplatePhase
from attacca.worker.core.pool import Pool, Room
from attacca.worker.core.reports import TemplateFailed, TemplateReady
from attacca.worker.core.state import Function, RevisionState, Template, is_same_code
from attacca.worker.core.timers import Timer, Timers

DRAINING = Failed("draining", "the worker is shutting down and takes nothing new", "try again when it is up")

COLD = "sandboxes start cold"


class Asked(NamedTuple):
    """One check, and who wants to hear of it."""

    peer: str
    id: str
    revision: Revision
    since: float

    def refused(self, error: Failed, logs: str = "") -> Send[ToPeer]:
        return Send(self.peer, Checked(self.id, self.revision, error, logs))


class Checks:
    def __init__(self, config: WorkerConfig, pool: Pool, timers: Timers, functions: Mapping[str, Function]) -> None:
        self._config = config
        self._functions = functions
        self._pool = pool
        self._timers = timers
        self._count = 0
        self.waiting: dict[str, Asked] = {}  # for memory; by running number
        self.making: dict[str, Asked] = {}  # by template

    def __repr__(self) -> str:
        return f"<Checks {len(self.waiting)} waiting, {len(self.making)} making>"

    def begin(
        self, now: float, peer: str, check: Check, refusal: AttaccaError | None, out: list[Command], *, draining: bool
    ) -> None:
        """`refusal`: why it could not be deployed, whatever its code is."""
        asked, revision = Asked(peer, check.id, check.revision, now), check.revision
        if draining:
            out.append(asked.refused(DRAINING))
        elif refusal is not None:
            out.append(asked.refused(Failed(refusal.code, refusal.message, refusal.hint)))
        elif not revision.settings.resources.fits(self._pool.capacity):
            out.append(asked.refused(never_fits(revision, self._pool.capacity)))
        else:
            self._count += 1
            self.waiting[str(self._count)] = asked
            self._timers.set((Timer.CHECK, str(self._count)), now + self._config.check_timeout_s)
            self._timers.set((Timer.PATIENCE, str(self._count)), now + self._config.patience_s)

    def serve(self, now: float, out: list[Command]) -> bool:
        """True: one is short of memory."""
        for number, asked in list(self.waiting.items()):
            revision = asked.revision
            resources = revision.settings.resources.memory_alone()
            hard = now >= asked.since + self._config.patience_s
            known = self._functions.get(revision.function) if hard else None
            yields = None if known is None else known.current  # a correction takes the place of what it corrects
            if self._pool.room(now, resources, None, out, evict=True, hard=hard, yields=yields) is not Room.FREE:
                return True
            del self.waiting[number]
            self._forget(number)
            self.making[self._pool.make_template(now, revision, None, out).id] = asked
        return False

    def give_up(self, number: str, out: list[Command]) -> None:
        asked = self.waiting.pop(number)
        waited_s = self._config.check_timeout_s
        out.append(
            asked.refused(
                Failed(
                    "no_capacity",
                    f"no {asked.revision.settings.memory_mb} MB came free within {waited_s:g} s to import the code",
                    "try again when less is running, or give the worker more memory",
                )
            )
        )

    def ready(self, now: float, template: Template, event: TemplateReady, out: list[Command]) -> None:
        asked = self.making.pop(template.id)
        found = replace(asked.revision, handler=event.handler, signature=event.signature, event=event.event)
        notes = event.notes if not event.unfit else (*event.notes, f"{event.unfit}: {COLD}")
        out.append(Send(asked.peer, Checked(asked.id, found, None, event.logs, timed(event.made), notes)))
        if self._config.templates:
            self._timers.set((Timer.KEPT, template.id), now + self._config.template_kept_s)
        else:
            self._pool.retire(template, "templates are off", out)

    def failed(self, template: Template, event: TemplateFailed, out: list[Command]) -> None:
        asked = self.making.pop(template.id)
        hint = event.hint or ("the traceback says where" if event.traceback else "")
        out.append(asked.refused(Failed(event.code, event.message, hint, event.traceback), event.logs))

    def ordered(self, revision: Revision) -> RevisionState:
        """Of one that is in no catalogue, since control has ordered it itself; with its template, if there is one."""
        function = Function(revision.function)
        state = RevisionState(revision, function)
        state.is_ordered = state.is_apart = True
        function.current = state
        function.states.append(state)
        state.template = template = self.adopt(revision)
        if template is not None:
            template.state = state
        return state

    def adopt(self, revision: Revision) -> Template | None:
        """The template of the check that went before this deployment."""
        if revision.settings.resources.gpu:
            return None
        for template in self._pool.templates.values():
            if (
                template.state is None
                and template.phase is TemplatePhase.READY
                and template.id not in self.making
                and is_same_code(template.revision, revision)
            ):
                self._timers.clear((Timer.KEPT, template.id))
                return template
        return None

    def unclaimed(self) -> Iterable[str]:
        """The functions whose code has been checked, and waits for its deployment."""
        templates = self._pool.templates.values()
        return [one.revision.function for one in templates if one.state is None and one.id not in self.making]

    def drain(self, out: list[Command]) -> None:
        for number, asked in self.waiting.items():
            self._forget(number)
            out.append(asked.refused(DRAINING))
        self.waiting.clear()

    def _forget(self, number: str) -> None:
        self._timers.clear((Timer.CHECK, number))
        self._timers.clear((Timer.PATIENCE, number))


def never_fits(revision: Revision, capacity: Resources) -> Failed:
    resources = revision.settings.resources
    kind = next((kind for kind in KINDS if getattr(resources, kind) > getattr(capacity, kind)), "")
    if not kind:
        hint = "lower gpu_memory_mb of the function, or gpu, or give it a worker with others"
        return Failed("no_capacity", f"{revision.function!r} fits on no accelerator that the worker has", hint)
    asked, there = amount(kind, getattr(resources, kind)), amount(kind, getattr(capacity, kind))
    hint = f"lower {kind} of the function, or raise {kind} of the worker"
    if kind.startswith("gpu"):
        hint = f"lower {kind} of the function, or give it a worker with such devices: attacca doctor says what is found"
    return Failed("no_capacity", f"{revision.function!r} asks for {asked}, and the whole worker has {there}", hint)
