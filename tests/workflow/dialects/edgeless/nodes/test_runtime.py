"""What a node is asked for an instance, and what its words become: against a node that is none."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from attacca.errors import AttaccaError, BadFunction, BadRequest, Unreachable
from attacca.kernel.clock import ManualClock
from attacca.model.events import Delivery, EventKind, ReplyKind
from attacca.model.function import ResourceClass, Revision, Settings, Signature, WasmModule
from attacca.model.invocation import Failed, Ok
from attacca.worker.core.events import Deliver, Listen, Respond
from attacca.worker.core.reports import (
    EventAsked,
    EventSent,
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
)
from attacca.workflow.dialects.edgeless.nodes import speech
from attacca.workflow.dialects.edgeless.nodes.addresses import SOURCES_MOST, Addresses, drawn
from attacca.workflow.dialects.edgeless.nodes.runtime import Guest, NodeRuntime
from attacca.workflow.dialects.edgeless.nodes.speech import Kind, Said, said
from attacca.workflow.dialects.edgeless.words import words

pytestmark = pytest.mark.long  # messages of another's are made

NODE, HERE, PID = "c1958bff-e06a-4848-92df-f171c73f600c", "00000000-0000-0000-0000-000000000007", "848f9235"
CODE = b"\0asm"
REPLY = """
target { node_id: "00000000-0000-0000-0000-000000000007" function_id: "%s" }
source { node_id: "c1958bff-e06a-4848-92df-f171c73f600c" function_id: "848f9235" } stream_id: %d
msg { event_type: %s payload: "test_reply" } created { } metadata { trace_id: "0123456789abcdef" span_id: "01234567" }
"""


class Node:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.errors: list[AttaccaError] = []
        self.news = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Node {len(self.asked)} asked>"

    async def _heard(self, call: str, message: Any) -> None:
        self.asked.append((call, message))
        self.news.set()
        if self.errors:
            raise self.errors.pop(0)

    async def start_function(self, request: Any) -> str:
        await self._heard("function", request)
        return PID

    async def start_resource(self, request: Any) -> str:
        await self._heard("resource", request)
        return PID

    async def patch(self, request: Any, *, is_resource: bool) -> None:
        await self._heard(f"patch {is_resource}", request)

    async def stop(self, whom: Any, *, is_resource: bool) -> None:
        await self._heard(f"stop {is_resource}", whom)

    async def handle(self, event: Any) -> None:
        await self._heard("handle", event)


class Stage:
    def __init__(self, code: Path) -> None:
        self.node, self.reports = Node(), list[Report]()
        self.runtime = NodeRuntime(NODE, HERE, self.node, Addresses(drawn), lambda: code, ManualClock(), self)
        self.kept: dict[str, tuple[str, dict[str, str]]] = {}  # by sandbox: its id there, and its outlets

    async def made(self, sandbox: str) -> None:
        """None stands by."""

    async def begins(self, sandbox: str, outlets: dict[str, str]) -> None:
        self.kept[sandbox] = ("", outlets)

    async def begun(self, sandbox: str, outlets: dict[str, str], id_: str) -> None:
        self.kept[sandbox] = (id_, outlets)

    async def ended(self, sandbox: str) -> None:
        self.kept.pop(sandbox, None)

    async def until(self, count: int) -> list[Report]:
        await self.so(lambda: len(self.reports) >= count)
        return self.reports

    async def so(self, is_so: Callable[[], object]) -> None:
        while not is_so():
            self.node.news.clear()
            await self.node.news.wait()

    async def next(self) -> Any:
        """That the node is asked."""
        before = len(self.node.asked)
        await self.so(lambda: len(self.node.asked) > before)
        return self.node.asked[-1][1]

    def hear(self, report: Report) -> None:
        self.reports.append(report)
        self.node.news.set()

    async def begin(self, artefact: WasmModule | ResourceClass, payload: bytes | None = None) -> None:
        settings = Settings(name="f")
        one = Revision(
            function="w.f", number=1, settings=settings, handler="", signature=Signature.EVENT, artefact=artefact
        )
        self.runtime.expect("w.f.1", "w", ("out",))
        self.runtime.make_sandbox("w.f.1", one, None)
        await self.until(1)
        self.deliver("0", EventKind.INIT, payload)

    def deliver(self, name: str, kind: EventKind, data: bytes | None = None) -> None:
        self.runtime.tell("w.f.1", Deliver("w.f.1", Delivery(name, kind, "w.g.1@worker", data)))


def on_stage(tmp_path: Path, play: Callable[[Stage], Awaitable[None]]) -> None:
    directory = tmp_path / "digest"
    directory.mkdir()
    (directory / "function.wasm").write_bytes(CODE)

    async def run() -> None:
        stage = Stage(tmp_path)
        await stage.runtime.open(stage.hear)
        await play(stage)
        await stage.runtime.close()

    asyncio.run(run())


def outlet(stage: Stage) -> str:
    patch = next(message for call, message in stage.node.asked if call.startswith("patch"))
    return str(patch.output_mapping["out"].function_id)


def test_a_function_is_started_with_its_code_and_payload_and_patched_once(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(WasmModule("digest"), b"8")
        ready, up = await stage.until(2)
        assert isinstance(ready, SandboxReady)
        assert isinstance(up, RunEnded)
        assert isinstance(up.outcome, Ok)
        (_, start), (call, patch) = stage.node.asked
        assert (start.code.binary, start.code.function_type, dict(start.annotations)) == (
            CODE, "RUST_WASM", {"init-payload": "8"},
        )  # fmt: skip
        assert start.state_specification.policy == words().NODE_LOCAL
        assert (call, patch.function_id, patch.output_mapping["out"].node_id) == ("patch False", PID, HERE)
        stage.runtime.patch("w.f.1", ("out",))
        stage.runtime.patch("w.f.1", ("out", "more"))
        await stage.so(lambda: len(stage.node.asked) >= 3)
        assert set(stage.node.asked[2][1].output_mapping) == {"out", "more"}
        assert repr(stage.runtime).endswith("1 instances, <Addresses 2 outputs, 0 sources>>")
        assert stage.runtime.instances == {PID: "w.f.1"}
        stage.deliver("1", EventKind.STOP)
        stage.runtime.kill("w.f.1")
        assert isinstance((await stage.until(3))[-1], SandboxGone)

    on_stage(tmp_path, play)


def test_a_resource_is_started_by_its_class(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(ResourceClass("file-log", (("filename", "x"),)))
        await stage.until(2)
        (call, start), (patched, _) = stage.node.asked
        assert (call, start.resource_class_type, dict(start.configuration)) == (
            "resource", "file-log", {"filename": "x"},
        )  # fmt: skip
        stage.runtime.kill("w.f.1")
        await stage.until(3)
        assert (patched, stage.node.asked[-1][0]) == ("patch True", "stop True")

    on_stage(tmp_path, play)


def test_events_go_both_ways_and_replies_to_who_has_asked(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(WasmModule("digest"))
        await stage.until(2)
        stage.deliver("1", EventKind.CAST, b"hello")
        await stage.until(3)
        cast = stage.node.asked[-1][1]
        assert (cast.msg.event_type, cast.msg.payload, cast.stream_id) == (words().CAST, "hello", 0)
        assert (len(cast.metadata.trace_id), len(cast.metadata.span_id), cast.HasField("created")) == (16, 8, True)
        stage.deliver("2", EventKind.CALL, b"ask")
        await stage.so(lambda: len(stage.node.asked) >= 4)
        call = stage.node.asked[-1][1]
        assert call.stream_id > 1 << 32, "never one of its own"
        for target, kind in ((outlet(stage), "CALL_RET"), (call.source.function_id, "CAST")):
            wrong = text_format.Parse(REPLY % (target, call.stream_id, kind), words().Event())
            stage.runtime.hear(said(wrong))
        text = REPLY % (call.source.function_id, call.stream_id, "CALL_RET")
        stage.runtime.hear(said(text_format.Parse(text, words().Event())))
        sent, reply = (await stage.until(5))[3:]
        assert sent == EventSent("w.f.1", "w.g.1@worker", is_instance=True, data=b"test_reply"), "it answers by a cast"
        assert isinstance(reply, RunEnded)
        assert reply.outcome == Ok(b"test_reply", status=200)

    on_stage(tmp_path, play)


def test_what_it_sends_is_by_the_outputs_that_it_was_told(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(WasmModule("digest"))
        await stage.until(2)
        for target in (outlet(stage), "guessed"):
            text = REPLY % (target, 0, "CAST")
            stage.runtime.hear(said(text_format.Parse(text, words().Event())))
        text = REPLY % (outlet(stage), 1, "CALL")
        stage.runtime.hear(said(text_format.Parse(text, words().Event())))
        assert stage.reports[2:] == [
            EventSent("w.f.1", "out", is_instance=False, data=b"test_reply"),
            EventAsked("w.f.1", 1, "out", is_instance=False, data=b"test_reply"),
        ]
        stage.runtime.tell("w.f.1", Listen("w.f.1", paused=True))
        for data, kind in ((b"yes", words().CALL_RET), (b"\xff", words().ERR)):
            stage.runtime.hear(said(text_format.Parse(text, words().Event())))
            asked = stage.reports[-1]
            assert isinstance(asked, EventAsked)
            stage.runtime.tell("w.f.1", Respond("w.f.1", asked.asked, ReplyKind.REPLY, data))
            told = await stage.next()
            assert (told.msg.event_type, told.stream_id, told.source.function_id) == (kind, 1, outlet(stage))

    on_stage(tmp_path, play)


def test_what_a_node_refuses_and_what_is_no_text_says_why(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.node.errors = [BadFunction("the node refuses it: as asked")]
        await stage.begin(WasmModule("digest"))
        refused = (await stage.until(2))[1]
        assert isinstance(refused, RunEnded)
        assert isinstance(refused.outcome, Failed)
        assert (refused.outcome.code, "as asked" in refused.outcome.message) == ("bad_function", True)
        stage.deliver("1", EventKind.CAST, b"\xff")
        unread = (await stage.until(3))[2]
        assert isinstance(unread, RunEnded)
        assert isinstance(unread.outcome, Failed)
        assert "text in UTF-8" in unread.outcome.message
        stage.node.errors = [Unreachable("away")]
        stage.deliver("2", EventKind.CAST, b"x")
        await stage.so(lambda: any(call == "handle" for call, _ in stage.node.asked))
        assert len(stage.reports) == 3, "it is kept, for whoever follows"

    on_stage(tmp_path, play)


def test_code_that_is_not_there_or_of_another_kind_does_not_start(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(WasmModule("nowhere"))
        assert isinstance(stage.reports[0], SandboxFailed)

    on_stage(tmp_path, play)


def test_who_has_sent_is_known_for_a_while() -> None:
    addresses = Addresses(iter(map(str, range(SOURCES_MOST + 2))).__next__)
    first = addresses.of_source("a@w")
    assert addresses.of_source("a@w") == first
    assert addresses.find(first) == "a@w"
    for number in range(SOURCES_MOST):
        addresses.of_source(f"{number}@w")
    assert addresses.find(first) is None
    assert repr(addresses) == f"<Addresses 0 outputs, {SOURCES_MOST} sources>"


def test_what_is_no_event_is_refused() -> None:
    for text in ("", 'msg { payload: "x" }'):
        try:
            said(text_format.Parse(text, words().Event()))
        except BadRequest:
            continue
        raise AssertionError(text)
    assert speech.REPLIES[ReplyKind.NOTHING] is Kind.NOTHING
    one = Revision(
        function="f", number=1, settings=Settings(name="f"), handler="", signature=Signature.EVENT,
        artefact=WasmModule("d"),
    )  # fmt: skip
    assert repr(Guest("w.f.1", one)) == "<Guest w.f.1: 0 calls to it, 0 of its own>"


def test_what_it_hosts_is_kept_before_it_is_asked_and_found_again(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.begin(WasmModule("digest"))
        await stage.until(2)
        assert stage.kept == {"w.f.1": (PID, {"out": outlet(stage)})}
        before = list(stage.node.asked)
        stage.runtime.kill("w.f.1")
        await stage.until(3)
        assert stage.kept == {}
        stage.runtime.adopt("w.f.1", PID, {"out": "told-before"})
        await stage.begin(WasmModule("no code of that name"))
        await stage.until(5)
        assert [type(one) for one in stage.reports[3:]] == [SandboxReady, RunEnded]
        assert [call for call, _ in stage.node.asked[len(before) :]] == ["stop False"], "it is not started again"
        assert stage.runtime.instances == {PID: "w.f.1"}
        stage.runtime.hear(Said(NODE, PID, HERE, "told-before", Kind.CAST, b"x", 0))
        assert stage.reports[5:] == [EventSent("w.f.1", "out", is_instance=False, data=b"x")]

    on_stage(tmp_path, play)


def test_of_a_start_that_nobody_has_answered_nothing_is_forgotten(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        for error, kept in ((Unreachable("it is away", ""), {"w.f.1"}), (BadFunction("it is refused", ""), set())):
            stage.reports.clear()
            stage.node.errors.append(error)
            await stage.begin(WasmModule("digest"))
            await stage.until(2)
            stage.runtime.kill("w.f.1")
            await stage.until(3)
            assert set(stage.kept) == kept

    on_stage(tmp_path, play)
