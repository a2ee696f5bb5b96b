"""A runtime whose sandboxes and runs are written into the book of energy on their way."""

from collections.abc import Callable

from attacca.model.function import Revision
from attacca.model.invocation import Invocation
from attacca.worker.core.energy.ledger import Ledger
from attacca.worker.core.events import OfEvent
from attacca.worker.core.reports import Report, RunEnded, SandboxFailed, SandboxGone, Sink
from attacca.worker.runtime.types import Runtime


class Metered:
    """It is a `types.Runtime`. `memory_mb`: all that sandboxes may reserve together."""

    def __init__(self, inner: Runtime, ledger: Ledger, memory_mb: int, now: Callable[[], float]) -> None:
        self._inner, self._ledger, self._memory_mb, self._now = inner, ledger, memory_mb, now
        self._sink: Sink | None = None

    def __repr__(self) -> str:
        return f"<Metered {self._inner!r} into {self._ledger!r}>"

    @property
    def has_events(self) -> bool:
        return self._inner.has_events

    async def open(self, sink: Sink) -> None:
        self._sink = sink
        await self._inner.open(self._hear)

    async def close(self) -> None:
        await self._inner.close()

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        self._ledger.began(self._now(), sandbox, invocation.id)
        self._inner.run(sandbox, revision, invocation)

    def make_template(self, template: str, revision: Revision) -> None:
        self._inner.make_template(template, revision)

    def drop_template(self, template: str) -> None:
        self._inner.drop_template(template)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        share = revision.settings.resources.memory_mb / self._memory_mb
        self._ledger.made(self._now(), sandbox, revision.function, share)
        self._inner.make_sandbox(sandbox, revision, template)

    def kill(self, sandbox: str) -> None:
        self._inner.kill(sandbox)

    def stop(self, sandbox: str, invocation: str) -> None:
        self._inner.stop(sandbox, invocation)

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        self._inner.body(sandbox, invocation, data, last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        self._inner.flow(sandbox, invocation, paused)

    def tell(self, sandbox: str, word: OfEvent) -> None:
        self._inner.tell(sandbox, word)

    def leave(self, sandbox: str, invocation: str) -> None:
        self._inner.leave(sandbox, invocation)

    def _hear(self, report: Report) -> None:
        """Whoever waits for the report has it first."""
        assert self._sink is not None, "nothing is reported before open()"
        self._sink(report)
        if type(report) is RunEnded:
            self._ledger.ended(self._now(), report.sandbox, report.invocation)
        elif type(report) is SandboxGone or type(report) is SandboxFailed:
            self._ledger.gone(self._now(), report.sandbox)
