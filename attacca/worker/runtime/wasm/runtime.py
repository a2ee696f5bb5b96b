"""Modules of WebAssembly as a worker's runtime: each instance has a sandbox of its own, which was there already.

    make_sandbox ──▶ its module, compiled ──▶ a host that waits ──▶ SandboxReady ──▶ INIT brings it the module

From then on what is said to it and what it says passes through, under its own name. A trap ends it.
"""

import asyncio
from functools import partial
from pathlib import Path
from typing import ClassVar

import msgspec

from attacca.errors import BadFunction
from attacca.kernel.clock import Clock
from attacca.model.events import Delivery, EventKind
from attacca.model.function import Revision
from attacca.model.invocation import Failed, FunctionError, Invocation, Making, Ok
from attacca.model.messages import Logged
from attacca.worker.core.events import Deliver, ToSandbox
from attacca.worker.core.reports import (
    EventAsked,
    EventSent,
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    Sink,
    StateOffered,
    TemplateFailed,
)
from attacca.worker.runtime.unforeseen import failure
from attacca.worker.runtime.wasm.ahead import Ahead, key
from attacca.worker.runtime.wasm.envelope import COMPILE, COMPILE_FUNCTION, COMPILE_PURE, RUN, enveloped, to_compile
from attacca.worker.runtime.wasm.hosts import Hosts, Processes, Taken
from attacca.worker.runtime.wasm.modules import Modules

COMPILE_S, COMPILE_MB = 300.0, 1024  # CPython, as componentize-py brings it, takes some seconds and 350 MB
TRAP, STALE = "Trap", "Stale"


class Hosted:
    """One sandbox, as others know it, and the host that it has."""

    def __init__(self, sandbox: str, revision: Revision, now: float) -> None:
        self.sandbox, self.revision, self.since = sandbox, revision, now
        self.host = ""
        self.module = b""
        self.preparing: asyncio.Task[None] | None = None
        self.wants: Taken | None = None
        self.code_ms = 0.0
        self.is_told = self.is_doomed = False  # that it is ready; that it is to end
        self.why = ""  # it ends
        self.init = ""  # the delivery of it

    def __repr__(self) -> str:
        return f"<Hosted {self.sandbox} in {self.host or 'nothing'}>"


class WasmRuntime:
    """Implements `worker.runtime.types.Runtime`."""

    has_events: ClassVar[bool] = True

    def __init__(self, processes: Processes, host: Revision, code: Path, kept: Path, clock: Clock) -> None:
        """`processes` is its own, and makes its hosts, of the revision `host`. `code` has modules, `kept` what was made
        of them."""
        self._hosts, self._clock = Hosts(processes, host, self.hear), clock
        memory_mb = min(COMPILE_MB, host.settings.memory_mb)
        settings = msgspec.structs.replace(host.settings, memory_mb=memory_mb)
        self._compiler = msgspec.structs.replace(host, settings=settings)
        self._ahead = Ahead(self._hosts)
        self._modules = Modules(code, kept, self.compile)
        self._instances: dict[str, Hosted] = {}
        self._by_host: dict[str, Hosted] = {}
        self._compiling: dict[str, asyncio.Future[bytes]] = {}  # by host
        self._sink: Sink

    def __repr__(self) -> str:
        return f"<WasmRuntime {len(self._instances)} instances, {self._hosts}, {self._ahead}, {self._modules}>"

    async def open(self, sink: Sink) -> None:
        self._loop, self._sink = asyncio.get_running_loop(), sink

    async def close(self) -> None:
        self._modules.close()
        for instance in list(self._instances.values()):
            self.kill(instance.sandbox)
        await self._hosts.close()
        await asyncio.sleep(0)  # the last words of those that had no host

    # the worker's orders

    def make_template(self, template: str, revision: Revision) -> None:
        why = "a module of WebAssembly has none: hosts are made ahead"
        self._loop.call_soon(self._sink, TemplateFailed(template, "start_failed", why))

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        instance = self._instances[sandbox] = Hosted(sandbox, revision, self._clock.now())
        (digest,) = revision.artefact.digests
        if host := self._ahead.take(key(revision)):
            self._begin(instance, host)
        elif (module := self._modules.held(digest)) is not None:
            self._place(instance, module)
        else:
            instance.preparing = self._loop.create_task(self._prepare(instance, digest))

    def kill(self, sandbox: str) -> None:
        instance = self._instances.get(sandbox)
        if instance is not None:
            instance.is_doomed = True
            if instance.host:
                self._hosts.processes.kill(instance.host)
            else:
                self._give_up(instance, SandboxFailed(sandbox, "start_failed", "it was killed while it started"))

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        instance = self._instances.get(sandbox)
        if instance is None or not instance.host:
            return
        if isinstance(word, Deliver) and word.delivery.kind is EventKind.INIT:
            instance.init = word.delivery.id
            told = enveloped(RUN, instance.revision.settings, word.delivery.data, instance.module)
            word = Deliver(sandbox, msgspec.structs.replace(word.delivery, data=told))
            instance.module = b""  # the host has it
        self._hosts.processes.tell(instance.host, msgspec.structs.replace(word, sandbox=instance.host))

    # a start

    async def _prepare(self, instance: Hosted, digest: str) -> None:
        began = self._clock.now()
        try:
            module = await self._modules.bring(digest)
        except Exception as error:  # noqa: BLE001 - logged where it was not foreseen
            why = failure(error, f"the module of {instance.revision.id} did not come")
            self._give_up(instance, SandboxFailed(instance.sandbox, why.code, why.message))
        else:
            instance.code_ms = (self._clock.now() - began) * 1e3
            self._place(instance, module)

    def _place(self, instance: Hosted, module: bytes) -> None:
        instance.module, instance.wants = module, partial(self._placed, instance)
        self._hosts.take(instance.wants)

    def _placed(self, instance: Hosted, host: str, why: SandboxFailed | None) -> None:
        instance.wants = None
        if why is not None:
            self._give_up(instance, msgspec.structs.replace(why, sandbox=instance.sandbox))
            return
        try:
            self._hosts.processes.limit(host, instance.revision)
        except OSError as error:
            instance.why = f"its limits could not be set: {error}"
        self._begin(instance, host)
        if instance.why:
            self.kill(instance.sandbox)

    def _begin(self, instance: Hosted, host: str) -> None:
        instance.host, self._by_host[host] = host, instance
        self._loop.call_soon(self._ready, instance)

    def _ready(self, instance: Hosted) -> None:
        if not instance.is_doomed:
            instance.is_told = True
            whole = Making((self._clock.now() - instance.since) * 1e3)
            self._sink(SandboxReady(instance.sandbox, whole.knowing(code=instance.code_ms)))

    def _give_up(self, instance: Hosted, why: SandboxFailed) -> None:
        """It never had a host."""
        if self._instances.pop(instance.sandbox, None) is None:
            return
        if instance.preparing is not None and instance.preparing is not asyncio.current_task():
            instance.preparing.cancel()
        if instance.wants is not None:
            self._hosts.forget(instance.wants)
        self._loop.call_soon(self._sink, why)

    async def compile_function(self, source: bytes, is_pure: bool) -> bytes:  # noqa: FBT001 - machine_code.Compile
        """
        Raises:
            BadFunction: see `compile`; or it is to be pure, and is not.
        """
        return await self.compile(source, COMPILE_PURE if is_pure else COMPILE_FUNCTION)

    async def compile(self, source: bytes, task: int = COMPILE) -> bytes:
        """In a host that runs nothing else, and then ends.

        Raises:
            BadFunction: it cannot be compiled.
        """
        made: asyncio.Future[bytes] = self._loop.create_future()

        def taken(host: str, why: SandboxFailed | None) -> None:
            if why is not None:
                made.set_exception(BadFunction(why.message, "`attacca doctor` says whether wasmtime is there"))
                return
            self._compiling[host] = made
            try:
                self._hosts.processes.limit(host, self._compiler)
            except OSError as error:
                made.set_exception(BadFunction(f"its compiler could not be bounded: {error}", "start it again"))
                return
            begin = Delivery("compile", EventKind.INIT, "\n", to_compile(source, task))
            for delivery in (begin, Delivery("fetch", EventKind.CALL)):
                self._hosts.processes.tell(host, Deliver(host, delivery))

        self._hosts.take(taken)
        try:
            return await asyncio.wait_for(made, COMPILE_S)
        except TimeoutError:
            raise BadFunction(f"compiling it took longer than {COMPILE_S:g} s", "make the module smaller") from None
        finally:
            self._hosts.forget(taken)
            host = next((name for name, one in self._compiling.items() if one is made), "")
            if host:
                del self._compiling[host]
                self._hosts.processes.kill(host)

    # what comes back

    def hear(self, report: Report) -> None:
        """From the hosts."""
        host = getattr(report, "sandbox", "")
        instance = self._by_host.get(host)
        if instance is None:
            if not self._hosts.heard(report) and not self._ahead.heard(report):
                self._compiled(host, report)
            return
        match report:
            case RunEnded():
                self._ended(instance, report)
            case EventSent() | EventAsked() | StateOffered():
                self._sink(msgspec.structs.replace(report, sandbox=instance.sandbox))
            case Logged():
                of = instance.revision
                self._sink(
                    msgspec.structs.replace(report, sandbox=instance.sandbox, function=of.function, revision=of.id)
                )
            case SandboxGone() | SandboxFailed():
                message = instance.why or report.message
                if report.code == "out_of_memory":  # it was made with more
                    message = f"it went over its memory of {instance.revision.settings.memory_mb} MB"
                self._gone(instance, report.code, message)
            case _:
                pass

    def _ended(self, instance: Hosted, report: RunEnded) -> None:
        """A trap is the end of the instance: what it was handling is lost with it, and nothing more comes to it."""
        outcome, sandbox = report.outcome, instance.sandbox
        if isinstance(outcome, FunctionError):
            is_init = report.invocation == instance.init
            if outcome.type == STALE:
                self._modules.drop(*instance.revision.artefact.digests)
            if outcome.type == TRAP and not is_init:
                instance.why = f"it trapped: {outcome.message}"
                instance.is_doomed = True
                self._hosts.processes.kill(instance.host)
                of = instance.revision
                self._sink(Logged(of.function, of.id, sandbox, report.invocation, "error", instance.why + "\n"))
                return
            what = "its handle_init_asm trapped" if outcome.type == TRAP else outcome.type
            outcome = (
                Failed("bad_function", f"{what}: {outcome.message}", "the log has what it said before")
                if is_init
                else FunctionError(outcome.type, outcome.message, "")
            )
        self._sink(RunEnded(sandbox, report.invocation, outcome, report.run_ms))
        if report.invocation == instance.init and isinstance(outcome, Ok):
            module = self._modules.held(*instance.revision.artefact.digests)
            if module is not None:  # whoever waits for this one comes first
                self._loop.call_soon(self._ahead.want, instance.revision, module)

    def _gone(self, instance: Hosted, code: str, message: str) -> None:
        del self._instances[instance.sandbox], self._by_host[instance.host]
        if instance.is_told:
            self._sink(SandboxGone(instance.sandbox, code, message))
        else:
            self._sink(SandboxFailed(instance.sandbox, code, message))

    def _compiled(self, host: str, report: Report) -> None:
        made = self._compiling.get(host)
        if made is None or made.done():
            return
        if isinstance(report, RunEnded):
            outcome = report.outcome
            if isinstance(outcome, Ok):
                if report.invocation == "fetch":
                    made.set_result(outcome.body)
            else:
                made.set_exception(
                    BadFunction(outcome.message, "docs/functions.md says what runs, docs/workflows.md of events")
                )
        elif isinstance(report, SandboxGone):
            memory_mb = self._compiler.settings.memory_mb
            why = f"it took more than {memory_mb} MB" if report.code == "out_of_memory" else report.message
            made.set_exception(BadFunction(f"compiling it failed: {why}", "make the module smaller"))

    # What is no business of an event function's.

    def drop_template(self, template: str) -> None: ...
    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None: ...
    def stop(self, sandbox: str, invocation: str) -> None: ...
    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None: ...  # noqa: FBT001 - mirrors Runtime
    def flow(self, sandbox: str, invocation: str, paused: bool) -> None: ...  # noqa: FBT001 - mirrors Runtime
    def leave(self, sandbox: str, invocation: str) -> None: ...
