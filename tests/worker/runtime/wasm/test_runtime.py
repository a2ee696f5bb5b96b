"""Instances of modules in sandboxes that were there before them, with a runtime beneath that notes its orders."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.errors import IsolationMissing
from attacca.kernel.clock import ManualClock
from attacca.model.events import Delivery, EventKind, ReplyKind
from attacca.model.function import Revision, Signature, WasmModule
from attacca.model.invocation import Failed, FunctionError, Making, Ok
from attacca.model.messages import Logged
from attacca.worker.core.events import Deliver, Respond, ToSandbox
from attacca.worker.core.reports import (
    EventAsked,
    EventSent,
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    StateOffered,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)
from attacca.worker.runtime.wasm import hosts
from attacca.worker.runtime.wasm.envelope import ENVELOPE
from attacca.worker.runtime.wasm.host.main import ENVELOPE as THEIRS
from attacca.worker.runtime.wasm.runtime import Hosted, WasmRuntime
from tests import logged as hearing
from tests.cases import each
from tests.worker.stage import revision

pytestmark = pytest.mark.long  # modules are compiled

MODULE = "c0de"
TEMPLATE = TemplateReady("wasm-template", "host.main:Wasm", Signature.EVENTS, 20, Making(1.0))


class Beneath:
    """A runtime of processes that does all it is asked for, but for what `fails` names."""

    has_events = True

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.told: list[tuple[str, ToSandbox]] = []
        self.fails = ""
        self.compiled: Ok | FunctionError = Ok(b"machine code")

    async def open(self, sink: Callable[[Report], None]) -> None:
        self._loop = asyncio.get_running_loop()
        if self.fails == "open":
            raise IsolationMissing("there is none", "get some")
        self.orders.append("open")
        self.say = sink

    async def close(self) -> None:
        self.orders.append("close")

    def make_template(self, template: str, revision: Revision) -> None:
        self.orders.append("template")
        failed = TemplateFailed(template, "bad_function", "no wasmtime")
        self._loop.call_soon(self.say, failed if self.fails == "template" else TEMPLATE)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        self.orders.append(f"make {sandbox}")
        failed = SandboxFailed(sandbox, "start_failed", "no memory")
        self._loop.call_soon(self.say, failed if self.fails == "make" else SandboxReady(sandbox, Making(1.0)))

    def kill(self, sandbox: str) -> None:
        self.orders.append(f"kill {sandbox}")
        self._loop.call_soon(self.say, SandboxGone(sandbox, "sandbox_lost", "it was evicted"))

    def limit(self, sandbox: str, revision: Revision) -> None:
        self.orders.append(f"limit {sandbox} {revision.settings.memory_mb}")
        if self.fails == "limit":
            raise OSError("no such group")

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        self.told.append((sandbox, word))
        if isinstance(word, Deliver) and word.delivery.id in ("compile", "fetch"):
            outcome = Ok() if word.delivery.id == "compile" else self.compiled
            self._loop.call_soon(self.say, RunEnded(sandbox, word.delivery.id, outcome, 1.0))

    def drop_template(self, template: str) -> None: ...
    def run(self, *_: Any) -> None: ...
    def stop(self, *_: Any) -> None: ...
    def body(self, *_: Any) -> None: ...
    def flow(self, *_: Any) -> None: ...
    def leave(self, *_: Any) -> None: ...


class Bench:
    def __init__(self, place: Path) -> None:
        self.beneath = Beneath()
        self.runtime = WasmRuntime(
            self.beneath, hosts.revision("x", 512), place / "code", place / "kept", ManualClock()
        )
        self.reports: asyncio.Queue[Report] = asyncio.Queue()
        self.of = msgspec.structs.replace(revision("wasm"), artefact=WasmModule(MODULE), signature=Signature.EVENTS)

    async def started(self, name: str = "s") -> str:
        """Its host."""
        self.runtime.make_sandbox(name, self.of, None)
        assert isinstance(ready := await self.reports.get(), SandboxReady), ready
        assert ready.sandbox == name
        self.deliver(name, "init", EventKind.INIT, b"payload")
        return self.beneath.told[-1][0]

    def deliver(self, name: str, which: str, kind: EventKind, data: bytes | None = None) -> None:
        self.runtime.tell(name, Deliver(name, Delivery(which, kind, "a@w", data)))


def play(place: Path, story: Callable[[Bench], Awaitable[None]]) -> None:
    (place / "code" / MODULE).mkdir(parents=True)
    (place / "code" / MODULE / "x.wasm").write_bytes(b"\0asm")

    async def whole() -> None:
        bench = Bench(place)
        await bench.runtime.open(bench.reports.put_nowait)
        await story(bench)
        await bench.runtime.close()
        assert bench.reports.empty()

    asyncio.run(whole())


def test_a_module_is_compiled_and_then_brought_by_its_init(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        host = await bench.started()
        assert bench.beneath.orders[:2] == ["open", "template"]
        assert f"limit {host} {bench.of.settings.memory_mb}" in bench.beneath.orders
        (_, compiled), _, (to, told) = bench.beneath.told
        assert isinstance(compiled, Deliver)
        assert compiled.delivery.data == ENVELOPE.pack(1, 0, 0.0, 0, 0) + b"\0asm"
        assert isinstance(told, Deliver)
        assert to == told.sandbox == host != compiled.sandbox
        memory = (bench.of.settings.memory_mb - 16) << 20
        head = ENVELOPE.pack(0, memory, bench.of.settings.timeout_s, 1, 7)
        assert told.delivery.data == head + b"payload" + b"machine code"
        assert f"kill {compiled.sandbox}" in bench.beneath.orders, "who compiles runs nothing"
        assert f"limit {compiled.sandbox} 512" in bench.beneath.orders
        second = await bench.started("t")
        assert second not in (host, compiled.sandbox)
        assert len([one for _, one in bench.beneath.told if isinstance(one, Deliver)]) == 4, "and is compiled once"
        assert repr(bench.runtime).startswith("<WasmRuntime 2 instances, <Hosts ")
        assert repr(bench.runtime._hosts).startswith("<Hosts ")
        for name in ("s", "t"):
            bench.runtime.kill(name)
            assert isinstance(await bench.reports.get(), SandboxGone)

    play(tmp_path, story)
    assert ENVELOPE.format == THEIRS.format
    assert repr(Hosted("s", hosts.revision("x", 64), 0.0)) == "<Hosted s in nothing>"


def test_what_is_said_passes_through_under_its_own_name(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        host = await bench.started()
        of = bench.of
        said: list[Report] = [
            EventSent(host, "out", is_instance=False, data=b"x"),
            EventAsked(host, 1, "out", is_instance=False, data=b"x"), StateOffered(host, 2, b"y"),
            RunEnded(host, "d1", Ok(b"z"), 1.0), Logged("wasm", "wasm@1", host, "d1", "info", "text"),
        ]  # fmt: skip
        for one in said:
            bench.beneath.say(one)
        assert [await bench.reports.get() for _ in said] == [
            *(msgspec.structs.replace(one, sandbox="s") for one in said[:4]),
            Logged(of.function, of.id, "s", "d1", "info", "text"),
        ]  # fmt: skip
        bench.runtime.tell("s", Respond("s", 1, ReplyKind.NOTHING, b""))
        assert bench.beneath.told[-1] == (host, Respond(host, 1, ReplyKind.NOTHING, b""))
        bench.beneath.say(RunEnded(host, "d2", FunctionError("CallError", "an error", "lines of ours"), 1.0))
        ended = RunEnded("s", "d2", FunctionError("CallError", "an error", ""), 1.0)
        assert await bench.reports.get() == ended
        bench.beneath.say(SandboxGone(host, "out_of_memory", "too much"))
        over = f"it went over its memory of {bench.of.settings.memory_mb} MB"
        assert await bench.reports.get() == SandboxGone("s", "out_of_memory", over)
        bench.deliver("s", "late", EventKind.CAST)
        assert len(bench.beneath.told) == 4

    play(tmp_path, story)


def test_the_next_instance_of_a_module_finds_it_there(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        host = await bench.started()
        assert repr(bench.runtime._ahead) == "<Ahead 0 ready, 0 wanted>"
        bench.beneath.say(RunEnded(host, "init", Ok(), 1.0))
        await bench.reports.get()
        await asyncio.sleep(0)
        assert repr(bench.runtime._ahead) == "<Ahead 0 ready, 1 wanted>"
        prepared, told = bench.beneath.told[-1]
        assert isinstance(told, Deliver)
        assert told.delivery.data is not None
        assert told.delivery.data[:1] == b"\2"
        assert told.delivery.data.endswith(b"machine code")
        bench.beneath.say(RunEnded(prepared, "prepare", Ok(), 1.0))
        assert repr(bench.runtime._ahead) == "<Ahead 1 ready, 0 wanted>"
        assert await bench.started("t") == prepared
        told = bench.beneath.told[-1][1]
        assert isinstance(told, Deliver)
        assert told.delivery.data is not None
        assert told.delivery.data.endswith(b"payload")
        bench.beneath.say(RunEnded(prepared, "init", Ok(), 1.0))
        await bench.reports.get()
        await asyncio.sleep(0)
        bench.beneath.say(RunEnded(bench.beneath.told[-1][0], "prepare", FunctionError("Trap", "", ""), 1.0))
        assert bench.beneath.orders[-1] == f"kill {bench.beneath.told[-1][0]}"
        assert await bench.started("u") != bench.beneath.told[0][0]
        for name in ("s", "t", "u"):
            bench.runtime.kill(name)
            await bench.reports.get()

    play(tmp_path, story)


def test_a_trap_ends_it_with_its_reason(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        host = await bench.started()
        bench.beneath.say(RunEnded(host, "d1", FunctionError("Trap", "unreachable", "..."), 1.0))
        logged, gone = await bench.reports.get(), await bench.reports.get()
        assert isinstance(logged, Logged)
        assert (logged.stream, logged.text) == ("error", "it trapped: unreachable\n")
        assert gone == SandboxGone("s", "sandbox_lost", "it trapped: unreachable")
        other = await bench.started("t")
        bench.beneath.say(RunEnded(other, "init", FunctionError("Trap", "unreachable", "..."), 1.0))
        ended = await bench.reports.get()
        assert isinstance(ended, RunEnded)
        assert isinstance(ended.outcome, Failed), "whoever began it kills it"
        assert ended.outcome.message == "its handle_init_asm trapped: unreachable"
        bench.beneath.say(RunEnded(other, "init", FunctionError("Stale", "of another wasmtime", "..."), 1.0))
        await bench.reports.get()
        assert bench.runtime._modules.held(MODULE) is None, "it is compiled anew"
        bench.runtime.kill("t")
        await bench.reports.get()

    play(tmp_path, story)


@each(
    "fails, says",
    [("open", "there is none"), ("template", "no wasmtime"), ("make", "no memory"), ("limit", "no such group")],
)
def test_a_start_that_fails_says_why_and_the_next_is_tried(tmp_path: Path, fails: str, says: str) -> None:
    async def story(bench: Bench) -> None:
        bench.beneath.fails = fails
        bench.runtime.make_sandbox("s", bench.of, None)
        failed = await bench.reports.get()
        assert isinstance(failed, SandboxFailed)
        assert says in failed.message
        bench.beneath.fails = ""
        await bench.started("t")
        bench.runtime.kill("t")
        await bench.reports.get()

    play(tmp_path, story)


def test_a_start_ends_whatever_goes_wrong(tmp_path: Path, logged: hearing.Logged) -> None:
    async def story(bench: Bench) -> None:
        async def broken(digest: str) -> bytes:
            raise TypeError("no such word")

        bench.runtime._modules.bring = broken  # type: ignore[method-assign]  # what nobody foresaw
        bench.runtime.make_sandbox("s", bench.of, None)
        failed = await bench.reports.get()
        assert isinstance(failed, SandboxFailed)
        assert (failed.code, failed.message.partition(": ")[2]) == ("start_failed", "no such word")

    play(tmp_path, story)
    assert logged.messages == ["bug: the module of wasm@1 did not come"]


def test_a_module_that_cannot_be_compiled_is_refused(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.beneath.compiled = FunctionError("ValueError", "it cannot be compiled: bad opcode", "...")
        bench.runtime.make_sandbox("s", bench.of, None)
        failed = SandboxFailed("s", "bad_function", "it cannot be compiled: bad opcode")
        assert await bench.reports.get() == failed

    play(tmp_path, story)


def test_it_can_be_killed_before_it_has_a_host(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.runtime.make_sandbox("s", bench.of, None)
        bench.runtime.kill("s")
        assert isinstance(await bench.reports.get(), SandboxFailed)
        await bench.started("t")
        idle = next(iter(bench.runtime._hosts._idle), "")
        bench.beneath.say(SandboxGone(idle, "sandbox_lost", "killed"))
        bench.beneath.say(TemplateGone("wasm-template", "killed"))
        bench.runtime.make_template("x", bench.of)
        assert isinstance(await bench.reports.get(), TemplateFailed)
        await bench.started("u")
        for name in ("t", "u"):
            bench.runtime.kill(name)
            await bench.reports.get()

    play(tmp_path, story)
