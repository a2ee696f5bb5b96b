"""Resources as a worker has them: made, told and ended as sandboxes are."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.errors import BadConfig, StateUnavailable
from attacca.kernel.clock import ManualClock
from attacca.model.events import Delivery, EventKind
from attacca.model.function import ResourceClass, Signature
from attacca.model.invocation import Failed, Making, Ok
from attacca.worker.core.events import Deliver
from attacca.worker.core.reports import Report, RunEnded, SandboxFailed, SandboxGone, SandboxReady
from attacca.workflow.resources.file_log import FileLog
from attacca.workflow.resources.making import Classes
from attacca.workflow.resources.runtime import ResourceRuntime
from attacca.workflow.resources.types import Host
from tests.cases import each
from tests.worker.stage import revision


def resource(name: str, **configuration: str) -> Any:
    made = ResourceClass(name, tuple(configuration.items()))
    return msgspec.structs.replace(revision("log"), artefact=made, signature=Signature.EVENTS)


class Bench:
    def __init__(self, directory: Path) -> None:
        self.runtime = ResourceRuntime(Classes(("file-log",)).find, directory, ManualClock())
        self.reports: asyncio.Queue[Report] = asyncio.Queue()

    async def handle(self, kind: EventKind, data: bytes = b"", source: str = "a@w\nwf") -> Report:
        self.runtime.tell("r", Deliver("r", Delivery("d", kind, source, data)))
        return await self.reports.get()


def play(directory: Path, story: Any) -> None:
    async def whole() -> None:
        bench = Bench(directory)
        await bench.runtime.open(bench.reports.put_nowait)
        try:
            await story(bench)
        finally:
            await bench.runtime.close()

    asyncio.run(whole())


def test_a_file_log_has_a_line_for_each_event(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.runtime.make_sandbox("r", resource("file-log", filename="sub/my.log"), None)
        assert await bench.reports.get() == SandboxReady("r", Making())
        for kind, data in ((EventKind.INIT, b""), (EventKind.CAST, b"one"), (EventKind.CALL, b"two")):
            ended = await bench.handle(kind, data)
            status = 200 if kind is EventKind.CALL else 204
            assert isinstance(ended, RunEnded)
            assert ended.outcome == Ok(b"", status=status)
        assert repr(bench.runtime) == "<ResourceRuntime 1 resources, 0 at work>"
        bench.runtime.kill("r")
        assert await bench.reports.get() == SandboxGone("r", "sandbox_lost", "it was stopped")

    play(tmp_path, story)
    assert (tmp_path / "sub" / "my.log").read_text() == "one\ntwo\n"


def test_what_cannot_be_made_says_why(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        for made, why in (
            (resource("nothing"), "there is no resource of the class 'nothing' (this node has file-log)"),
            (resource("file-log"), "a file-log needs 'filename' in its configuration (write filename = \"...\")"),
        ):
            bench.runtime.make_sandbox("r", made, None)
            assert await bench.reports.get() == SandboxFailed("r", "bad_function", why)

    play(tmp_path, story)


def test_what_it_cannot_do_fails_and_it_lives_on(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.runtime.make_sandbox("r", resource("file-log", filename="here/my.log"), None)
        await bench.reports.get()
        (tmp_path / "here").write_text("a file where a directory is to be")
        ended = await bench.handle(EventKind.CAST, b"one")
        assert isinstance(ended, RunEnded)
        assert isinstance(ended.outcome, Failed)
        assert "cannot be written" in ended.outcome.message

    play(tmp_path, story)


@each("name", ["/etc/passwd", "../up", "a/../../b", "~/x"])
def test_a_file_log_stays_in_its_directory(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="leads out"):
        FileLog({"filename": name}, Host(lambda _, __: None, tmp_path, lambda: 0.0))


def test_a_line_may_have_its_time_and_its_source(tmp_path: Path) -> None:
    host = Host(lambda _, __: None, tmp_path, lambda: 1.5)
    log = FileLog({"filename": "x", "add-timestamp": "true", "add-source-id": "yes"}, host)

    def run(work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run(work)

    run(log.cast("a.1@w", b"text"))
    assert (tmp_path / "x").read_text() == "1970-01-01T00:00:01.500000+00:00 a.1@w text\n"
    assert repr(log) == "<FileLog x, 1 lines>"
    (tmp_path / "x").unlink()
    (tmp_path / "x").mkdir()
    with pytest.raises(StateUnavailable):
        run(log.open("a", "b"))
