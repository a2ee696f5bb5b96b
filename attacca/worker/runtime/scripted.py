"""A simulated machine that follows a script: everything takes the time it is told to, and fails when it is told to.

On an event loop it goes on by itself; without one, whoever holds its clock calls `advance`.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush

import msgspec

from attacca.kernel.clock import Clock
from attacca.model.function import Revision
from attacca.model.invocation import Invocation, Making, Ok, Outcome
from attacca.model.messages import Logged
from attacca.worker.core.events import Listen, Respond
from attacca.worker.core.reports import RunBody, RunHead
from attacca.worker.runtime.simulated import Instance, Job, SimulatedRuntime, StartFault


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """What each step takes, in milliseconds. From a template, only `fork_ms` passes."""

    sandbox_ms: float = 4.0
    code_ms: float = 1.0
    imports_ms: float = 95.0
    fork_ms: float = 5.0
    run_ms: float = 10.0
    kill_ms: float = 1.0
    template_mb: int = 16


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """How a start fails. `times`: so often; None: always."""

    code: str = "bad_function"
    message: str = "No module named 'missing'"
    traceback: str = "Traceback (most recent call last): ..."
    times: int | None = None


class Ending(msgspec.Struct, frozen=True):
    """The sandbox ends under its invocation."""

    code: str
    message: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of an invocation; before that, what it prints, and what it sends piece by piece."""

    run_ms: float
    outcome: Outcome | Ending
    printed: str = ""
    pieces: tuple[bytes, ...] = ()


Handler = Callable[[Revision, Invocation], Answer]


class ScriptedMachine:
    """It asserts that its worker keeps to what it may order."""

    def __init__(
        self, clock: Clock, times: Times | None = None, handler: Handler | None = None, *, on_loop: bool = False
    ) -> None:
        self.times = times or Times()
        self.template_mb = self.times.template_mb
        self.bodies: dict[str, bytes] = {}  # by invocation: what was streamed to it
        self.paused: dict[str, bool] = {}  # by invocation: as its reader asked
        self.left: list[str] = []  # invocations whose clients went away
        self.said: list[Respond | Listen] = []  # to instances
        self._clock = clock
        self._handler = handler or self._echo
        self._on_loop = on_loop
        self._faults: dict[str, Fault] = {}
        self._template_faults: dict[str, Fault] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def __repr__(self) -> str:
        broken = len(self._faults) + len(self._template_faults)
        return f"<ScriptedMachine {len(self._due)} due, {broken} broken, {len(self.bodies)} bodies>"

    def serve(self, runtime: SimulatedRuntime) -> None:
        self._runtime = runtime

    # What shall go wrong.

    def break_starts(self, function: str, fault: Fault) -> None:
        self._faults[function] = fault

    def break_templates(self, function: str, fault: Fault) -> None:
        self._template_faults[function] = fault

    def mend(self, function: str) -> None:
        self._faults.pop(function, None)
        self._template_faults.pop(function, None)

    def crash(self, name: str, code: str = "sandbox_lost", message: str = "killed by signal 9") -> None:
        """A sandbox; or a template, with all that were forked from it."""
        self._later(0.0, partial(self._runtime.lose, name, code, message))

    # The runtime's orders.

    def start(self, instance: Instance) -> None:
        template = self._runtime.instances.get(instance.template or "")
        assert template is None or (template.is_ready and not template.is_told_to_end), f"{template} cannot be forked"
        times = self.times
        made = Making(times.sandbox_ms, code=times.code_ms, imports=times.imports_ms)
        if instance.template is not None:
            made = Making(times.fork_ms)
        self._later(made.whole, partial(self._made, instance, made))

    def _made(self, instance: Instance, made: Making) -> None:
        if self._runtime.instances.get(instance.id) is instance:
            self._runtime.made(instance, made)

    def abandon(self, instance: Instance) -> None: ...

    def fault(self, instance: Instance) -> StartFault | None:
        faults = self._template_faults if instance.is_template else self._faults
        fault = _use_up(faults, instance.revision.function)
        return None if fault is None else StartFault(fault.code, fault.message, fault.traceback)

    def begin(self, job: Job) -> None:
        instance, revision = job.instance, job.instance.revision
        assert instance.is_ready, f"{instance} is not ready"
        assert not instance.is_told_to_end, f"{instance} was told to end"
        assert len(instance.running) <= revision.settings.concurrency, f"{instance} has no free slot"
        if job.invocation.request.more:
            self.bodies[job.name] = job.invocation.request.body
        else:
            self._run(job)

    def body(self, job: Job, data: bytes, *, last: bool) -> None:
        self.bodies[job.name] = self.bodies.get(job.name, b"") + data
        if last:
            self._run(job)

    def flow(self, job: Job, *, paused: bool) -> None:
        self.paused[job.name] = paused

    def leave(self, job: Job) -> None:
        self.left.append(job.name)

    def told(self, word: Respond | Listen) -> None:
        self.said.append(word)

    def halt(self, job: Job) -> None: ...

    def later(self, do: Callable[[], None]) -> None:
        self._later(self.times.kill_ms, do)

    # Runs.

    def _run(self, job: Job) -> None:
        invocation = job.invocation
        if job.name in self.bodies:
            request = msgspec.structs.replace(invocation.request, body=self.bodies[job.name])
            invocation = msgspec.structs.replace(invocation, request=request)
        job.work = answer = self._handler(job.instance.revision, invocation)
        self._later(answer.run_ms, partial(self._ran, job))

    def _ran(self, job: Job) -> None:
        if job.instance.running.get(job.name) is job and not job.is_stuck:
            self.finish(job)

    def finish(self, job: Job) -> None:
        answer: Answer = job.work
        sandbox, revision, report = job.instance.id, job.instance.revision, self._runtime.report
        if answer.printed:
            report(Logged(revision.function, revision.id, sandbox, job.name, "stdout", answer.printed))
        if answer.pieces:
            report(RunHead(sandbox, job.name, 200, ()))
        for piece in answer.pieces:
            report(RunBody(sandbox, job.name, piece))
        if isinstance(answer.outcome, Ending):
            self._runtime.lose(sandbox, answer.outcome.code, answer.outcome.message)
        else:
            self._runtime.ran(job, answer.outcome, answer.run_ms)

    def _echo(self, _: Revision, invocation: Invocation) -> Answer:
        return Answer(run_ms=self.times.run_ms, outcome=Ok(body=invocation.request.body))

    # Time.

    def next_at(self) -> float | None:
        return self._due[0][0] if self._due else None

    def advance(self) -> bool:
        """Let the earliest of what is due happen. False: nothing is."""
        if not self._due or self._due[0][0] > self._clock.now():
            return False
        heappop(self._due)[2]()
        return True

    def _later(self, after_ms: float, do: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._due, (self._clock.now() + after_ms / 1000, self._count, do))
        if self._on_loop:
            asyncio.get_running_loop().call_later(after_ms / 1000, self._flush)

    def _flush(self) -> None:
        """Timers may ring a little early, so the first is let out whatever the clock says."""
        if self._due:
            heappop(self._due)[2]()


def _use_up(faults: dict[str, Fault], function: str) -> Fault | None:
    fault = faults.get(function)
    if fault is None or fault.times is None:
        return fault
    if fault.times <= 1:
        del faults[function]
    else:
        faults[function] = msgspec.structs.replace(fault, times=fault.times - 1)
    return fault
