"""What must hold after every event, counted anew from what there is; tests and simulations ask for it."""

from collections import Counter
from math import inf

from attacca.gateway.core.deadlines import Lane
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import NO_REQUEST, Function, Inflight


def check(core: GatewayCore) -> None:
    """
    Raises:
        AssertionError: something that must always hold does not.
    """
    _inflight(core)
    _workers(core)
    _functions(core)
    _deadlines(core)
    _cluster(core)
    wakes_at = min(core.deadlines.next_at, core.workers.silent_at, core.cluster.tell_at)
    assert core.alarm.at <= wakes_at, f"something is due at {wakes_at}, and it is not woken then"


def _inflight(core: GatewayCore) -> None:
    """Each is where it says it is, and what may have to be sent again is here whole."""
    nowhere = core.retries.nowhere
    for key, one in core.inflight.items():
        assert one.key == key, f"{one.key} is kept as {key}"
        assert not one.is_done, f"{key} is over and in flight"
        if one.holder is nowhere:
            assert one.start is None, f"{key} runs nowhere"
            assert core.workers.all_drain or one.lost, f"{key} waits for a worker, and there is one"
        elif one.holder is core.cluster.nowhere:
            assert one.slot is None, f"{key} waits for a slot, and has one"
        elif one.slot is None or one.slot.handle is not None:
            assert core.workers.by_name.get(one.worker) is one.holder, f"{key} is with {one.worker}, which is gone"
        assert one.start is not None or one.request is not NO_REQUEST, f"{key} waits, and its request was let go"
        assert one.start is not None or not one.has_head, f"{key} answers before it has started"
    held = [one for one in core.retries.held if not one.is_done]
    assert held == [one for one in core.inflight.values() if one.holder is nowhere]


def _workers(core: GatewayCore) -> None:
    workers = core.workers
    handles = [*workers.by_name.values(), core.retries.nowhere, core.cluster.nowhere]
    waiting = Counter(id(one.holder) for one in core.inflight.values() if one.start is None)
    running = Counter(id(one.holder) for one in core.inflight.values() if one.start is not None)
    for handle in handles:
        counted = waiting[id(handle)], running[id(handle)]
        assert (handle.queued, handle.running) == counted, f"{handle.name} has {counted}, and says {handle!r}"
    able = [handle for handle in handles[:-2] if not handle.is_draining] or handles[:-2]
    assert workers.all_drain is not any(not handle.is_draining for handle in handles[:-2])
    assert workers.only is (able[0] if len(able) == 1 else None)
    silent_at = min((handle.heard_at + workers.silent_s for handle in handles[:-2]), default=inf)
    assert workers.silent_at <= silent_at, f"a worker falls silent at {silent_at}, and nobody looks then"


def _functions(core: GatewayCore) -> None:
    theirs: dict[Function, list[Inflight]] = {function: [] for function in core.functions.by_name.values()}
    for one in core.inflight.values():
        theirs.setdefault(one.function, []).append(one)
    for function, inflight in theirs.items():
        _function(function, inflight)


def _function(function: Function, inflight: list[Inflight]) -> None:
    name, statistics = function.name, function.statistics
    waiting = sum(one.start is None for one in inflight)
    assert (function.waiting, function.running) == (waiting, len(inflight) - waiting), f"{name} is {function!r}"
    over = sum(statistics.ended.values())
    assert statistics.taken == over + len(inflight), f"{name}: {over} of {statistics.taken} are over"
    assert statistics.duration.count == over, f"{name}: {statistics.duration.count} took their time, {over} are over"
    assert all(one.is_done and one.request is NO_REQUEST for one in function.recent), f"{name} remembers one in flight"


def _deadlines(core: GatewayCore) -> None:
    """What waits has one clock, what runs has one or two, and what is over has none."""
    expected: dict[tuple[Lane[Inflight], Inflight], None] = {}
    for one in core.inflight.values():
        clocks = one.clocks
        expected[clocks.wait if one.start is None else clocks.total, one] = None
        if one.start is not None and not one.has_head and clocks.first_byte is not None:
            expected[clocks.first_byte, one] = None
    lanes = core.deadlines.lanes
    assert {(lane, one): None for lane in lanes for one in lane.entries} == expected
    for lane in lanes:
        times = list(lane.entries.values())
        assert times == sorted(times), f"{lane!r} is out of order"
        assert core.deadlines.next_at <= min(times, default=inf), f"{lane!r} has an earlier one"


def _cluster(core: GatewayCore) -> None:
    """A slot is taken by one invocation, nobody waits beside one that is free, what is known is what was published."""
    cluster = core.cluster
    taken = Counter(one.slot for one in core.inflight.values() if one.slot is not None)
    for sandbox in {**dict.fromkeys(taken), **dict.fromkeys(cluster.by_sandbox.values())}:
        assert sandbox.taken == taken[sandbox] <= sandbox.limit, f"{taken[sandbox]} are in {sandbox!r}"
        assert (cluster.by_sandbox.get(sandbox.id) is sandbox) == (sandbox.slots is not None), f"{sandbox!r} is gone"
    for one in core.inflight.values():
        if one.slot is not None:
            assert one.slot.endpoint.function == one.function.name, f"{one!r} is in {one.slot!r}"
            assert one.holder.name == one.slot.endpoint.worker, f"{one!r} is in {one.slot!r}"
    waiting = [one for one in core.inflight.values() if one.holder is cluster.nowhere]
    held = [one for slots in cluster.by_function.values() for one in slots.waiting]
    assert sorted(map(id, waiting)) == sorted(map(id, held)), "waits for a slot, and for none"
    published = [one for slots in cluster.by_function.values() for one in slots.sandboxes.values()]
    assert {one.id: one for one in published} == cluster.by_sandbox
    assert {one.id: one for those in cluster.by_worker.values() for one in those.values()} == cluster.by_sandbox
    assert {one.id: one for one in published if one.is_full} == cluster.full
    for slots in cluster.by_function.values():
        free = [one.id for one in slots.sandboxes.values() if one.is_free and one.endpoint.revision == slots.revision]
        assert len(slots.free) == len(free), f"{slots!r} could give {free}"
        assert not (slots.waiting and free), f"{slots!r}: somebody waits beside a free slot"
    for sandbox in published:
        handle = core.workers.by_name.get(sandbox.endpoint.worker)
        there = None if handle is None or handle.is_draining else handle
        assert sandbox.handle is there, f"{sandbox!r} is reached by {there!r}"
    for function in core.functions.by_name.values():
        slots_of = cluster.by_function.get(function.name) if function.is_clustered else None
        assert function.slots is slots_of, f"{function!r} has {function.slots!r}"
    assert all(slots.is_changed for slots in cluster.changed)
    assert bool(cluster.changed) == (cluster.tell_at < inf), "something has changed, and control is never told"
