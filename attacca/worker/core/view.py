"""What a worker tells of itself."""

from typing import TYPE_CHECKING

from attacca.model.sandbox import FunctionView, WorkerView
from attacca.worker.core.fleet import Function
from attacca.worker.core.sandbox import Phase

if TYPE_CHECKING:
    from attacca.worker.core.worker import WorkerCore


def of(worker: "WorkerCore", now: float) -> WorkerView:
    return WorkerView(
        name=worker.config.name,
        memory_mb=worker.pool.budget_mb,
        used_mb=worker.pool.used_mb,
        queued=worker.line.queued,
        running=worker.line.running,
        limit=worker.line.limit,
        cores=worker.config.cores,
        draining=worker.draining,
        functions=tuple(_function(function) for function in worker.functions.values()),
        sandboxes=tuple(sandbox.view(now) for sandbox in worker.pool.sandboxes.values()),
    )


def _function(function: Function) -> FunctionView:
    fleets = function.fleets
    return function.statistics.view(
        function.name,
        queued=sum(fleet.waiting + len(fleet.pending) for fleet in fleets),
        running=sum(fleet.running for fleet in fleets),
        idle=sum(sandbox.phase is Phase.IDLE for fleet in fleets for sandbox in fleet.sandboxes.values()),
        templates=sum(fleet.ready_template is not None for fleet in fleets),
    )
