"""What all planes do now, in few words: for pages that many look at."""

from collections.abc import Iterable, Sequence

import msgspec

from attacca.model.history import FunctionNow, HistoryTold, Step, merged, percentile, summed, together
from attacca.model.sandbox import WorkerView

LATELY = 6  # steps


class FunctionLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted is so since the gateways began; the percentiles are of the last hour, right to a tenth."""

    function: str
    revision: int
    waiting: int
    running: int
    ended: int
    cold: int  # from nothing, or from a template
    failed: int  # refused ones included
    p50_ms: float | None
    p99_ms: float | None


class WorkerLoad(msgspec.Struct, frozen=True, kw_only=True):
    """As it says itself at least once a second, unless it is silent."""

    name: str
    silent: bool
    draining: bool  # or cordoned
    memory_mb: int = 0
    used_mb: int = 0
    queued: int = 0
    running: int = 0
    limit: int = 0
    cores: int = 0
    idle: int = 0  # sandboxes
    cpu_share: float | None = None
    load_1m: float | None = None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    functions: tuple[FunctionLoad, ...] = ()
    workers: tuple[WorkerLoad, ...] = ()
    gateways: tuple[str, ...] = ()
    waiting: int = 0
    running: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is otherwise than before; who is in neither list of functions is as they were."""

    functions: tuple[FunctionLoad, ...] = ()
    gone: tuple[str, ...] = ()
    workers: tuple[WorkerLoad, ...] | None = None
    gateways: tuple[str, ...] | None = None
    waiting: int | None = None
    running: int | None = None


class HistoryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A step: `at` is its end in seconds since 1970; counts are of what ended in it, by how it began."""

    at: float
    warm: int
    prewarmed: int
    template: int
    cold: int
    unborn: int  # in no sandbox
    failed: int
    refused: int
    waiting: int
    running: int
    p50_ms: float | None
    p99_ms: float | None


class HistoryRow(msgspec.Struct, frozen=True, kw_only=True):
    """The last hour. Steps of a function in which nothing ended are left out. `p50_ms` and `p99_ms` are of all of it,
    `lately` those of its last six steps, in the same order."""

    step_s: float
    steps: tuple[HistoryPoint, ...]
    p50_ms: float | None
    p99_ms: float | None
    lately: tuple[float | None, float | None]


def overview(
    told: Sequence[HistoryTold],
    workers: Iterable[tuple[str, bool, bool]],
    gateways: Iterable[str],
    loads: tuple[FunctionLoad, ...] | None = None,
) -> Overview:
    """`workers`: the name of each that control knows, and whether it is silent or draining. `loads`: of all functions
    that are told of, by name, where somebody has them already."""
    views = {view.name: view for one in told for view in one.workers}
    functions = tuple(map(load_of, summed(one.functions for one in told))) if loads is None else loads
    return Overview(
        functions=functions,
        workers=tuple(_worker(*worker, views.get(worker[0])) for worker in workers),
        gateways=tuple(gateways),
        waiting=sum(one.waiting for one in functions),
        running=sum(one.running for one in functions),
    )


def changed(before: Overview, now: Overview) -> Change | None:
    """None: nothing is otherwise."""
    if before == now:
        return None
    gone = {one.function: one for one in before.functions}
    others = []
    for one in now.functions:
        known = gone.pop(one.function, None)
        if known is not one and known != one:
            others.append(one)
    return Change(
        functions=tuple(others),
        gone=tuple(gone),
        workers=None if before.workers == now.workers else now.workers,
        gateways=None if before.gateways == now.gateways else now.gateways,
        waiting=None if before.waiting == now.waiting else now.waiting,
        running=None if before.running == now.running else now.running,
    )


def history(told: Iterable[HistoryTold], step_s: float) -> HistoryRow:
    steps = merged((one.steps for one in told), step_s)
    whole, lately = together(one.took for one in steps), together(one.took for one in steps[-LATELY:])
    return HistoryRow(
        step_s=step_s,
        steps=tuple(_point(one) for one in steps),
        p50_ms=_rounded(percentile(whole, 0.5)),
        p99_ms=_rounded(percentile(whole, 0.99)),
        lately=(_rounded(percentile(lately, 0.5)), _rounded(percentile(lately, 0.99))),
    )


def _point(step: Step) -> HistoryPoint:
    return HistoryPoint(
        at=round(step.at, 1), warm=step.warm, prewarmed=step.prewarmed, template=step.template, cold=step.cold,
        unborn=step.unborn, failed=step.failed, refused=step.refused, waiting=step.waiting, running=step.running,
        p50_ms=_rounded(percentile(step.took, 0.5)), p99_ms=_rounded(percentile(step.took, 0.99)),
    )  # fmt: skip


def load_of(one: FunctionNow) -> FunctionLoad:
    return FunctionLoad(
        function=one.function, revision=one.revision, waiting=one.waiting, running=one.running, ended=one.ended,
        cold=one.cold, failed=one.failed, p50_ms=_rounded(percentile(one.took, 0.5)),
        p99_ms=_rounded(percentile(one.took, 0.99)),
    )  # fmt: skip


def _worker(name: str, silent: bool, draining: bool, view: WorkerView | None) -> WorkerLoad:  # noqa: FBT001 - a row
    if view is None:
        return WorkerLoad(name=name, silent=silent, draining=draining)
    load = view.load
    return WorkerLoad(
        name=name, silent=silent, draining=draining or view.draining, memory_mb=view.capacity.memory_mb,
        used_mb=view.used.memory_mb, queued=view.queued, running=view.running, limit=view.limit, cores=view.cores,
        idle=sum((view.idle or {}).values()), cpu_share=None if load is None else round(load.cpu_share, 2),
        load_1m=None if load is None else round(load.load_1m, 2),
    )  # fmt: skip


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else float(f"{ms:.3g}")
