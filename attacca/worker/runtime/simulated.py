"""A runtime with no process behind it: everything takes the time it is told to, and fails when it is told to.

On an event loop it reports by itself; without one, whoever holds its clock calls `advance`.
"""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

import msgspec

from attacca.kernel.clock import Clock
from attacca.model.function import Revision, Signature
from attacca.model.invocation import Failed, Invocation, Ok, Outcome
from attacca.worker.core.reports import (
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    Sink,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)


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


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    run_ms: float
    outcome: Outcome


Handler = Callable[[Revision, Invocation], Answer]


class _Copy:
    """A sandbox or a template, as far as the simulation needs to know it."""

    __slots__ = ("is_ready", "is_told_to_end", "revision", "running", "template")

    def __init__(self, revision: Revision, template: str | None) -> None:
        self.revision = revision
        self.template = template
        self.is_ready = False
        self.is_told_to_end = False
        self.running: dict[str, Invocation] = {}


class SimulatedRuntime:
    """It keeps the contract of `Runtime`, and asserts that its worker does."""

    def __init__(
        self, clock: Clock, times: Times | None = None, handler: Handler | None = None, *, on_loop: bool = False
    ) -> None:
        self.times = times or Times()
        self.sandboxes: dict[str, _Copy] = {}
        self.templates: dict[str, _Copy] = {}
        self.bodies: dict[str, bytes] = {}  # by invocation: what was streamed to it
        self.paused: dict[str, bool] = {}  # by invocation: as its reader asked
        self.left: list[str] = []  # invocations whose clients went away
        self._clock = clock
        self._handler = handler or self._echo
        self._on_loop = on_loop
        self._sink: Sink | None = None
        self._faults: dict[str, Fault] = {}
        self._template_faults: dict[str, Fault] = {}
        self._due: list[tuple[float, int, Callable[[], Report | None]]] = []
        self._count = 0

    async def open(self, sink: Sink) -> None:
        self.connect(sink)

    def connect(self, sink: Sink) -> None:
        self._sink = sink

    async def close(self) -> None:
        self._sink = None
        self.sandboxes.clear()
        self.templates.clear()
        self._due.clear()

    # What shall go wrong.

    def break_starts(self, function: str, fault: Fault) -> None:
        self._faults[function] = fault

    def break_templates(self, function: str, fault: Fault) -> None:
        self._template_faults[function] = fault

    def mend(self, function: str) -> None:
        self._faults.pop(function, None)
        self._template_faults.pop(function, None)

    def crash(self, sandbox: str, code: str = "sandbox_lost", message: str = "killed by signal 9") -> None:
        self._later(0.0, lambda: self._gone(sandbox, code, message))

    def crash_template(self, template: str, why: str = "killed by signal 9") -> None:
        """With all that were forked from it."""
        children = [name for name, copy in self.sandboxes.items() if copy.template == template]
        for sandbox in children:
            self._later(0.0, lambda sandbox=sandbox: self._gone(sandbox, "sandbox_lost", why))  # type: ignore[misc]
        self._later(0.0, lambda: self._template_gone(template, why))

    # Orders.

    def make_template(self, template: str, revision: Revision) -> None:
        assert template not in self.templates, f"template {template} exists"
        self.templates[template] = _Copy(revision, None)
        times = self.times
        takes_ms = times.sandbox_ms + times.code_ms + times.imports_ms
        self._later(takes_ms, lambda: self._template_made(template))

    def drop_template(self, template: str) -> None:
        copy = self.templates[template]
        held = [name for name, sandbox in self.sandboxes.items() if sandbox.template == template]
        assert not held, f"template {template} is dropped under {held}"
        copy.is_told_to_end = True
        if copy.is_ready:
            self._later(self.times.kill_ms, lambda: self._template_gone(template, "dropped"))

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        assert sandbox not in self.sandboxes, f"sandbox {sandbox} exists"
        if template is not None:
            parent = self.templates.get(template)
            assert parent is None or (parent.is_ready and not parent.is_told_to_end), f"{template} cannot be forked"
        self.sandboxes[sandbox] = _Copy(revision, template)
        times = self.times
        cold_ms = times.sandbox_ms + times.code_ms + times.imports_ms
        self._later(cold_ms if template is None else times.fork_ms, lambda: self._made(sandbox))

    def kill(self, sandbox: str) -> None:
        copy = self.sandboxes.get(sandbox)
        if copy is None or copy.is_told_to_end:
            return
        copy.is_told_to_end = True
        copy.running.clear()
        if copy.is_ready:
            self._later(self.times.kill_ms, lambda: self._gone(sandbox, "sandbox_lost", "told to end"))

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        copy = self.sandboxes.get(sandbox)
        if copy is None:
            return  # it died in that moment; its end has been or will be reported
        assert copy.is_ready, f"sandbox {sandbox} is not ready"
        assert not copy.is_told_to_end, f"sandbox {sandbox} was told to end"
        assert copy.revision is revision
        assert len(copy.running) < revision.settings.concurrency, f"sandbox {sandbox} has no free slot"
        copy.running[invocation.id] = invocation
        if invocation.request.more:
            self.bodies[invocation.id] = invocation.request.body
        else:
            self._begin(sandbox, invocation)

    def stop(self, sandbox: str, invocation: str) -> None:
        copy = self.sandboxes.get(sandbox)
        if copy is not None and copy.running.pop(invocation, None) is not None:
            failed = Failed("cancelled", "it was given up")
            self._later(self.times.kill_ms, lambda: RunEnded(sandbox, invocation, failed, 0.0))

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        self.bodies[invocation] = self.bodies.get(invocation, b"") + data
        copy = self.sandboxes.get(sandbox)
        if last and copy is not None and invocation in copy.running:
            self._begin(sandbox, copy.running[invocation])

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        self.paused[invocation] = paused

    def leave(self, sandbox: str, invocation: str) -> None:
        self.left.append(invocation)

    # Reports.

    def next_at(self) -> float | None:
        return self._due[0][0] if self._due else None

    def advance(self) -> bool:
        """Deliver the earliest report that is due. False: nothing is."""
        while self._due and self._due[0][0] <= self._clock.now():
            report = heappop(self._due)[2]()
            if report is not None and self._sink is not None:
                self._sink(report)
                return True
        return False

    def _later(self, after_ms: float, report: Callable[[], Report | None]) -> None:
        self._count += 1
        heappush(self._due, (self._clock.now() + after_ms / 1000, self._count, report))
        if self._on_loop:
            asyncio.get_running_loop().call_later(after_ms / 1000, self._flush)

    def _flush(self) -> None:
        """Timers may ring a little early, so the first is let out whatever the clock says."""
        if self._due:
            report = heappop(self._due)[2]()
            if report is not None and self._sink is not None:
                self._sink(report)

    def _begin(self, sandbox: str, invocation: Invocation) -> None:
        answer = self._handler(self.sandboxes[sandbox].revision, invocation)
        self._later(answer.run_ms, lambda: self._ran(sandbox, invocation.id, answer))

    def _echo(self, _: Revision, invocation: Invocation) -> Answer:
        return Answer(
            run_ms=self.times.run_ms, outcome=Ok(body=self.bodies.get(invocation.id, invocation.request.body))
        )

    def _made(self, sandbox: str) -> Report | None:
        copy = self.sandboxes.get(sandbox)
        if copy is None:
            return None
        fault = _use_up(self._faults, copy.revision.function)
        if copy.template is not None and copy.template not in self.templates:
            fault = Fault(code="sandbox_lost", message="its template died", traceback="")
        if copy.is_told_to_end:
            fault = Fault(code="sandbox_lost", message="told to end", traceback="")
        if fault is not None:
            del self.sandboxes[sandbox]
            return SandboxFailed(sandbox, fault.code, fault.message, fault.traceback)
        copy.is_ready = True
        times = self.times
        if copy.template is not None:
            return SandboxReady(sandbox, times.fork_ms, 0.0, 0.0)
        return SandboxReady(sandbox, times.sandbox_ms, times.code_ms, times.imports_ms)

    def _gone(self, sandbox: str, code: str, message: str) -> Report | None:
        copy = self.sandboxes.get(sandbox)
        if copy is None:
            return None
        del self.sandboxes[sandbox]
        if copy.is_ready:
            return SandboxGone(sandbox, code, message)
        return SandboxFailed(sandbox, code, message)

    def _ran(self, sandbox: str, invocation: str, answer: Answer) -> Report | None:
        copy = self.sandboxes.get(sandbox)
        if copy is None or copy.running.pop(invocation, None) is None:
            return None
        return RunEnded(sandbox, invocation, answer.outcome, answer.run_ms)

    def _template_made(self, template: str) -> Report | None:
        copy = self.templates.get(template)
        if copy is None:
            return None
        fault = _use_up(self._template_faults, copy.revision.function)
        if copy.is_told_to_end:
            fault = Fault(code="sandbox_lost", message="dropped", traceback="")
        if fault is not None:
            del self.templates[template]
            return TemplateFailed(template, fault.code, fault.message, fault.traceback)
        copy.is_ready = True
        times = self.times
        handler = copy.revision.handler or "main:handler"
        return TemplateReady(
            template,
            handler,
            Signature.EVENT_CONTEXT,
            times.template_mb,
            times.sandbox_ms,
            times.code_ms,
            times.imports_ms,
        )

    def _template_gone(self, template: str, why: str) -> Report | None:
        copy = self.templates.pop(template, None)
        if copy is None:
            return None
        if copy.is_ready:
            return TemplateGone(template, why)
        return TemplateFailed(template, "sandbox_lost", why)


def _use_up(faults: dict[str, Fault], function: str) -> Fault | None:
    fault = faults.get(function)
    if fault is None or fault.times is None:
        return fault
    if fault.times <= 1:
        del faults[function]
    else:
        faults[function] = msgspec.structs.replace(fault, times=fault.times - 1)
    return fault
