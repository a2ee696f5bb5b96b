"""A runtime on the bench: somebody who gives it orders as a worker would, and a witness of all that it reports."""

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec

from attacca.model.function import Revision
from attacca.model.invocation import Invocation, Ok, Request
from attacca.model.messages import Logged
from attacca.worker.core.events import Hand
from attacca.worker.core.reports import (
    DevicesSeen,
    EventAsked,
    EventSent,
    Report,
    RunBody,
    RunEnded,
    RunFlow,
    RunHead,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    StateOffered,
    TakenBack,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)
from attacca.worker.runtime.types import Runtime

PATIENCE_S = 30.0
WORDS = b'{"word": "hello"}'
BIRTHS = SandboxReady | SandboxFailed | TemplateReady | TemplateFailed
ENDS = SandboxFailed | SandboxGone | TemplateFailed | TemplateGone


class Witness:
    """The sink of a runtime: hears what it reports, and says what was wrong with that."""

    def __init__(self) -> None:
        self.heard: list[Report] = []
        self.wrong: list[str] = []
        self.is_telling = self.is_closed = False
        self._phases: dict[str, str] = {}  # of sandboxes and templates: ordered, ready, ended
        self._running: dict[tuple[str, str], str] = {}  # by sandbox and invocation: running, answering
        self._news = asyncio.Event()

    def __repr__(self) -> str:
        phases = Counter(self._phases.values())
        return f"<Witness {len(self.heard)} heard, {phases['ready']} ready, {len(self._running)} running>"

    def ordered(self, name: str) -> None:
        self._phases[name] = "ordered"

    def began(self, sandbox: str, invocation: str) -> None:
        self._running[sandbox, invocation] = "running"

    def hear(self, report: Report) -> None:
        try:
            self._judge(report)
        except AssertionError as error:  # it would be lost in the runtime, which is not the one to handle it
            self.wrong.append(str(error))
        self.heard.append(report)
        self._news.set()

    def _judge(self, report: Report) -> None:
        assert not self.is_telling, f"inside the call that ordered it: {report}"
        assert not self.is_closed, f"after it was closed: {report}"
        match report:
            case SandboxReady(sandbox=name, made=made) | TemplateReady(template=name, made=made):
                self._moves(name, "ordered", "ready", report)
                assert min(msgspec.structs.astuple(made)) >= 0, f"a part took less than nothing: {report}"
            case SandboxFailed(sandbox=name) | TemplateFailed(template=name):
                self._moves(name, "ordered", "ended", report)
            case SandboxGone(sandbox=name) | TemplateGone(template=name):
                self._moves(name, "ready", "ended", report)
                for key in [key for key in self._running if key[0] == name]:
                    del self._running[key]
            case RunHead():
                self._answers(report, "running")
            case RunBody():
                self._answers(report, "answering")
            case RunEnded():
                is_streamed = isinstance(report.outcome, Ok) and report.outcome.streamed
                was = self._running.pop((report.sandbox, report.invocation), None)
                assert was is not None, f"of what does not run: {report}"
                assert was == "answering" or not is_streamed, f"without a head: {report}"
            case RunFlow() | Logged() | TakenBack() | EventSent() | EventAsked() | StateOffered():
                assert report.sandbox in self._phases, f"of nobody: {report}"
            case DevicesSeen():
                pass

    def _moves(self, name: str, before: str, after: str, report: Report) -> None:
        assert self._phases.get(name) == before, f"{name} is {self._phases.get(name, 'unknown')}: {report}"
        self._phases[name] = after

    def _answers(self, report: RunHead | RunBody, wanted: str) -> None:
        key = report.sandbox, report.invocation
        assert self._running.get(key) == wanted, f"it is {self._running.get(key, 'over')}: {report}"
        self._running[key] = "answering"

    async def until(self, is_it: Callable[[Report], bool], what: str) -> Report:
        """The first report that is so; waited for, when there is none yet."""
        seen = 0
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    for report in self.heard[seen:]:
                        if is_it(report):
                            return report
                    seen = len(self.heard)
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"waited for {what}, and heard {self.heard}") from None


class Bench:
    """A runtime at work, as its worker would put it to work."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self.witness = runtime, Witness()
        self._count = 0

    def __repr__(self) -> str:
        return f"<Bench {self._count} ordered, {self.witness}>"

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def tell(self, order: Callable[..., None], *words: object) -> None:
        self.witness.is_telling = True
        order(*words)
        self.witness.is_telling = False

    def make_template(self, revision: Revision) -> str:
        name = self._name("t")
        self.witness.ordered(name)
        self.tell(self.runtime.make_template, name, revision)
        return name

    def make(self, revision: Revision, template: str | None = None) -> str:
        name = self._name("s")
        self.witness.ordered(name)
        self.tell(self.runtime.make_sandbox, name, revision, template)
        return name

    def run(self, sandbox: str, revision: Revision, body: bytes = WORDS, *, more: bool = False, path: str = "/") -> str:
        name = self._name("i")
        self.witness.began(sandbox, name)
        request = Request(content_type="application/json", body=body, method="POST", path=path, more=more)
        self.tell(self.runtime.run, sandbox, revision, Invocation(name, revision.function, revision.id, request))
        return name

    def hand(self, sandbox: str, revision: Revision) -> str:
        """As what it runs next."""
        name = self._name("i")
        invocation = Invocation(name, revision.function, revision.id, Request(WORDS, "application/json"))
        self.tell(self.runtime.tell, sandbox, Hand(sandbox, revision, invocation))
        return name

    def kill(self, sandbox: str) -> None:
        self.tell(self.runtime.kill, sandbox)

    async def template(self, revision: Revision) -> str:
        name = self.make_template(revision)
        report = await self.born(name)
        assert isinstance(report, TemplateReady), report
        return name

    async def sandbox(self, revision: Revision, template: str | None = None) -> str:
        name = self.make(revision, template)
        report = await self.born(name)
        assert isinstance(report, SandboxReady), report
        return name

    async def born(self, name: str) -> Report:
        """Whether it is ready, or failed."""
        return await self.witness.until(lambda one: isinstance(one, BIRTHS) and _whose(one) == name, f"{name} to start")

    async def gone(self, name: str) -> Report:
        return await self.witness.until(lambda one: isinstance(one, ENDS) and _whose(one) == name, f"{name} to end")

    async def ended(self, invocation: str) -> RunEnded:
        report = await self.witness.until(
            lambda one: isinstance(one, RunEnded) and one.invocation == invocation, f"{invocation} to end"
        )
        assert isinstance(report, RunEnded)
        return report

    def has_ended(self, invocation: str) -> bool:
        return any(isinstance(one, RunEnded) and one.invocation == invocation for one in self.witness.heard)

    async def echo(self, sandbox: str, revision: Revision) -> None:
        """It is there and works."""
        outcome = (await self.ended(self.run(sandbox, revision))).outcome
        assert isinstance(outcome, Ok), outcome
        assert outcome.body.replace(b" ", b"") == WORDS.replace(b" ", b""), outcome


def _whose(report: BIRTHS | ENDS) -> str:
    return getattr(report, "sandbox", "") or getattr(report, "template", "")
