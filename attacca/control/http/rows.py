"""What the admin API shows of functions, secrets and deployments: the plane's own words as the wire has them."""

from collections.abc import Iterable

import msgspec

from attacca.control.core.catalogue import changes
from attacca.control.core.control import ControlCore
from attacca.control.core.progress import Done, Progress, Refused, Step
from attacca.control.core.stored import Function
from attacca.control.core.workers import Worker
from attacca.control.http.api import (
    ClusterRow,
    DoneBody,
    DoneLine,
    ErrorBody,
    ErrorLine,
    FunctionDetail,
    FunctionRow,
    GatewayRow,
    RevisionRow,
    SandboxRow,
    ScaleNow,
    StepLine,
    WorkerRow,
    WorkerSummary,
)
from attacca.model.function import PythonDirectory, Revision, masked
from attacca.model.sandbox import SandboxView, WorkerView


def row(now: Revision) -> FunctionRow:
    return FunctionRow(
        function=now.function,
        revision=now.number,
        handler=now.handler,
        signature=now.signature,
        event=now.event,
        memory_mb=now.settings.memory_mb,
        timeout_s=now.settings.timeout_s,
        concurrency=now.settings.concurrency,
        network=now.settings.network,
        deployed_at=now.created_at,
    )


def scale_now(now: Revision) -> ScaleNow:
    settings = now.settings
    return ScaleNow(
        function=now.function,
        revision=now.number,
        scheduling=settings.scheduling,
        min_sandboxes=settings.min_sandboxes,
        max_sandboxes=settings.max_sandboxes,
        scaling=settings.scaling,
        placement=settings.placement,
    )


def detail(function: Function) -> FunctionDetail:
    now = function.now
    rows = [
        RevisionRow(
            revision=one.number,
            is_current=one.number == function.current,
            handler=one.handler,
            signature=one.signature,
            deployed_at=one.created_at,
            changes=changes(before, one) if before is not None or one.number == 1 else (),
        )
        for before, one in zip((None, *function.revisions), function.revisions, strict=False)
    ]
    return FunctionDetail(
        function=function.name,
        revision=now.number,
        handler=now.handler,
        signature=now.signature,
        settings=masked(now.settings),
        has_requirements=isinstance(now.artefact, PythonDirectory) and now.artefact.bundle is not None,
        deployed_at=now.created_at,
        revisions=tuple(reversed(rows)),
        event=now.event,
    )


def worker_row(view: WorkerView, function: str | None = None) -> WorkerRow:
    """With what it has of this function alone, where one is named."""
    functions, sandboxes = view.functions, view.sandboxes
    if function is not None:
        functions = tuple(one for one in functions if one.function == function)
        sandboxes = tuple(one for one in sandboxes if one.revision.rpartition("@")[0] == function)
    return WorkerRow(
        name=view.name,
        memory_mb=view.capacity.memory_mb,
        used_mb=view.used.memory_mb,
        queued=view.queued,
        running=view.running,
        limit=view.limit,
        cores=view.cores,
        draining=view.draining,
        load=view.load,
        functions=functions,
        sandboxes=tuple(_sandbox_row(sandbox) for sandbox in sandboxes),
        idle=view.idle,
        energy=view.energy,
        devices=view.devices,
    )


def cluster_row(core: ControlCore, url: str, views: Iterable[WorkerView]) -> ClusterRow:
    shown = {view.name: view for view in views}
    return ClusterRow(
        leader=url,
        term=core.changes.catalogue.epoch,
        functions=len(core.changes.versions),
        gateways=tuple(GatewayRow(name=one.name, url=one.url) for one in core.gateways.by_name.values()),
        workers=tuple(
            _summary(one, shown.get(one.name), core.held_by(one.name)) for one in core.workers.by_name.values()
        ),
    )


def _summary(worker: Worker, view: WorkerView | None, holds: int | None) -> WorkerSummary:
    runtimes = None if worker.machine is None else worker.machine.makers
    summary = WorkerSummary(
        name=worker.name, address=worker.address, silent=worker.is_silent, draining=worker.is_draining,
        runtimes=runtimes, holds=holds,
    )  # fmt: skip
    if view is None:
        return summary
    return msgspec.structs.replace(
        summary, draining=view.draining, memory_mb=view.capacity.memory_mb, used_mb=view.used.memory_mb,
        queued=view.queued, running=view.running, sandboxes=len(view.sandboxes), load=view.load,
    )  # fmt: skip


def _sandbox_row(view: SandboxView) -> SandboxRow:
    return SandboxRow(
        id=view.id,
        revision=view.revision,
        phase=view.phase,
        memory_mb=view.resources.memory_mb,
        busy=view.busy,
        served=view.served,
        age_s=view.age_s,
        idle_s=view.idle_s,
        use=view.use,
    )


def progress_line(word: Progress) -> StepLine | DoneLine | ErrorLine:
    match word:
        case Step(name=name, text=text):
            return StepLine(name, text)
        case Done(revision=now, imports_ms=imports_ms, replaced=replaced, changes=changes):
            return DoneLine(
                DoneBody(
                    function=now.function,
                    revision=now.number,
                    handler=now.handler,
                    signature=now.signature,
                    event=now.event,
                    imports_ms=imports_ms,
                    replaced=replaced,
                    changes=changes,
                )
            )
        case Refused(code=code, message=message, hint=hint, traceback=traceback):
            return ErrorLine(ErrorBody(code=code, message=message, hint=hint, traceback=traceback))
