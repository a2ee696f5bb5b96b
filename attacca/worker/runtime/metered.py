"""A runtime whose sandboxes and runs are written into the book of energy on their way."""

from collections.abc import Callable

from attacca.model.function import Revision
from attacca.model.invocation import Invocation
from attacca.worker.core.energy.ledger import Ledger
from attacca.worker.core.reports import Report, RunEnded, SandboxFailed, SandboxGone, Sink
from attacca.worker.runtime.around import Around
from attacca.worker.runtime.types import Runtime


class Metered(Around):
    """It is a `types.Runtime`. `memory_mb`: all that sandboxes may reserve together."""

    def __init__(self, inner: Runtime, ledger: Ledger, memory_mb: int, now: Callable[[], float]) -> None:
        self._inner, self._ledger, self._memory_mb, self._now = inner, ledger, memory_mb, now
        self._sink: Sink | None = None

    def __repr__(self) -> str:
        return f"<Metered {self._inner!r} into {self._ledger!r}>"

    async def open(self, sink: Sink) -> None:
        self._sink = sink
        await self._inner.open(self._hear)

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        self._ledger.began(self._now(), sandbox, invocation.id)
        self._inner.run(sandbox, revision, invocation)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        share = revision.settings.resources.memory_mb / self._memory_mb
        self._ledger.made(self._now(), sandbox, revision.function, share)
        self._inner.make_sandbox(sandbox, revision, template)

    def _hear(self, report: Report) -> None:
        """Whoever waits for the report has it first."""
        assert self._sink is not None, "nothing is reported before open()"
        self._sink(report)
        if type(report) is RunEnded:
            self._ledger.ended(self._now(), report.sandbox, report.invocation)
        elif type(report) is SandboxGone or type(report) is SandboxFailed:
            self._ledger.gone(self._now(), report.sandbox)
