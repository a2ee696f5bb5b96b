"""Functions in WebAssembly as a worker's runtime: processes that have the machine code of one, and run it.

    make_template ──▶ its machine code ──▶ a process that has loaded it ──▶ TemplateReady

Sandboxes are forked from that, and each of their invocations has an instance of its own. What a sandbox of Python is
held by holds these too, since they are made by the same runtime of processes.
"""

import asyncio
from collections.abc import Callable
from typing import ClassVar

import msgspec

from attacca.errors import AttaccaError, BadFunction
from attacca.kernel.clock import Clock
from attacca.model.function import EventShape, PythonDirectory, Revision, RuntimeKind, Signature
from attacca.model.invocation import Invocation, Making
from attacca.worker.core.events import ToSandbox
from attacca.worker.core.reports import Report, SandboxFailed, SandboxReady, Sink, TemplateFailed, TemplateReady
from attacca.worker.runtime.types import Runtime
from attacca.worker.runtime.unforeseen import failure
from attacca.worker.runtime.wasm.machine_code import MachineCode

HANDLER = "host.function:application"
SHOWN = {"c": "command", "r": "command", "w": "http"} | dict.fromkeys("hpq", "handle")  # as host/compiling.py finds
Failed = type[TemplateFailed] | type[SandboxFailed]
KILLED = "it was ended while its module was compiled"


class WasmFunctions:
    """Implements `worker.runtime.types.Runtime`. `processes` is its own, and is opened when the first is wanted."""

    has_events: ClassVar[bool] = False

    def __init__(self, processes: Runtime, packages: str, code: MachineCode, clock: Clock) -> None:
        """`packages` is the name of the directory that wasmtime is imported from."""
        self._processes, self._packages, self._code, self._clock = processes, packages, code, clock
        self._preparing: dict[str, tuple[asyncio.Task[None], Failed]] = {}  # by sandbox or template
        self._shown: dict[str, str] = {}  # by template that is not ready: what is said to be its handler
        self._came: dict[str, Making] = {}  # of what is not ready: how long its machine code took to come
        self._opening: asyncio.Task[None] | None = None
        self._sink: Sink

    def __repr__(self) -> str:
        return f"<WasmFunctions {len(self._preparing)} on their way, {self._code}, {self._processes}>"

    async def open(self, sink: Sink) -> None:
        self._loop, self._sink = asyncio.get_running_loop(), sink

    async def close(self) -> None:
        for name in list(self._preparing):
            self._give_up(name)
        self._code.close()
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
            if self._opening.exception() is None:
                await self._processes.close()
        await asyncio.sleep(0)  # the last words of those that had no process

    def make_template(self, template: str, revision: Revision) -> None:
        self._prepare(template, TemplateFailed, revision)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        if template is None:
            self._prepare(sandbox, SandboxFailed, revision)
        elif self._opening is None:
            self._loop.call_soon(self._sink, SandboxFailed(sandbox, "sandbox_lost", "its template is gone"))
        else:
            self._processes.make_sandbox(sandbox, self._within(revision, ""), template)

    def drop_template(self, template: str) -> None:
        self._end(template, self._processes.drop_template)

    def kill(self, sandbox: str) -> None:
        self._end(sandbox, self._processes.kill)

    # a start

    def _prepare(self, name: str, failed: Failed, revision: Revision) -> None:
        task = self._loop.create_task(self._make(name, failed, revision))
        self._preparing[name] = task, failed

    async def _make(self, name: str, failed: Failed, revision: Revision) -> None:
        try:
            await self._opened()
            began = self._clock.now()
            code, kind = await self._code.bring(*revision.artefact.digests, is_pure=revision.settings.pure)
        except Exception as error:  # noqa: BLE001 - logged where it was not foreseen
            why = failure(error, f"the code of {revision.id} was not made")
            if self._preparing.pop(name, None) is not None:
                self._sink(_failure(name, failed, why))
            return
        if self._preparing.pop(name, None) is None:
            return
        self._came[name] = Making(code=(self._clock.now() - began) * 1e3)
        inner = self._within(revision, code)
        if failed is TemplateFailed:
            self._shown[name] = SHOWN[kind]
            self._processes.make_template(name, inner)
        else:
            self._processes.make_sandbox(name, inner, None)

    async def _opened(self) -> None:
        if self._opening is None:
            self._opening = self._loop.create_task(self._processes.open(self.hear))
        try:
            await asyncio.shield(self._opening)
        except Exception:
            self._opening = None
            raise

    def _within(self, revision: Revision, code: str) -> Revision:
        """As a runtime of processes takes it: a WSGI application of ours."""
        return msgspec.structs.replace(
            revision,
            settings=msgspec.structs.replace(
                revision.settings, handler=None, runtime=RuntimeKind.PROCESS, event=None, pure=False
            ),
            artefact=PythonDirectory(code, self._packages),
            handler=HANDLER,
            signature=Signature.WSGI,
            event=EventShape.PLAIN,
        )

    def _end(self, name: str, end: Callable[[str], None]) -> None:
        if name in self._preparing:
            self._give_up(name)
        elif self._opening is not None:
            end(name)

    def _give_up(self, name: str) -> None:
        task, failed = self._preparing.pop(name)
        task.cancel()
        self._loop.call_soon(self._sink, failed(name, "start_failed", KILLED))

    def hear(self, report: Report) -> None:
        """From the processes."""
        match report:
            case TemplateReady(template=name, made=made):
                made = made.after(self._came.pop(name, Making()))
                report = msgspec.structs.replace(report, handler=self._shown.pop(name, ""), made=made)
            case SandboxReady(sandbox=name, made=made) if name in self._came:
                report = msgspec.structs.replace(report, made=made.after(self._came.pop(name)))
            case TemplateFailed(template=name) | SandboxFailed(sandbox=name):
                self._shown.pop(name, None)
                self._came.pop(name, None)
            case _:
                ...
        self._sink(report)

    # what concerns processes alone

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        if self._opening is not None:
            self._processes.run(sandbox, revision, invocation)

    def stop(self, sandbox: str, invocation: str) -> None:
        if self._opening is not None:
            self._processes.stop(sandbox, invocation)

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors Runtime
        if self._opening is not None:
            self._processes.body(sandbox, invocation, data, last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors Runtime
        if self._opening is not None:
            self._processes.flow(sandbox, invocation, paused)

    def leave(self, sandbox: str, invocation: str) -> None:
        if self._opening is not None:
            self._processes.leave(sandbox, invocation)

    def tell(self, sandbox: str, word: ToSandbox) -> None: ...  # it has no event functions


def _failure(name: str, failed: Failed, error: AttaccaError) -> Report:
    if failed is TemplateFailed:
        return TemplateFailed(name, error.code, error.message, hint=error.hint)
    trace = error.message if isinstance(error, BadFunction) else ""  # with one, nobody tries again
    return SandboxFailed(name, error.code, error.message, trace)
