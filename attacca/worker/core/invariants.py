"""What must hold after every event, counted anew from what there is; tests ask for it after each one."""

from attacca.model.reserve import cost
from attacca.model.resources import NOTHING, largest, total
from attacca.worker.core.devices import DevicePart, Devices, count_of
from attacca.worker.core.mailboxes import AHEAD_MOST, LOW, EventInstance, Stage
from attacca.worker.core.phases import Phase, Position, TemplatePhase
from attacca.worker.core.scheduler import Scheduler
from attacca.worker.core.state import RevisionState, Sandbox
from attacca.worker.core.worker import WorkerCore

PHASES = {  # of an instance's sandbox
    Stage.STARTING: (Phase.STARTING,),
    Stage.STANDBY: (Phase.IDLE,),
    Stage.BEGINNING: (Phase.IDLE,),
    Stage.UP: (Phase.IDLE,),
    Stage.STOPPING: (Phase.IDLE,),
    Stage.DYING: (Phase.DYING,),
}
ENDING = (Phase.DRAINING, Phase.DYING)


def check(worker: WorkerCore) -> None:
    """
    Raises:
        AssertionError: something that must always hold does not.
    """
    _resources(worker)
    _reserved(worker)
    _scheduler(worker)
    _orders(worker)
    _instances(worker)
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
        rests = sandbox.phase is Phase.IDLE and not sandbox.is_ordered
        assert (sandbox.idle is not None) == rests, f"{sandbox.id} rests and is {sandbox.phase}"


def _resources(worker: WorkerCore) -> None:
    pool = worker.pool
    sandboxes = list(pool.sandboxes.values())
    templates = list(pool.templates.values())
    assert pool.used == total(one.resources for one in sandboxes) + total(one.resources for one in templates)
    assert NOTHING.fits(pool.used), f"{pool.used} used"
    assert pool.used.fits(pool.capacity), f"{pool.used} used of {pool.capacity}"
    if pool.devices is not None:
        _devices(pool.devices, [one for one in sandboxes if one.resources.gpu])
    dying = total(one.resources for one in sandboxes if one.phase is Phase.DYING)
    assert pool.leaving == dying + total(one.resources for one in templates if one.phase is TemplatePhase.DROPPING)
    for template in templates:
        held = [one.id for one in sandboxes if one.template is template]
        assert list(template.children) == held
        assert not (held and template.phase is TemplatePhase.DROPPING), "dropped under its sandboxes"
        assert held or template.phase is not TemplatePhase.RETIRED, "retired, unused, and not dropped"


def _devices(devices: Devices, sandboxes: list[Sandbox]) -> None:
    """Each holds its part of as many as it asks for, and no device has given more than it has."""
    every = {**devices.held, **devices.gone}
    parts = [name for held in every.values() for name in held.parts]
    assert sorted(parts) == sorted(one.id for one in sandboxes for _ in range(count_of(one.resources)))
    for held in every.values():
        assert held.fits(DevicePart(0.0, 0.0)), f"{held!r} has given too much"


def _reserved(worker: WorkerCore) -> None:
    """Whatever is kept, one more sandbox or template of any function would fit beside it."""
    current = [function.current for function in worker.functions.values() if function.current is not None]
    config = worker.config
    reserved = total(cost(config, state.least, state.resources) for state in current)
    own = [state.resources for state in current if not state.is_twin]
    sizes = [resources for resources in own if resources.fits(config.resources)]
    assert reserved == NOTHING or (reserved + largest([NOTHING, *sizes])).fits(config.resources)
    assert all(state.granted <= state.revision.settings.reserves for state in current)


def _scheduler(worker: WorkerCore) -> None:
    for line in worker.lines:
        _line(worker, line)


def _line(worker: WorkerCore, scheduler: Scheduler) -> None:
    items = list(scheduler.items.values())
    assert scheduler.running == sum(item.position is Position.RUNNING for item in items)
    assert scheduler.head_of_line == [item for item in scheduler.head_of_line if item.position is Position.HEAD_OF_LINE]
    assert len(scheduler.head_of_line) == sum(item.position is Position.HEAD_OF_LINE for item in items)
    assert len(scheduler.queue) == sum(item.position is Position.QUEUED for item in items)
    for item in items:
        if item.position is Position.RUNNING:
            assert item.sandbox is not None
            assert item.sandbox.running[item.id] is item
        if item.position is Position.AHEAD:
            assert item.sandbox is not None
            assert item in item.sandbox.ahead
    every = [state for function in worker.functions.values() for state in function.states]
    states = [state for state in every if worker.lines.of(state) is scheduler]
    held = [sandbox for state in states for sandbox in state.sandboxes.values() if sandbox.ahead]
    assert sum(len(sandbox.ahead) for sandbox in held) == sum(item.position is Position.AHEAD for item in items)
    assert sum(state.ahead for state in states) == sum(len(sandbox.ahead) for sandbox in held)
    assert all(sandbox.running or sandbox.phase is Phase.DYING for sandbox in held), "it could run what it was handed"
    assert all(name in line.items for name in worker.lines.both for line in worker.lines)
    assert all(item.position is Position.QUEUED for item in items if item.id in worker.lines.both)
    assert scheduler.claims == sum(state.claim for state in states)
    assert scheduler.running == sum(state.running for state in states if not state.is_ordered)
    assert scheduler.queued == sum(state.waiting + len(state.pending) for state in states)


def _orders(worker: WorkerCore) -> None:
    """What control has ordered is apart from what the worker makes by itself, and what runs there is in a slot."""
    orders, pool = worker.orders, worker.pool
    events = worker.instances.by_id
    ordered = {name: sandbox for name, sandbox in pool.sandboxes.items() if sandbox.is_ordered and name not in events}
    assert not orders.waiting.keys() & pool.sandboxes.keys(), "waits for room, and is there"
    assert all(sandbox.state.is_ordered == sandbox.is_ordered for sandbox in pool.sandboxes.values())
    running = {name: item for sandbox in ordered.values() for name, item in sandbox.running.items()}
    assert running == orders.items, "runs in no slot, or has one and does not run"
    assert all(item.position is Position.RUNNING for item in running.values())
    states = [state for function in worker.functions.values() for state in function.states if state.is_ordered]
    assert len(running) == sum(state.running for state in states)
    up = [one.id for one in ordered.values() if one.phase in (Phase.IDLE, Phase.BUSY, Phase.DRAINING)]
    assert set(up) <= orders.up.keys() <= ordered.keys(), "said to be up, and is not"
    assert orders.refused.keys() <= ordered.keys(), "told of slots of what is gone"
    full = [one.id for one in ordered.values() if len(one.running) == one.slots or one.phase in ENDING]
    assert all(name in full for name in orders.refused), "a slot is free, and who waits for it is not told"


def _instances(worker: WorkerCore) -> None:
    """Each has its sandbox, handles one event, and is heard of by whoever waits for it."""
    instances, pool = worker.instances, worker.pool
    asked: dict[str, EventInstance] = {}
    for name, instance in instances.by_id.items():
        sandbox, stage = pool.sandboxes.get(name), instance.stage
        assert (sandbox is None) == (stage in (Stage.WAITING, Stage.SETTLING)), f"{name} is {stage} and has {sandbox}"
        if sandbox is not None:
            assert sandbox.phase in PHASES[stage], f"{name} is {stage} and its sandbox {sandbox.phase}"
            assert not sandbox.running, f"{name} runs an invocation"
        assert instance.state is instances.states[instance.state.revision.id]
        mailbox = instance.mailbox
        assert mailbox.bytes == sum(len(waiting.event.data) for waiting in mailbox.events)
        is_at_rest = stage is Stage.UP and not instance.given and not instance.delivery
        assert not (is_at_rest and mailbox.events), f"{name} is at rest, and events wait for it"
        assert not (instance.given and instance.delivery), f"{name} begins or stops while it handles something"
        assert len(instance.given) <= AHEAD_MOST, f"{name} was given more than it may have"
        assert instance.is_behind <= (mailbox.share > LOW), f"{name} is said to be behind"
        behind = [
            one
            for one in instance.paused_for
            if one not in instance.lanes and (one not in instances.by_id or not instances.by_id[one].is_behind)
        ]
        assert not behind, f"{name} waits for {behind}"
        flying = {key for lane in instance.lanes.values() for key in lane.flying} | instance.flying
        known = {key for key, one in instances.exchange.detours.flying.items() if one is instance}
        assert flying == known, f"{name} waits for {flying}, and {known} is looked at"
        for held, lane in instance.lanes.items():
            target = instance.routes.at.get(held)
            can_go = target is not None and not target.is_held and target.instance != lane.left and not lane.flying
            assert stage is Stage.SETTLING or not can_go, f"what {name} has for {held} could go on"
        asked |= dict.fromkeys(instance.asked, instance)
    assert asked == instances.exchange.streams, "a call is open that nobody waits for, or the other way round"
    assert len(instances.states) == len({instance.state.revision.id for instance in instances.by_id.values()})


def _state(state: RevisionState) -> None:
    if state.is_ordered:
        _ordered(state)
        return
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


def _ordered(state: RevisionState) -> None:
    """No invocation waits here for a sandbox of it, and none is made by the worker itself."""
    sandboxes = list(state.sandboxes.values())
    assert state.live == sum(one.is_live for one in sandboxes)
    assert state.starting == sum(one.phase is Phase.STARTING for one in sandboxes)
    queued = [*state.pending, *state.demanded, *state.free]
    assert not queued, f"{state!r} has {queued}"
    assert max(state.claim, state.waiting, state.wanted, state.granted) == 0, f"{state!r} is the worker's own"
