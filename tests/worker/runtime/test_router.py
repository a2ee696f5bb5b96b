"""Each revision is made where its artefact can be, and all that follows goes there."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from attacca.errors import IsolationMissing
from attacca.model.function import Artefact, Executable, Image, PodImage, PythonDirectory, Revision, WasmModule
from attacca.model.invocation import Invocation, Request
from attacca.worker.core.events import ToSandbox
from attacca.worker.core.reports import Report, SandboxFailed, Sink, TemplateFailed
from attacca.worker.runtime.router import Router, missing, with_events
from attacca.worker.runtime.types import Runtime
from tests.worker.stage import revision

PYTHON = revision("echo")
IMAGE = msgspec.structs.replace(PYTHON, artefact=Image("d" * 40))
CALL = Invocation("i1", "echo", PYTHON.id, Request())


class Notebook:
    """A runtime that writes down what it is told."""

    has_events = True

    def __init__(self, name: str, told: list[str], *, is_fit: bool = True) -> None:
        self._name, self._told, self._is_fit = name, told, is_fit

    def _note(self, *words: object) -> None:
        self._told.append(" ".join([self._name, *map(str, words)]))

    async def open(self, sink: Sink) -> None:
        if not self._is_fit:
            raise IsolationMissing("no", "")
        self._note("open")

    async def close(self) -> None:
        self._note("close")

    def make_template(self, template: str, revision: Revision) -> None:
        self._note("make", template)

    def drop_template(self, template: str) -> None:
        self._note("drop", template)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        self._note("make", sandbox, template)

    def kill(self, sandbox: str) -> None:
        self._note("kill", sandbox)

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        self._note("run", sandbox, invocation.id)

    def stop(self, sandbox: str, invocation: str) -> None:
        self._note("stop", sandbox, invocation)

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - a Runtime's
        self._note("body", sandbox, invocation, data, last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - a Runtime's
        self._note("flow", sandbox, invocation, paused)

    def leave(self, sandbox: str, invocation: str) -> None:
        self._note("leave", sandbox, invocation)

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        self._note("tell", sandbox, word)


def play(story: Callable[[Router, list[str], list[Report]], Awaitable[None]], *kinds: type[Artefact]) -> list[str]:
    told: list[str] = []

    async def main() -> None:
        router, heard = Router({kind: Notebook(kind.__name__, told) for kind in kinds}), list[Report]()
        is_runtime: Runtime = router
        await is_runtime.open(heard.append)
        await story(router, told, heard)
        await router.close()

    asyncio.run(main())
    return told


def test_what_may_be_an_event_function_is_told() -> None:
    silent = Notebook("image", [])
    silent.has_events = False
    runtimes: dict[type[Artefact], Runtime] = {Image: silent, PythonDirectory: Notebook("python", [])}
    assert with_events(runtimes) == ("a directory of Python",)
    assert (Router(runtimes).has_events, Router({Image: silent}).has_events) == (True, False)


def test_a_revision_goes_to_the_runtime_of_its_kind() -> None:
    async def story(router: Router, told: list[str], heard: list[Report]) -> None:
        assert repr(router) == "<Router 2 of 2 open: PythonDirectory, Image>"
        router.make_template("t1", PYTHON)
        router.make_sandbox("s1", PYTHON, "t1")
        router.make_sandbox("s2", IMAGE, None)
        router.run("s1", PYTHON, CALL)
        router.run("s2", IMAGE, CALL)

    assert play(story, PythonDirectory, Image) == [
        *("PythonDirectory open", "Image open"),
        *("PythonDirectory make t1", "PythonDirectory make s1 t1", "Image make s2 None"),
        *("PythonDirectory run s1 i1", "Image run s2 i1"),
        *("PythonDirectory close", "Image close"),
    ]


def test_what_names_no_revision_is_told_to_all() -> None:
    async def story(router: Router, told: list[str], heard: list[Report]) -> None:
        told.clear()
        router.stop("s1", "i1")
        router.body("s1", "i1", b"x", True)  # noqa: FBT003 - a Runtime's
        router.flow("s1", "i1", False)  # noqa: FBT003 - a Runtime's
        router.leave("s1", "i1")
        router.kill("s1")
        router.drop_template("t1")

    words = ["stop s1 i1", "body s1 i1 b'x' True", "flow s1 i1 False", "leave s1 i1", "kill s1", "drop t1"]
    told = play(story, PythonDirectory, Image)
    assert told[:-2] == [f"{kind} {word}" for word in words for kind in ("PythonDirectory", "Image")]


ARTEFACTS = (Image("d" * 40), WasmModule("d" * 40), Executable("d" * 40), PodImage("x:1"))


@pytest.mark.parametrize("artefact", ARTEFACTS, ids=str)
def test_what_nobody_can_run_is_refused_in_one_sentence_and_not_inside_the_call(artefact: Artefact) -> None:
    async def story(router: Router, told: list[str], heard: list[Report]) -> None:
        strange = msgspec.structs.replace(PYTHON, artefact=artefact)
        router.make_template("t1", strange)
        router.make_sandbox("s1", strange, None)
        assert heard == []
        await asyncio.sleep(0)
        why, hint = missing(artefact).message, missing(artefact).hint
        assert artefact.what in why
        assert heard == [
            TemplateFailed("t1", "runtime_missing", why, hint=hint),
            SandboxFailed("s1", "runtime_missing", why),
        ]
        assert ("pip install" in hint) == isinstance(artefact, WasmModule)

    assert play(story, PythonDirectory) == ["PythonDirectory open", "PythonDirectory close"]


def test_one_runtime_may_have_several_kinds() -> None:
    told: list[str] = []

    async def main() -> None:
        both = Notebook("both", told)
        router = Router({PythonDirectory: both, Executable: both})
        await router.open(lambda _: None)
        router.kill("s1")
        await router.close()

    asyncio.run(main())
    assert told == ["both open", "both kill s1", "both close"]


def test_when_one_cannot_be_opened_none_is() -> None:
    told: list[str] = []

    async def main() -> None:
        router = Router({PythonDirectory: Notebook("first", told), Image: Notebook("second", told, is_fit=False)})
        with pytest.raises(IsolationMissing):
            await router.open(lambda _: None)
        assert repr(router) == "<Router 0 of 2 open: PythonDirectory, Image>"

    asyncio.run(main())
    assert told == ["first open", "first close"]
