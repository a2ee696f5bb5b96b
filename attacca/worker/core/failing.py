"""Starts that came to nothing: whose affair it was, and who is told."""

from collections.abc import Callable
from typing import Final

from attacca.model.invocation import Failed
from attacca.worker.core.catalogue import Catalogue
from attacca.worker.core.events import Command
from attacca.worker.core.lines import Lines
from attacca.worker.core.pool import Pool
from attacca.worker.core.reports import SandboxFailed, advice
from attacca.worker.core.state import Loss, Sandbox
from attacca.worker.core.templates import Templates

LOST_STARTS: Final = 3  # in a row, before one that was merely lost (a fork whose template died) counts as hopeless


class Failing:
    def __init__(
        self, pool: Pool, templates: Templates, lines: Lines, catalogue: Catalogue,
        ended: Callable[[float, Sandbox, Failed, list[Command]], None],
    ) -> None:  # fmt: skip
        """`ended`: for those that were ordered."""
        self._pool, self._templates, self._lines, self._catalogue = pool, templates, lines, catalogue
        self._ended = ended

    def __repr__(self) -> str:
        return f"<Failing of {self._lines!r}>"

    def failed(self, now: float, sandbox: Sandbox, event: SandboxFailed, out: list[Command]) -> None:
        state = sandbox.state
        loss = Loss(now, "failed to start", f": {event.message}")
        was_wanted = self._pool.ended(now, sandbox, loss, out, was_ready=False)
        self._ended(now, sandbox, Failed(event.code, event.message, advice(event.code), event.traceback), out)
        if not was_wanted:
            return
        if is_blamed := event.code != "no_capacity":  # which is the machine's affair
            state.failures += 1
            self._templates.fork_failed(now, sandbox, out)
        if sandbox.is_ordered:
            return
        failed = None
        was_lost = event.code == "sandbox_lost" or (sandbox.template is not None and not event.traceback)
        if state.failures >= LOST_STARTS or not was_lost or not is_blamed:
            failed = Failed(event.code, event.message, advice(event.code), event.traceback)
        self._lines.start_failed(now, state, failed, out)
        self._catalogue.start_failed(now, state)
