"""The simulated machine of one worker: it carries out what the worker core orders, and reports what came of it.

Everything takes as long as the scenario's hardware says. A draw is numbered by what it is for (the n-th start of a
function, the n-th invocation), so that it is the same in every run that has that start or invocation.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from attacca.errors import BadConfig
from attacca.load.workload.scenario import Hardware
from attacca.model.function import Artefact, Revision, Signature
from attacca.model.invocation import Failed, Ok
from attacca.model.resources import NOTHING, Resources
from attacca.sim.cpu import Cores, Cpu, Shared, Unshared
from attacca.sim.draws import Duration
from attacca.sim.engine import Engine
from attacca.sim.invocation import SimulatedInvocation
from attacca.worker.core.events import DropTemplate, Kill, MakeSandbox, MakeTemplate, Run, Stop
from attacca.worker.core.reports import (
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)

OK = Ok()
GIVEN_UP = Failed("cancelled", "it was given up")
STARTS_MOST = 1 << 32  # of one function


class Chances:
    """The durations of a scenario's hardware, shared by all of its machines; `starts` counts each function's."""

    def __init__(self, hardware: Hardware, seed: int, colds: Mapping[str, Duration]) -> None:
        self.sandbox = Duration(hardware.sandbox, seed, "hardware/sandbox")
        self.template = Duration(hardware.template, seed, "hardware/template")
        self.code = Duration(hardware.code, seed, "hardware/code")
        self.imports = Duration(hardware.imports, seed, "hardware/imports")
        self.overhead = Duration(hardware.overhead, seed, "hardware/overhead")
        self.first = Duration(hardware.first, seed, "hardware/first")
        self.wakeup = Duration(hardware.wakeup, seed, "hardware/wakeup")
        self.fetch = Duration(hardware.fetch, seed, "hardware/fetch")
        self.colds = colds  # by function: the whole of its cold start, where it has its own
        self._starts: dict[str, int] = {}
        self._functions: dict[str, int] = {}

    def number(self, function: str) -> int:
        """Of the function's next start."""
        place = self._functions.setdefault(function, len(self._functions))
        count = self._starts[function] = self._starts.get(function, -1) + 1
        return place * STARTS_MOST + count


class Steps(msgspec.Struct):
    """What a start takes, in seconds."""

    sandbox: float
    code: float = 0.0
    imports: float = 0.0

    @property
    def total(self) -> float:
        return self.sandbox + self.code + self.imports


class Copy:
    """A sandbox or a template. `made_at`: when its start was begun."""

    __slots__ = (
        "has_run", "id", "is_ready", "is_template", "made_at", "resources", "revision", "running", "steps",
        "template", "ticket",
    )  # fmt: skip

    def __init__(self, name: str, revision: Revision, template: str | None, now: float, *, is_template: bool) -> None:
        self.id = name
        self.revision = revision
        self.template = template
        self.is_template = is_template
        self.made_at = now
        resources = revision.settings.resources
        self.resources = resources.memory_alone() if is_template else resources
        self.running: dict[str, Job] = {}
        self.steps = Steps(0.0)
        self.ticket = 0
        self.has_run = False
        self.is_ready = False


class Job:
    """One invocation in a sandbox: on the way to its handler, computing, or waiting for something else than a core."""

    __slots__ = ("began", "copy", "flight", "invocation", "is_computing", "is_stuck", "ticket")

    def __init__(self, copy: Copy, invocation: str, flight: SimulatedInvocation, began: float) -> None:
        self.copy = copy
        self.invocation = invocation
        self.flight = flight
        self.began = began  # its handler
        self.ticket = 0
        self.is_computing = True
        self.is_stuck = False


class Machine:
    def __init__(
        self,
        engine: Engine,
        hardware: Hardware,
        chances: Chances,
        cores: int,
        capacity: Resources,
        invocations: Mapping[str, SimulatedInvocation],
        report: Callable[[Report], None],
    ) -> None:
        self.copies: dict[str, Copy] = {}
        self.cpu = _cpu(engine, hardware, cores)
        self.cores = cores
        self.capacity = capacity
        self.held = NOTHING  # by copies, counted apart from the worker core's own books
        self.running = 0
        self.busy = 0  # sandboxes that run something
        self._engine = engine
        self._chances = chances
        self._overhead_s = chances.overhead.constant_s
        self._is_shared = hardware.cpu != "none"
        self._starts_compute = hardware.cpu == "contended"
        self._template_mb = hardware.template_mb
        self._is_instant = False
        self._has_first = chances.first.constant_s != 0.0
        self._has_wakeups = chances.wakeup.constant_s != 0.0
        self._pressure = hardware.memory_pressure
        self._images: dict[Artefact, None] | None = {} if hardware.image_cache else None
        self._invocations = invocations
        self._report = report

    @property
    def wanting(self) -> int:
        """Invocations that need a core now, as a load average counts them: who sleeps does not."""
        if self.cpu.busy is not None:
            return self.cpu.busy
        running = (job for copy in self.copies.values() for job in copy.running.values())
        return sum(job.flight.target.plan.body.computing > 0 for job in running)

    # Orders.

    def run(self, order: Run) -> None:
        copy = self.copies.get(order.sandbox)
        if copy is None:
            return  # it died in that moment; its end has been reported
        invocation = order.invocation.id
        flight = self._invocations[invocation]
        overhead_s = self._overhead_s
        if overhead_s is None:
            overhead_s = self._chances.overhead.at(flight.idx)
        if self._has_first and not copy.has_run:
            overhead_s += self._chances.first.at(flight.idx)
        copy.has_run = True
        job = Job(copy, invocation, flight, self._engine.now + overhead_s)
        if not copy.running:
            self.busy += 1
        copy.running[invocation] = job
        self.running += 1
        if self._is_shared:
            self._later(job, overhead_s, self._arrives)
        else:
            work_s = overhead_s + flight.request_s
            if self._pressure:
                work_s *= self._slowed()
            job.ticket = self.cpu.begin(work_s, self._ran, job)

    def make_sandbox(self, order: MakeSandbox) -> None:
        copy = self._copy(order.sandbox, order.revision, order.template)
        self._start(copy)

    def make_template(self, order: MakeTemplate) -> None:
        self._start(self._copy(order.template, order.revision, None, is_template=True))

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is begun meanwhile takes no time."""
        self._is_instant = True
        yield
        self._is_instant = False

    def kill(self, order: Kill) -> None:
        self._end(order.sandbox, "sandbox_lost", "told to end")

    def drop_template(self, order: DropTemplate) -> None:
        self._end(order.template, "sandbox_lost", "dropped")

    def stop(self, order: Stop) -> None:
        copy = self.copies.get(order.sandbox)
        job = None if copy is None else copy.running.get(order.invocation)
        if copy is not None and job is not None:
            self._leave(copy, job)
            self._report(RunEnded(copy.id, job.invocation, GIVEN_UP, 0.0))

    # Where cores are shared: only what is computed needs one.

    def _arrives(self, job: Job) -> None:
        self._wakes(job, 0, self._compute)

    def _later(self, job: Job, after_s: float, do: Callable[[Job], None]) -> None:
        """It does not compute until then."""
        job.is_computing = False
        job.ticket = self._engine.at(self._engine.now + after_s, do, job)

    def _wakes(self, job: Job, turn: int, do: Callable[[Job], None]) -> None:
        """When all cores are taken, who wakes up waits for one."""
        if self._has_wakeups and self.cpu.busy is not None and self.cpu.busy >= self.cores:
            self._later(job, self._chances.wakeup.at(2 * job.flight.idx + turn), do)
        else:
            do(job)

    def _compute(self, job: Job) -> None:
        flight = job.flight
        job.began = self._engine.now
        work_s = flight.request_s * flight.target.plan.body.computing
        if self._pressure:
            work_s *= self._slowed()
        if work_s > 0.0:
            job.is_computing = True
            job.ticket = self.cpu.begin(work_s, self._wait, job)
        else:
            self._wait(job)

    def _wait(self, job: Job) -> None:
        flight = job.flight
        wait_s = flight.request_s * (1.0 - flight.target.plan.body.computing)
        if wait_s > 0.0:
            self._later(job, wait_s, self._goes_on)
        else:
            self._ran(job)

    def _goes_on(self, job: Job) -> None:
        self._wakes(job, 1, self._ran)

    def _halt(self, job: Job) -> None:
        if job.is_computing:
            self.cpu.give_up(job.ticket)
        else:
            self._engine.cancel(job.ticket)

    # What goes wrong.

    def lose(self, name: str, code: str, message: str) -> None:
        """A sandbox or a template dies by itself; a template takes its sandboxes with it."""
        copy = self.copies.get(name)
        if copy is not None and copy.is_template:
            for child in [one.id for one in self.copies.values() if one.template == name]:
                self._end(child, code, message)
        self._end(name, code, message)

    def stick(self, copy: Copy) -> list[Job]:
        """Its invocations do not go on. The answer is for `loosen`."""
        stuck = [job for job in copy.running.values() if not job.is_stuck]
        for job in stuck:
            self._halt(job)
            job.is_stuck = True
        return stuck

    def loosen(self, jobs: list[Job]) -> None:
        """Those that are still there end at once."""
        for job in jobs:
            if job.copy.running.get(job.invocation) is job:
                job.is_stuck = False
                self._ran(job)

    def crash(self) -> None:
        """All is gone, and nobody is told."""
        for copy in list(self.copies.values()):
            self._forget(copy)

    # Starts.

    def _copy(self, name: str, revision: Revision, template: str | None, *, is_template: bool = False) -> Copy:
        assert name not in self.copies, f"{name} exists"
        copy = Copy(name, revision, template, self._engine.now, is_template=is_template)
        self.copies[name] = copy
        self.held += copy.resources
        return copy

    def _start(self, copy: Copy) -> None:
        if self._is_instant:
            self._made(copy)
            return
        copy.steps = steps = self._steps(copy)
        if self._starts_compute:
            copy.ticket = self.cpu.begin(steps.total, self._made, copy)
        else:
            copy.ticket = self._engine.at(self._engine.now + steps.total, self._made, copy)

    def _steps(self, copy: Copy) -> Steps:
        chances, function = self._chances, copy.revision.function
        number = chances.number(function)
        slowed = self._slowed() if self._pressure else 1.0
        if copy.template is not None:
            return Steps(chances.template.at(number) * slowed)
        own = chances.colds.get(function)
        sandbox_s = chances.sandbox.at(number)
        code_s = chances.code.at(number)
        if self._images is None or copy.revision.artefact not in self._images:
            code_s += chances.fetch.at(number)
            if self._images is not None:
                self._images[copy.revision.artefact] = None
        if own is not None:
            total_s = own.at(number)
            sandbox_s = min(sandbox_s, total_s)
            code_s = min(code_s, total_s - sandbox_s)
            return Steps(sandbox_s * slowed, code_s * slowed, (total_s - sandbox_s - code_s) * slowed)
        return Steps(sandbox_s * slowed, code_s * slowed, chances.imports.at(number) * slowed)

    def _made(self, copy: Copy) -> None:
        """Whoever shares cores took longer than planned: all of its steps in proportion."""
        took_s = self._engine.now - copy.made_at
        longer = took_s / copy.steps.total * 1e3 if copy.steps.total > 0 else 0.0
        steps = copy.steps
        copy.is_ready = True
        times_ms = (steps.sandbox * longer, steps.code * longer, steps.imports * longer)
        if copy.is_template:
            kept_mb = min(self._template_mb, copy.resources.memory_mb)
            self.held -= copy.resources
            copy.resources = Resources(kept_mb)
            self.held += copy.resources
            self._report(TemplateReady(copy.id, copy.revision.handler, Signature.EVENT_CONTEXT, kept_mb, *times_ms))
        elif copy.template is not None and copy.template not in self.copies:
            self._end(copy.id, "sandbox_lost", "its template died", was_ready=False)
        else:
            self._report(SandboxReady(copy.id, *times_ms))

    # Ends.

    def _ran(self, job: Job) -> None:
        copy, flight, now = job.copy, job.flight, self._engine.now
        del copy.running[job.invocation]
        self.running -= 1
        if not copy.running:
            self.busy -= 1
        if flight.key == job.invocation:  # it was not sent to somebody else meanwhile
            flight.exec_begin = job.began
            flight.exec_end = now
        self._report(RunEnded(copy.id, job.invocation, OK, (now - job.began) * 1e3))

    def _leave(self, copy: Copy, job: Job) -> None:
        if not job.is_stuck:
            self._halt(job)
        del copy.running[job.invocation]
        self.running -= 1
        if not copy.running:
            self.busy -= 1

    def _end(self, name: str, code: str, message: str, *, was_ready: bool = True) -> None:
        copy = self.copies.get(name)
        if copy is None:
            return
        was_ready = copy.is_ready and was_ready
        self._forget(copy)
        report: Report
        if copy.is_template:
            report = TemplateGone(name, message) if was_ready else TemplateFailed(name, code, message)
        else:
            report = SandboxGone(name, code, message) if was_ready else SandboxFailed(name, code, message)
        self._report(report)

    def _forget(self, copy: Copy) -> None:
        for job in list(copy.running.values()):
            self._leave(copy, job)
        if not copy.is_ready:
            if self._starts_compute:
                self.cpu.give_up(copy.ticket)
            else:
                self._engine.cancel(copy.ticket)
        del self.copies[copy.id]
        self.held -= copy.resources

    def _slowed(self) -> float:
        """By how much the memory in use slows down what begins now: not at all up to half, fully when it is full."""
        return 1.0 + self._pressure * max(0.0, 2.0 * self.held.memory_mb / self.capacity.memory_mb - 1.0)


def _cpu(engine: Engine, hardware: Hardware, cores: int) -> Cpu:
    """
    Raises:
        BadConfig: no core is left.
    """
    if hardware.cpu == "none":
        return Unshared(engine)
    if hardware.background >= cores:
        hint = "set hardware.background to less than system.cores"
        raise BadConfig(f"of {cores} cores {hardware.background:g} are busy with something else", hint)
    if hardware.cpu == "sharing":
        return Shared(engine, cores - hardware.background)
    return Cores(engine, cores, hardware.background)
