"""A runtime with no process behind it: what its worker orders takes as long as a simulated machine says.

The simulator gives it a machine whose times are drawn and whose cores are shared, the tests of the worker one that
follows a script (`scripted`). What is common to both is here: who is there, what runs in whom, and what is reported.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

from attacca.model.function import Revision, Signature
from attacca.model.invocation import Failed, Invocation, Making, Outcome, Request
from attacca.model.resources import NOTHING, Resources
from attacca.worker.core.events import Deliver, Hand, Listen, Respond, TakeBack, ToSandbox
from attacca.worker.core.reports import (
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    Sink,
    TakenBack,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)

GIVEN_UP = Failed("cancelled", "it was given up")


class Steps(NamedTuple):
    """What a start takes, in seconds; a `Making`'s parts."""

    sandbox: float
    network: float = 0.0
    image: float = 0.0
    code: float = 0.0
    imports: float = 0.0
    readiness: float = 0.0

    @property
    def total(self) -> float:
        return self.sandbox + self.network + self.image + self.code + self.imports + self.readiness

    def longer(self, factor: float) -> "Steps":
        return Steps(*(one * factor for one in self))

    def within(self, total: float) -> "Steps":
        """Of one that takes so long in all: `imports` are what the others leave of it."""
        left, parts = total, []
        for one in (self.sandbox, self.network, self.image, self.code, self.readiness):
            parts.append(min(one, left))
            left -= parts[-1]
        sandbox, network, image, code, readiness = parts
        return Steps(sandbox, network, image, code, left, readiness)


class StartFault(NamedTuple):
    """Why a start fails."""

    code: str
    message: str
    traceback: str = ""


class Instance:
    """A sandbox or a template. `made_at`, `steps`, `ticket` and `has_run` are its machine's."""

    __slots__ = (
        "ahead", "has_run", "id", "is_ready", "is_template", "is_told_to_end", "later", "made_at", "resources",
        "revision", "running", "steps", "template", "ticket",
    )  # fmt: skip

    def __init__(self, name: str, revision: Revision, template: str | None, *, is_template: bool) -> None:
        self.id = name
        self.revision = revision
        self.template = template
        self.is_template = is_template
        resources = revision.settings.resources
        self.resources = resources.memory_alone() if is_template else resources
        self.running: dict[str, Job] = {}
        self.ahead: dict[str, None] = {}  # invocations that it was handed ahead
        self.later: deque[Invocation] = deque()  # of an event function: what it handles next
        self.steps = NO_STEPS
        self.made_at = 0.0
        self.ticket = 0
        self.has_run = False
        self.is_ready = False
        self.is_told_to_end = False

    def __repr__(self) -> str:
        state = "told to end" if self.is_told_to_end else "ready" if self.is_ready else "starting"
        return f"<Instance {self.id} {state}, {len(self.running)} running>"


class Job:
    """One invocation in a sandbox. All but the first four are its machine's: how far it is, and what there is to do."""

    __slots__ = ("began", "instance", "invocation", "is_computing", "is_stuck", "name", "ticket", "work")

    def __init__(self, instance: Instance, invocation: Invocation) -> None:
        self.instance = instance
        self.invocation = invocation
        self.name = invocation.id
        self.is_stuck = False
        self.work: Any = None
        self.began = 0.0
        self.ticket = 0
        self.is_computing = True

    def __repr__(self) -> str:
        return f"<Job {self.name} in {self.instance.id}{', stuck' if self.is_stuck else ''}>"


class Machine(Protocol):
    """How long things take. All that it is given ends in a call of the runtime that it serves, or is taken back."""

    template_mb: int  # what a template holds once it has its code

    def serve(self, runtime: "SimulatedRuntime") -> None: ...

    def start(self, instance: Instance) -> None:
        """Ends in `made`."""

    def abandon(self, instance: Instance) -> None:
        """It will not be made."""

    def fault(self, instance: Instance) -> StartFault | None:
        """Why a start that is over failed."""

    def begin(self, job: Job) -> None:
        """Ends in `ran`."""

    def finish(self, job: Job) -> None:
        """Let it end now, by `ran`."""

    def halt(self, job: Job) -> None:
        """It does not go on."""

    def later(self, do: Callable[[], None]) -> None:
        """When as much time has passed as an end takes; at once where it takes none."""

    def body(self, job: Job, data: bytes, *, last: bool) -> None: ...
    def flow(self, job: Job, *, paused: bool) -> None: ...
    def leave(self, job: Job) -> None: ...
    def told(self, word: Respond | Listen) -> None: ...


class SimulatedRuntime:
    """`report` gets what is reported; where it is a worker that opens it, that one's sink does."""

    has_events: ClassVar[bool] = True

    def __init__(self, machine: Machine, report: Sink | None = None) -> None:
        self.machine = machine
        self.instances: dict[str, Instance] = {}
        self.held = NOTHING  # by instances, counted apart from the worker core's own books
        self.running = 0
        self.busy = 0  # sandboxes that run something
        self._report: Callable[[Report], None] = report or _nowhere
        self._begin = machine.begin
        machine.serve(self)

    def __repr__(self) -> str:
        return f"<SimulatedRuntime {len(self.instances)} instances, {self.running} running, {self.held} held>"

    @property
    def report(self) -> Sink:
        return self._report

    @property
    def sandboxes(self) -> dict[str, Instance]:
        return {name: one for name, one in self.instances.items() if not one.is_template}

    @property
    def templates(self) -> dict[str, Instance]:
        return {name: one for name, one in self.instances.items() if one.is_template}

    async def open(self, sink: Sink) -> None:
        self.connect(sink)

    def connect(self, sink: Sink) -> None:
        self._report = sink

    async def close(self) -> None:
        self.crash()
        self._report = _nowhere

    # Orders.

    def make_template(self, template: str, revision: Revision) -> None:
        self._start(Instance(template, revision, None, is_template=True))

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        self._start(Instance(sandbox, revision, template, is_template=False))

    def drop_template(self, template: str) -> None:
        forks = [name for name, one in self.instances.items() if one.template == template]
        assert not forks, f"template {template} is dropped under {forks}"
        self._tell_to_end(template, "dropped")

    def kill(self, sandbox: str) -> None:
        self._tell_to_end(sandbox, "told to end")

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        instance = self.instances.get(sandbox)
        if instance is None:
            return  # it died in that moment; its end has been reported
        job = Job(instance, invocation)
        if instance.ahead:
            instance.ahead.pop(invocation.id, None)
        if not instance.running:
            self.busy += 1
        instance.running[job.name] = job
        self.running += 1
        self._begin(job)

    def stop(self, sandbox: str, invocation: str) -> None:
        job = self._job(sandbox, invocation)
        if job is not None:
            self._leave(job)
            self.machine.later(partial(self._gave_up, job))

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        job = self._job(sandbox, invocation)
        if job is not None:
            self.machine.body(job, data, last=last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        job = self._job(sandbox, invocation)
        if job is not None:
            self.machine.flow(job, paused=paused)

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        """What it is to handle is an invocation whose method is the kind of event, and whose path is its source.
        What it is handed ahead it does not touch before its turn."""
        instance = self.instances.get(sandbox)
        if instance is None:
            return
        if type(word) is Hand:
            instance.ahead[word.invocation.id] = None
        elif type(word) is TakeBack:
            self.machine.later(partial(self._taken_back, instance))
        elif isinstance(word, Deliver):
            delivery, revision = word.delivery, instance.revision
            request = Request(delivery.data or b"", method=str(delivery.kind), path=delivery.source)
            invocation = Invocation(delivery.id, revision.function, revision.id, request)
            if instance.running or instance.later:
                instance.later.append(invocation)
            else:
                self.run(sandbox, revision, invocation)
        elif isinstance(word, Respond | Listen):
            self.machine.told(word)

    def leave(self, sandbox: str, invocation: str) -> None:
        job = self._job(sandbox, invocation)
        if job is not None:
            self.machine.leave(job)

    # What goes wrong.

    def lose(self, name: str, code: str, message: str) -> None:
        """A sandbox or a template dies by itself; a template takes its sandboxes with it."""
        instance = self.instances.get(name)
        if instance is None:
            return
        if instance.is_template:
            for child in [one for one in self.instances.values() if one.template == name]:
                self._end(child, code, message)
        self._end(instance, code, message)

    def stick(self, instance: Instance) -> list[Job]:
        """Its invocations do not go on. The answer is for `loosen`."""
        stuck = [job for job in instance.running.values() if not job.is_stuck]
        for job in stuck:
            self.machine.halt(job)
            job.is_stuck = True
        return stuck

    def loosen(self, jobs: list[Job]) -> None:
        """Those that are still there end at once."""
        for job in jobs:
            if job.instance.running.get(job.name) is job:
                job.is_stuck = False
                self.machine.finish(job)

    def crash(self) -> None:
        """All is gone, and nobody is told."""
        for instance in list(self.instances.values()):
            self._forget(instance)

    # What its machine says.

    def made(self, instance: Instance, made: Making) -> None:
        fault = self.machine.fault(instance)
        if instance.template is not None and instance.template not in self.instances:
            fault = StartFault("sandbox_lost", "its template died")
        instance.is_ready = True
        if fault is not None:
            self._remove(instance)
            kind = TemplateFailed if instance.is_template else SandboxFailed
            self._report(kind(instance.id, fault.code, fault.message, fault.traceback))
        elif instance.is_template:
            kept = Resources(min(self.machine.template_mb, instance.resources.memory_mb))
            self.held -= instance.resources
            instance.resources = kept
            self.held += kept
            handler = instance.revision.handler or "main:handler"
            self._report(TemplateReady(instance.id, handler, Signature.EVENT_CONTEXT, kept.memory_mb, made))
        else:
            self._report(SandboxReady(instance.id, made))

    def ran(self, job: Job, outcome: Outcome, run_ms: float) -> None:
        instance = job.instance
        del instance.running[job.name]
        self.running -= 1
        if not instance.running:
            self.busy -= 1
        if instance.later:
            self.run(instance.id, instance.revision, instance.later.popleft())
        self._report(RunEnded(instance.id, job.name, outcome, run_ms))

    # Ends.

    def _job(self, sandbox: str, invocation: str) -> Job | None:
        instance = self.instances.get(sandbox)
        return None if instance is None else instance.running.get(invocation)

    def _start(self, instance: Instance) -> None:
        assert instance.id not in self.instances, f"{instance.id} exists"
        self.instances[instance.id] = instance
        self.held += instance.resources
        self.machine.start(instance)

    def _tell_to_end(self, name: str, why: str) -> None:
        instance = self.instances.get(name)
        if instance is None or instance.is_told_to_end:
            return
        instance.is_told_to_end = True
        for job in list(instance.running.values()):
            self._leave(job)
        self.machine.later(partial(self._end, instance, "sandbox_lost", why))

    def _leave(self, job: Job) -> None:
        instance = job.instance
        if not job.is_stuck:
            self.machine.halt(job)
        del instance.running[job.name]
        self.running -= 1
        if not instance.running:
            self.busy -= 1

    def _taken_back(self, instance: Instance) -> None:
        taken = tuple(instance.ahead)
        instance.ahead.clear()
        if taken and self.instances.get(instance.id) is instance:
            self._report(TakenBack(instance.id, taken))

    def _gave_up(self, job: Job) -> None:
        if self.instances.get(job.instance.id) is job.instance:
            self._report(RunEnded(job.instance.id, job.name, GIVEN_UP, 0.0))

    def _end(self, instance: Instance, code: str, message: str) -> None:
        if self.instances.get(instance.id) is not instance:
            return
        was_ready = instance.is_ready
        self._forget(instance)
        report: Report
        if instance.is_template:
            report = TemplateGone(instance.id, message) if was_ready else TemplateFailed(instance.id, code, message)
        elif was_ready:
            report = SandboxGone(instance.id, code, message, tuple(instance.ahead))
        else:
            report = SandboxFailed(instance.id, code, message)
        self._report(report)

    def _forget(self, instance: Instance) -> None:
        for job in list(instance.running.values()):
            self._leave(job)
        if not instance.is_ready:
            self.machine.abandon(instance)
        self._remove(instance)

    def _remove(self, instance: Instance) -> None:
        del self.instances[instance.id]
        self.held -= instance.resources


def _nowhere(_: Report) -> None: ...


NO_STEPS = Steps(0.0)
