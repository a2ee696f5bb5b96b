"""What must hold after every event, counted anew from what there is; tests ask for it after each one."""

from attacca.model.reserve import cost
from attacca.model.resources import NOTHING, largest, total
from attacca.worker.core.sandbox import Phase
from attacca.worker.core.state import Position, RevisionState
from attacca.worker.core.templates import TemplatePhase
from attacca.worker.core.worker import WorkerCore


def check(worker: WorkerCore) -> None:
    """
    Raises:
        AssertionError: something that must always hold does not.
    """
    _resources(worker)
    _reserved(worker)
    _scheduler(worker)
    for function in worker.functions.values():
        for state in function.states:
            _state(state)
        assert function.total == sum(len(state.sandboxes) for state in function.states)
        there = [one for state in function.states for one in state.sandboxes.values()]
        assert function.idle == sum(one.idle is not None for one in there)
        assert function.cached_uses == sum(one.served for one in there if one.phase is not Phase.DYING)
        assert function.current is None or function.current in function.states
    for sandbox in worker.pool.sandboxes.values():
        assert sandbox.state.sandboxes[sandbox.id] is sandbox
        assert len(sandbox.running) <= sandbox.slots
        assert (sandbox.phase is Phase.BUSY) <= bool(sandbox.running), f"{sandbox.id} is busy with nothing"
        assert (sandbox.idle is not None) == (sandbox.phase is Phase.IDLE), f"{sandbox.id} rests and is {sandbox.phase}"


def _resources(worker: WorkerCore) -> None:
    pool = worker.pool
    sandboxes = list(pool.sandboxes.values())
    templates = list(pool.templates.values())
    assert pool.used == total(one.resources for one in sandboxes) + total(one.resources for one in templates)
    assert NOTHING.fits(pool.used), f"{pool.used} used"
    assert pool.used.fits(pool.capacity), f"{pool.used} used of {pool.capacity}"
    dying = total(one.resources for one in sandboxes if one.phase is Phase.DYING)
    assert pool.leaving == dying + total(one.resources for one in templates if one.phase is TemplatePhase.DROPPING)
    for template in templates:
        held = [one.id for one in sandboxes if one.template is template]
        assert list(template.children) == held
        assert not (held and template.phase is TemplatePhase.DROPPING), "dropped under its sandboxes"
        assert held or template.phase is not TemplatePhase.RETIRED, "retired, unused, and not dropped"


def _reserved(worker: WorkerCore) -> None:
    """Whatever is kept, one more sandbox or template of any function would fit beside it."""
    current = [function.current for function in worker.functions.values() if function.current is not None]
    config = worker.config
    reserved = total(cost(config, state.least, state.resources) for state in current)
    sizes = [state.resources for state in current if state.resources.fits(config.resources)]
    assert reserved == NOTHING or (reserved + largest([NOTHING, *sizes])).fits(config.resources)
    assert all(state.granted <= state.revision.settings.reserves for state in current)


def _scheduler(worker: WorkerCore) -> None:
    scheduler = worker.scheduler
    items = list(scheduler.items.values())
    assert scheduler.running == sum(item.position is Position.RUNNING for item in items)
    assert scheduler.head_of_line == [item for item in scheduler.head_of_line if item.position is Position.HEAD_OF_LINE]
    assert len(scheduler.head_of_line) == sum(item.position is Position.HEAD_OF_LINE for item in items)
    assert len(scheduler.queue) == sum(item.position is Position.QUEUED for item in items)
    for item in items:
        if item.position is Position.RUNNING:
            assert item.sandbox is not None
            assert item.sandbox.running[item.id] is item
    states = [state for function in worker.functions.values() for state in function.states]
    assert scheduler.claims == sum(state.claim for state in states)
    assert scheduler.running == sum(state.running for state in states)
    assert scheduler.queued == sum(state.waiting + len(state.pending) for state in states)


def _state(state: RevisionState) -> None:
    sandboxes = list(state.sandboxes.values())
    concurrency = state.revision.settings.concurrency
    live = [one for one in sandboxes if one.is_live]
    starting = [one for one in sandboxes if one.phase is Phase.STARTING]
    assert state.live == len(live)
    assert state.starting == len(starting)
    assert all(one in starting for one in state.demanded.values())
    assert state.claim == max(len(state.pending), len(state.demanded))
    assert len(state.pending) <= state.starting * concurrency, "somebody pends on nothing"
    assert not (state.pending and state.free), "somebody pends beside a free slot"
    roomy = [one for one in live if one.phase is not Phase.STARTING and len(one.running) < one.slots]
    assert len(state.free) == len(roomy)
    assert all(one in roomy for one in state.free)
    assert state.running >= sum(len(one.running) for one in sandboxes)
    most = state.revision.settings.max_sandboxes
    assert most is None or len(sandboxes) <= most or state.retired
