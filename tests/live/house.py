"""A process runtime on a private state directory, and a short way to run a function in it."""

import asyncio
import contextlib
import json
import tempfile
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from attacca.kernel.clock import SystemClock
from attacca.model.function import PythonDirectory, Revision, Settings, Signature
from attacca.model.invocation import Invocation, Ok, Outcome, Request
from attacca.model.messages import Logged
from attacca.worker.core.reports import (
    Report,
    RunBody,
    RunEnded,
    RunHead,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from tests.live.patience import IMPORT_S, NAP_S, PATIENCE_S

STEP_S = 0.5
R = TypeVar("R")


class House:
    def __init__(self, state: Path, options: ProcessOptions, nat: Nat | None = None) -> None:
        self.state, self.runtime = state, ProcessRuntime(SharedCode(state), options, SystemClock(), nat=nat)
        self.reports: list[Report] = []
        self._news = asyncio.Event()
        self._count = 0

    def hear(self, report: Report) -> None:
        self.reports.append(report)
        self._news.set()

    async def until(self, found: Callable[[Report], bool]) -> Report:
        """The first report, past or future, of which this is true."""
        seen = 0
        while True:
            for report in self.reports[seen:]:
                if found(report):
                    return report
            seen = len(self.reports)
            self._news.clear()
            await self._hear_more()

    async def _hear_more(self) -> None:
        """Patience is counted in steps: a machine that was paused has taken one."""
        for _ in range(int(PATIENCE_S / STEP_S)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), STEP_S)
                return
        raise TimeoutError(f"nothing more is reported: {self.reports[-3:]}")

    def function(self, source: str, signature: Signature = Signature.NAMED, **settings: Any) -> Revision:
        self._count += 1
        name = settings.pop("name", f"f{self._count}")
        code = self.state / "code" / name
        code.mkdir(mode=0o755)
        (code / "main.py").write_text(textwrap.dedent(source))
        return Revision(
            function=name,
            number=1,
            settings=Settings(name=name, **settings),
            handler="main:handler",
            signature=signature,
            artefact=PythonDirectory(name),
        )

    async def template(self, revision: Revision) -> TemplateReady | TemplateFailed:
        self._count += 1
        name = f"t{self._count}"
        self.runtime.make_template(name, revision)
        report = await self.until(lambda r: isinstance(r, TemplateReady | TemplateFailed) and r.template == name)
        assert isinstance(report, TemplateReady | TemplateFailed)
        return report

    async def sandbox(self, revision: Revision, template: str | None = None) -> str:
        self._count += 1
        name = f"s{self._count}"
        self.runtime.make_sandbox(name, revision, template)
        report = await self.until(lambda r: isinstance(r, SandboxReady | SandboxFailed) and r.sandbox == name)
        assert isinstance(report, SandboxReady), (report, self.printed())
        return name

    async def run(self, sandbox: str, revision: Revision, body: bytes = b"", **request: Any) -> Outcome | SandboxGone:
        self._count += 1
        name = f"i{self._count}"
        self.runtime.run(
            sandbox, revision, Invocation(name, revision.function, revision.id, Request(body=body, **request))
        )
        report = await self.until(
            lambda r: (
                (isinstance(r, RunEnded) and r.invocation == name)
                or (isinstance(r, SandboxGone) and r.sandbox == sandbox)
            )
        )
        assert isinstance(report, RunEnded | SandboxGone)
        return report.outcome if isinstance(report, RunEnded) else report

    async def gone(self, sandbox: str) -> SandboxGone:
        report = await self.until(lambda r: isinstance(r, SandboxGone) and r.sandbox == sandbox)
        assert isinstance(report, SandboxGone)
        return report

    async def template_gone(self, template: str) -> None:
        await self.until(lambda r: isinstance(r, TemplateGone) and r.template == template)

    async def quiet(self, left: Callable[[], object]) -> None:
        """Wait until nothing is left of what no report tells the end of."""
        for _ in range(int(PATIENCE_S / NAP_S)):
            if not left():
                return
            await asyncio.sleep(NAP_S)
        assert not left(), left()

    def printed(self, stream: str = "stdout") -> str:
        return "".join(r.text for r in self.reports if isinstance(r, Logged) and r.stream == stream)

    def streamed(self) -> tuple[list[RunHead], bytes]:
        heads = [r for r in self.reports if isinstance(r, RunHead)]
        return heads, b"".join(r.data for r in self.reports if isinstance(r, RunBody))


def visit(story: Callable[[House], Awaitable[R]], nat: Nat | None = None, **options: Any) -> R:
    """Run a story in a house that is gone afterwards."""

    async def main() -> R:
        with tempfile.TemporaryDirectory(prefix="attacca-test-") as state:
            house = House(
                Path(state), ProcessOptions(**{"memory_limits": "watch", "start_timeout_s": IMPORT_S, **options}), nat
            )
            await house.runtime.open(house.hear)
            try:
                return await story(house)
            finally:
                await house.runtime.close()

    return uvloop.run(main())


def value(outcome: object) -> Any:
    assert isinstance(outcome, Ok), outcome
    return json.loads(outcome.body)


def call(source: str, body: bytes = b"", signature: Signature = Signature.NAMED, **settings: Any) -> object:
    """What one cold invocation of a handler comes to."""
    options = settings.pop("options", {})

    async def story(house: House) -> object:
        revision = house.function(source, signature, **settings)
        return await house.run(await house.sandbox(revision), revision, body)

    return visit(story, **options)
