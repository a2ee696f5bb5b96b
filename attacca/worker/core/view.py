"""What a worker tells of itself."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from attacca.model.events import InstanceView, Samples
from attacca.model.resources import NOTHING
from attacca.model.sandbox import Capacity, DeviceView, FunctionView, WorkerView
from attacca.worker.core import eviction
from attacca.worker.core.mailboxes import EventInstance
from attacca.worker.core.phases import Phase, TemplatePhase
from attacca.worker.core.state import Function
from attacca.worker.core.worker import WorkerCore

TURN: Final = 20  # functions that are reckoned before others have a turn


def of(worker: WorkerCore, now: float) -> WorkerView:
    rows_of_all: list[FunctionView] = []
    for _ in rows(worker, rows_of_all):
        pass
    return with_rows(worker, now, rows_of_all)


def rows(worker: WorkerCore, into: list[FunctionView], function: str | None = None) -> Iterator[None]:
    """What it does for each function, with others' turns in between; for that one alone, or, empty, for none."""
    if function is not None:
        known = worker.functions.get(function)
        into += [] if known is None else [_function(known)]
        return
    for number, one in enumerate(list(worker.functions.values())):
        if number % TURN == TURN - 1:
            yield
        into.append(_function(one))


def with_rows(worker: WorkerCore, now: float, functions: Iterable[FunctionView]) -> WorkerView:
    line = worker.lines.devices
    return WorkerView(
        name=worker.config.name,
        capacity=worker.pool.capacity,
        used=worker.pool.used,
        queued=worker.lines.queued,
        running=worker.lines.running + len(worker.orders.items),
        limit=worker.scheduler.limit,
        cores=worker.config.cores,
        draining=worker.draining,
        devices=_devices(worker),
        devices_queued=0 if line is None else line.queued,
        devices_running=0 if line is None else line.running,
        functions=tuple(functions),
        sandboxes=tuple(sandbox.view(now) for sandbox in worker.pool.sandboxes.values()),
    )


def page(worker: WorkerCore, now: float) -> WorkerView:
    """What a metrics page has: how many sandboxes of each function are idle, and nothing of what it did."""
    told = brief(worker)
    idle = dict.fromkeys(worker.functions, 0) | (told.idle or {})
    sandboxes = tuple(sandbox.view(now) for sandbox in worker.pool.sandboxes.values())
    return replace(told, idle=idle, sandboxes=sandboxes)


def _devices(worker: WorkerCore) -> tuple[DeviceView, ...]:
    devices = worker.pool.devices
    if devices is None:
        return ()
    every = [(one, False) for one in devices.held.values()] + [(one, True) for one in devices.gone.values()]
    return tuple(
        DeviceView(
            name=one.device.name, model=one.device.model, memory_mb=one.device.memory_mb, share=one.share,
            held_mb=one.memory_mb, sandboxes=len(one.parts), is_gone=is_gone,
        )
        for one, is_gone in every
    )  # fmt: skip


def brief(worker: WorkerCore) -> WorkerView:
    """Without its lists, for gateways: what they choose by, once a second."""
    scheduler, line = worker.scheduler, worker.lines.devices
    resting = (sandbox.state.function.name for sandbox in worker.pool.sandboxes.values() if sandbox.idle is not None)
    return WorkerView(
        name=worker.config.name,
        capacity=worker.pool.capacity,
        used=worker.pool.used,
        queued=worker.lines.queued,
        running=worker.lines.running + len(worker.orders.items),
        limit=scheduler.limit,
        cores=worker.config.cores,
        draining=worker.draining,
        devices=_devices(worker),
        devices_queued=0 if line is None else line.queued,
        devices_running=0 if line is None else line.running,
        spare=eviction.spare(worker.pool.sandboxes.values(), worker.pool.templates.values()),
        wanted=scheduler.head_of_line[0].state.resources if scheduler.head_of_line else NOTHING,
        idle=dict(Counter(resting)),
    )


def capacity(worker: WorkerCore) -> Capacity:
    config = worker.config
    return Capacity(resources=config.resources, memory_buffer_mb=config.memory_buffer_mb, templates=config.templates)


def held(worker: WorkerCore) -> tuple[str, ...]:
    """Code and bundles of what there is a sandbox or a template of, or somebody waits for; by digest. What is being
    dropped reads nothing any more."""
    states = [state.revision for state in worker.catalogue.states.values()]
    sandboxes = [sandbox.state.revision for sandbox in worker.pool.sandboxes.values()]
    templates = worker.pool.templates.values()
    revisions = states + sandboxes + [one.revision for one in templates if one.phase is not TemplatePhase.DROPPING]
    return tuple(sorted({digest for one in revisions for digest in one.artefact.digests}))


def samples(worker: WorkerCore, now: float, wall: float) -> Samples | None:
    """What its instances did since the time before; None: nothing. `wall`: seconds since 1970."""
    instances = worker.instances
    views = tuple(view for one in instances.by_id.values() if (view := _changed(one)) is not None)
    telemetry = instances.telemetry
    taken, entries, lost = ((), (), 0) if telemetry is None else telemetry.take(now, wall)
    told = Samples(worker.config.name, views, taken, entries, lost)
    return told if views or taken or entries or lost else None


def _changed(instance: EventInstance) -> InstanceView | None:
    view = instance.view()
    if view == instance.shown:
        return None
    instance.shown = view
    return view


def _function(function: Function) -> FunctionView:
    states = function.states
    return function.statistics.view(
        function.name,
        queued=sum(state.waiting + len(state.pending) for state in states),
        running=sum(state.running for state in states),
        idle=sum(sandbox.phase is Phase.IDLE for state in states for sandbox in state.sandboxes.values()),
        templates=sum(state.ready_template is not None for state in states),
        kept=sum(state.least for state in states),
    )
