"""Functions in WebAssembly are made by a runtime of processes, once their machine code is there."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.errors import BadFunction, StartFailed
from attacca.kernel.clock import SystemClock
from attacca.model.function import PythonDirectory, Revision, Signature, WasmFunction
from attacca.model.invocation import Making
from attacca.worker.core.reports import Report, SandboxFailed, SandboxReady, TemplateFailed, TemplateReady
from attacca.worker.runtime.wasm import machine_code
from attacca.worker.runtime.wasm.functions import KILLED, WasmFunctions
from attacca.worker.runtime.wasm.machine_code import MachineCode
from tests.logged import Logged
from tests.worker.stage import revision

OF = msgspec.structs.replace(revision("f"), artefact=WasmFunction("c0de"))


class Beneath:
    """A runtime of processes that notes its orders, and makes all that it is asked for."""

    has_events = True

    def __init__(self) -> None:
        self.orders: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words: self.orders.append((name, *words))

    async def open(self, sink: Callable[[Report], None]) -> None:
        self.say = sink

    async def close(self) -> None:
        self.orders.append(("close",))

    def make_template(self, template: str, of: Revision) -> None:
        self.orders.append(("make_template", template, of))
        self.say(TemplateReady(template, of.handler, Signature.WSGI, 20, Making(1.0)))

    def make_sandbox(self, sandbox: str, of: Revision, template: str | None) -> None:
        self.orders.append(("make_sandbox", sandbox, of, template))
        self.say(SandboxReady(sandbox, Making(1.0)))


async def compiled(source: bytes, is_pure: bool) -> bytes:  # noqa: FBT001 - machine_code.Compile
    await asyncio.sleep(0)
    if source == b"bad":
        raise BadFunction("it cannot be compiled", "mend it")
    if source == b"odd":
        raise TypeError("no such word")
    return source


def play(place: Path, source: bytes, story: Callable[[WasmFunctions, Beneath, Any], Awaitable[None]]) -> None:
    (place / "code" / "c0de").mkdir(parents=True)
    (place / "code" / "c0de" / "x.wasm").write_bytes(source)

    async def whole() -> None:
        beneath, reports = Beneath(), asyncio.Queue[Report]()
        made = MachineCode(place / "code", place / "made", compiled)
        runtime = WasmFunctions(beneath, "packages", made, SystemClock())
        await runtime.open(reports.put_nowait)
        await story(runtime, beneath, reports.get)
        await runtime.close()
        assert reports.empty()

    asyncio.run(whole())


def test_a_template_is_made_of_machine_code_and_sandboxes_of_it(tmp_path: Path) -> None:
    async def story(runtime: WasmFunctions, beneath: Beneath, heard: Any) -> None:
        runtime.make_template("t", OF)
        assert repr(runtime).startswith("<WasmFunctions 1 on their way, <MachineCode 0 on their way>, ")
        ready = await heard()
        assert (ready.template, ready.handler) == ("t", "command")
        runtime.make_sandbox("s", OF, "t")
        assert (await heard()).sandbox == "s"
        runtime.make_sandbox("alone", OF, None)
        assert (await heard()).sandbox == "alone"
        (_, _, of), (_, _, again, template), (_, _, _, none) = beneath.orders
        (directory,) = (tmp_path / "made").iterdir()
        assert of.artefact == PythonDirectory(directory.name, "packages")
        assert (again.function, again.signature, template, none) == (OF.function, Signature.WSGI, "t", None)
        (file,) = directory.glob("c-*.machine")
        assert file.read_bytes() == b"machine code"
        assert (directory / "host" / "function.py").is_file()
        runtime.kill("s")
        runtime.drop_template("t")
        assert beneath.orders[3:] == [("kill", "s"), ("drop_template", "t")]

    play(tmp_path, b"cmachine code", story)


def test_what_cannot_be_compiled_is_told_and_not_tried_again(tmp_path: Path) -> None:
    async def story(runtime: WasmFunctions, _: Beneath, heard: Any) -> None:
        runtime.make_template("t", OF)
        assert await heard() == TemplateFailed("t", "bad_function", "it cannot be compiled", hint="mend it")
        runtime.make_sandbox("s", OF, None)
        assert await heard() == SandboxFailed("s", "bad_function", "it cannot be compiled", "it cannot be compiled")

    play(tmp_path, b"bad", story)


def test_a_start_ends_whatever_goes_wrong(tmp_path: Path, logged: Logged) -> None:
    async def story(runtime: WasmFunctions, _: Beneath, heard: Any) -> None:
        runtime.make_template("t", OF)
        failed = await heard()
        assert (failed.code, failed.message.partition(": ")[2]) == ("start_failed", "no such word")
        assert repr(runtime).startswith("<WasmFunctions 0 on their way")

    play(tmp_path, b"odd", story)
    assert logged.messages == [f"bug: the code of {OF.id} was not made"]


def test_what_is_ended_while_it_is_compiled_ends_once(tmp_path: Path) -> None:
    async def story(runtime: WasmFunctions, beneath: Beneath, heard: Any) -> None:
        runtime.run("nobody", OF, None)  # type: ignore[arg-type]  # it is not looked at
        runtime.make_sandbox("early", OF, "gone")
        assert await heard() == SandboxFailed("early", "sandbox_lost", "its template is gone")
        runtime.make_template("t", OF)
        runtime.make_sandbox("s", OF, None)
        runtime.drop_template("t")
        runtime.kill("s")
        assert [await heard(), await heard()] == [
            TemplateFailed("t", "start_failed", KILLED), SandboxFailed("s", "start_failed", KILLED)
        ]  # fmt: skip
        assert beneath.orders == []

    play(tmp_path, b"cmachine code", story)


def test_what_was_made_is_found_again_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for digest in "ab":
        (tmp_path / "code" / digest).mkdir(parents=True)
        (tmp_path / "code" / digest / "x.wasm").write_bytes(b"h" + digest.encode() * 100)
    asked = []

    async def noting(source: bytes, is_pure: bool) -> bytes:  # noqa: FBT001 - machine_code.Compile
        assert not is_pure
        asked.append(source[:2])
        return source

    async def story() -> None:
        made = MachineCode(tmp_path / "code", tmp_path / "made", noting)
        first, again = await asyncio.gather(made.bring("a"), made.bring("a"))
        assert first == again == await made.bring("a")
        assert first.kind == "h"
        assert asked == [b"ha"]
        monkeypatch.setattr(machine_code, "DISK_BYTES", 150)
        second = await made.bring("b")
        assert [path.name for path in (tmp_path / "made").iterdir()] == [second.name]
        with pytest.raises(StartFailed, match="the module gone is not there"):
            await made.bring("gone")

    asyncio.run(story())


def test_machine_code_that_a_disk_has_spoilt_is_made_anew(tmp_path: Path, logged: Logged) -> None:
    (tmp_path / "code" / "a").mkdir(parents=True)
    (tmp_path / "code" / "a" / "x.wasm").write_bytes(b"hcode")
    asked = []

    async def noting(source: bytes, is_pure: bool) -> bytes:  # noqa: FBT001 - machine_code.Compile
        asked.append((source, is_pure))
        return source

    async def story() -> None:
        for spoilt in (b"", b"cod", b"cod!", b"code and more"):
            made = MachineCode(tmp_path / "code", tmp_path / "made", noting)
            place = await made.bring("a")
            (file,) = (tmp_path / "made" / place.name).glob("*.machine")
            assert file.read_bytes() == b"code"
            file.write_bytes(spoilt)
        assert len(asked) == 4
        shutil.rmtree(tmp_path / "made")
        several = [MachineCode(tmp_path / "code", tmp_path / "made", noting) for _ in range(3)]
        assert {*await asyncio.gather(*(one.bring("a") for one in several))} == {place}
        assert await several[0].bring("a") == place
        assert [path.name for path in (tmp_path / "made").iterdir()] == [place.name]

    asyncio.run(story())
    assert 5 <= len(asked) <= 7
    assert len(logged.messages) == 3
    assert all("is not what was put there" in one for one in logged.messages)


def test_what_is_no_machine_code_is_not_kept(tmp_path: Path) -> None:
    async def story(runtime: WasmFunctions, _: Beneath, heard: Any) -> None:
        runtime.make_template("t", OF)
        assert (await heard()).message == "its compiler answered with what is no machine code"

    play(tmp_path, b"?", story)
    assert not (tmp_path / "made").exists()


def test_what_another_wasmtime_has_made_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code" / "a").mkdir(parents=True)
    (tmp_path / "code" / "a" / "x.wasm").write_bytes(b"hcode")
    asked = []

    async def noting(source: bytes, is_pure: bool) -> bytes:  # noqa: FBT001 - machine_code.Compile
        asked.append((source, is_pure))
        return source

    def made() -> MachineCode:
        return MachineCode(tmp_path / "code", tmp_path / "made", noting)

    async def story() -> None:
        now = await made().bring("a")
        monkeypatch.setattr(machine_code, "maker", lambda: "another")
        other = await made().bring("a")
        assert {path.name for path in (tmp_path / "made").iterdir()} == {now.name, other.name}
        assert other.name == "a-another"

    asyncio.run(story())
    assert len(asked) == 2
