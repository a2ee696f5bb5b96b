"""What must hold after every event, counted anew from what there is; tests ask for it after each one."""

from attacca.model.reserve import cost_mb
from attacca.worker.core.sandbox import Phase
from attacca.worker.core.state import Fleet, Place
from attacca.worker.core.templates import TemplatePhase
from attacca.worker.core.worker import WorkerCore


def check(worker: WorkerCore) -> None:
    """
    Raises:
        AssertionError: something that must always hold does not.
    """
    _memory(worker)
    _reserved(worker)
    _scheduler(worker)
    for function in worker.functions.values():
        for fleet in function.fleets:
            _fleet(fleet)
        assert function.total == sum(len(fleet.sandboxes) for fleet in function.fleets)
        there = [one for fleet in function.fleets for one in fleet.sandboxes.values()]
        assert function.idle == sum(one.idle is not None for one in there)
        assert function.cached_uses == sum(one.served for one in there if one.phase is not Phase.DYING)
        assert function.current is None or function.current in function.fleets
    for sandbox in worker.pool.sandboxes.values():
        assert sandbox.fleet.sandboxes[sandbox.id] is sandbox
        assert len(sandbox.running) <= sandbox.slots
        assert (sandbox.phase is Phase.BUSY) <= bool(sandbox.running), f"{sandbox.id} is busy with nothing"
        assert (sandbox.idle is not None) == (sandbox.phase is Phase.IDLE), f"{sandbox.id} rests and is {sandbox.phase}"


def _memory(worker: WorkerCore) -> None:
    pool = worker.pool
    sandboxes = list(pool.sandboxes.values())
    templates = list(pool.templates.values())
    assert pool.used_mb == sum(one.memory_mb for one in sandboxes) + sum(one.memory_mb for one in templates)
    assert 0 <= pool.used_mb <= pool.budget_mb, f"{pool.used_mb} MB used of {pool.budget_mb}"
    leaving_mb = sum(one.memory_mb for one in sandboxes if one.phase is Phase.DYING)
    leaving_mb += sum(one.memory_mb for one in templates if one.phase is TemplatePhase.DROPPING)
    assert pool.leaving_mb == leaving_mb
    assert pool.idle_mb == sum(one.memory_mb for one in sandboxes if one.idle is not None)
    for template in templates:
        held = [one.id for one in sandboxes if one.template is template]
        assert list(template.children) == held
        assert not (held and template.phase is TemplatePhase.DROPPING), "dropped under its sandboxes"
        assert held or template.phase is not TemplatePhase.RETIRED, "retired, unused, and not dropped"


def _reserved(worker: WorkerCore) -> None:
    """Whatever is kept, one more sandbox or template of any function would fit beside it."""
    current = [function.current for function in worker.functions.values() if function.current is not None]
    config = worker.config
    reserved_mb = sum(cost_mb(config, fleet.least, fleet.revision.settings.memory_mb) for fleet in current)
    sizes_mb = [fleet.revision.settings.memory_mb for fleet in current]
    largest_mb = max((size_mb for size_mb in sizes_mb if size_mb <= config.memory_mb), default=0)
    assert not reserved_mb or reserved_mb + largest_mb <= config.memory_mb
    assert all(fleet.granted <= fleet.revision.settings.min_sandboxes for fleet in current)


def _scheduler(worker: WorkerCore) -> None:
    scheduler = worker.scheduler
    items = list(scheduler.items.values())
    assert scheduler.running == sum(item.place is Place.RUNNING for item in items)
    assert scheduler.head_of_line == [item for item in scheduler.head_of_line if item.place is Place.HEAD_OF_LINE]
    assert len(scheduler.head_of_line) == sum(item.place is Place.HEAD_OF_LINE for item in items)
    assert len(scheduler.queue) == sum(item.place is Place.QUEUED for item in items)
    for item in items:
        if item.place is Place.RUNNING:
            assert item.sandbox is not None
            assert item.sandbox.running[item.id] is item
    fleets = [fleet for function in worker.functions.values() for fleet in function.fleets]
    assert scheduler.claims == sum(fleet.claim for fleet in fleets)
    assert scheduler.running == sum(fleet.running for fleet in fleets)
    assert scheduler.queued == sum(fleet.waiting + len(fleet.pending) for fleet in fleets)


def _fleet(fleet: Fleet) -> None:
    sandboxes = list(fleet.sandboxes.values())
    concurrency = fleet.revision.settings.concurrency
    live = [one for one in sandboxes if one.is_live]
    starting = [one for one in sandboxes if one.phase is Phase.STARTING]
    assert fleet.live == len(live)
    assert fleet.starting == len(starting)
    assert all(one in starting for one in fleet.demanded.values())
    assert fleet.claim == max(len(fleet.pending), len(fleet.demanded))
    assert len(fleet.pending) <= fleet.starting * concurrency, "somebody pends on nothing"
    assert not (fleet.pending and fleet.free), "somebody pends beside a free slot"
    roomy = [one for one in live if one.phase is not Phase.STARTING and len(one.running) < one.slots]
    assert len(fleet.free) == len(roomy)
    assert all(one in roomy for one in fleet.free)
    assert fleet.running >= sum(len(one.running) for one in sandboxes)
    most = fleet.revision.settings.max_sandboxes
    assert most is None or len(sandboxes) <= most or fleet.retired
