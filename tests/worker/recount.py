"""Every field of every view that a worker's policies get, counted anew from single sandboxes and invocations."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import isclose

import msgspec

from attacca.model.invocation import Start
from attacca.model.messages import Dispatch
from attacca.model.resources import total
from attacca.policy.concurrency.types import Concurrency, Limit, Load
from attacca.policy.keepalive.types import Ahead, Expiry, House, Idle, KeepaliveState, Known
from attacca.policy.queueing.types import Next, Queue, Waiting
from attacca.worker.core.events import Command, Event, Measured, Received
from attacca.worker.core.house import House as OwnHouse
from attacca.worker.core.phases import Phase, Position
from attacca.worker.core.reports import RunEnded, SandboxReady
from attacca.worker.core.state import Sandbox
from attacca.worker.core.worker import WorkerCore

OVER = (Phase.DYING, Phase.GONE)
EWMA, OFF = 0.1, 0.021  # of percentiles: two hundredths, and a rounding


def ewma(values: Iterable[float]) -> float:
    found, is_first = 0.0, True
    for value in values:
        found = value if is_first else found + EWMA * (value - found)
        is_first = False
    return found


def same(one: float, other: float, what: str) -> None:
    assert isclose(one, other, rel_tol=1e-9, abs_tol=1e-9), f"{what}: {one} was told, {other} is counted"


class History(msgspec.Struct):
    """What became of one function's invocations here."""

    arrived: list[float] = []
    ran_s: list[float] = []
    made_s: list[float] = []
    whole_s: dict[Start, list[float]] = msgspec.field(default_factory=lambda: {start: [] for start in Start})

    def gaps(self) -> list[float]:
        return [after - before for before, after in pairwise(self.arrived)]


class Recount:
    """It listens to a core's events, stands between it and its policies, and looks at each decision."""

    def __init__(self, core: WorkerCore) -> None:
        self.core = core
        self.looks = dict.fromkeys(("idle", "known", "house", "waiting", "load"), 0)
        self.histories: dict[str, History] = {}
        self.load_per_core = 0.0
        self.house: House = OwnHouse(core.pool, core.timers, core.functions, None)
        core.pool.keep_as(WatchedKeepalive(self, core.pool.keepalive))
        core.scheduler.queue = WatchedQueue(self, core.scheduler.queue)
        core.scheduler.concurrency = WatchedLimit(self, core.scheduler.concurrency)

    def wrap(self, handle: Callable[[float, Event], list[Command]]) -> Callable[[float, Event], list[Command]]:
        def watched(now: float, event: Event) -> list[Command]:
            self.hear(now, event)
            return handle(now, event)

        return watched

    def of(self, function: str) -> History:
        return self.histories.setdefault(function, History([], [], []))

    def hear(self, now: float, event: Event) -> None:
        core = self.core
        if isinstance(event, Received) and isinstance(event.message, Dispatch) and not core.draining:
            invocation = event.message.invocation
            state = core.catalogue.find(now, invocation.revision, [])  # it has no books before it is asked for
            if state is not None and not state.is_too_large:
                self.of(invocation.function).arrived.append(now)
        elif type(event) is RunEnded:
            self._ran(now, event)
        elif type(event) is SandboxReady:
            sandbox = core.pool.sandboxes[event.sandbox]
            if sandbox.phase is Phase.STARTING:
                self.of(sandbox.state.function.name).made_s.append(now - sandbox.made_at)
        elif type(event) is Measured:
            self.load_per_core = event.load_per_core

    def _ran(self, now: float, event: RunEnded) -> None:
        sandbox = self.core.pool.sandboxes.get(event.sandbox)
        item = None if sandbox is None else sandbox.running.get(event.invocation)
        if item is not None:
            history = self.of(item.state.function.name)
            history.ran_s.append(event.run_ms / 1000)
            history.whole_s[item.start].append(now - item.began)

    # What there is.

    def sandboxes(self, function: str) -> list[Sandbox]:
        return [one for one in self.core.pool.sandboxes.values() if one.state.function.name == function]

    def look_around(self) -> None:
        self.looks["house"] += 1
        pool, house = self.core.pool, self.house
        held = total(one.resources for one in pool.sandboxes.values())
        held += total(one.resources for one in pool.templates.values())
        assert house.capacity == self.core.config.resources
        assert house.used == held
        assert house.idle == total(one.resources for one in pool.sandboxes.values() if one.idle is not None)
        same(house.pressure, held.memory_mb / self.core.config.memory_mb, "pressure")
        for function in self.core.functions:
            known = house.known(function)
            assert known is not None
            self.look_at(function, known)
        assert house.known("nobody") is None

    def look_at(self, function: str, known: Known) -> None:
        self.looks["known"] += 1
        there, history = self.sandboxes(function), self.of(function)
        settings = self.core.functions[function].states[-1].revision.settings
        current = self.core.functions[function].current
        settings = settings if current is None else current.revision.settings
        assert (known.application, known.trigger) == (settings.application or function, settings.trigger)
        assert known.resources == settings.resources
        assert known.invocations == len(history.arrived)
        items = [item for item in self.core.scheduler.items.values() if item.state.function.name == function]
        assert known.running == sum(item.position is Position.RUNNING for item in items)
        assert known.sandboxes == sum(one.is_live for one in there)
        assert known.idle == sum(one.idle is not None for one in there)
        assert known.cached_uses == sum(one.served for one in there if one.phase not in OVER)
        measured = ((known.exec_s, history.ran_s), (known.cold_s, history.made_s), (known.gap_s, history.gaps()))
        for measure, values in measured:
            assert measure.count == len(values)
            same(measure.ewma, ewma(values), f"moving average of {function}")
            same(measure.mean, sum(values) / len(values) if values else 0.0, f"mean of {function}")
            for share in (0.5, 0.95):
                ordered = sorted(values)
                exact = ordered[max(1, -int(-share * len(values) // 1)) - 1] if values else 0.0
                assert isclose(measure.percentile(share), exact, rel_tol=OFF, abs_tol=2e-6)

    def idle(self, now: float, idle: Idle) -> None:
        """As it came to rest."""
        self.looks["idle"] += 1
        sandbox, history = self.core.pool.sandboxes[idle.sandbox], self.of(idle.function)
        settings = sandbox.state.revision.settings
        assert not sandbox.running
        assert (idle.function, idle.resources) == (sandbox.state.function.name, settings.resources)
        assert idle.idle_since == now
        assert (idle.uses, idle.served, idle.used) == (len(history.arrived), sandbox.served, sandbox.served > 0)
        there = self.sandboxes(idle.function)
        assert idle.cached_uses == sum(one.served for one in there if one.phase not in OVER)
        same(idle.cold_s, ewma(history.made_s), "cold_s")
        same(idle.gap_s, ewma(history.gaps()), "gap_s")
        same(idle.exec_s, ewma(history.ran_s), "exec_s")
        assert (idle.application, idle.trigger) == (settings.application or idle.function, settings.trigger)

    def waiting(self, now: float, item: Waiting) -> None:
        self.looks["waiting"] += 1
        history, there = self.of(item.function), self.sandboxes(item.function)
        assert item.arrived == now == history.arrived[-1]
        assert item.function == self.core.scheduler.items[item.id].state.function.name
        same(item.exec_s, ewma(history.ran_s), "exec_s")
        same(item.warm_s, ewma(history.whole_s[Start.WARM]), "warm_s")
        same(item.prewarmed_s, ewma(history.whole_s[Start.PREWARMED]), "prewarmed_s")
        state = self.core.scheduler.items[item.id].state
        kinds = [Start.COLD, Start.TEMPLATE] if state.template is None else [Start.TEMPLATE, Start.COLD]
        cold = history.whole_s[kinds[0]] or history.whole_s[kinds[1]]
        same(item.cold_s, ewma(cold), "cold_s")
        same(item.gap_s, ewma(history.gaps()), "gap_s")
        items = [one for one in self.core.scheduler.items.values() if one.state is state]
        assert item.running == sum(one.position is Position.RUNNING for one in items)
        ready = (Phase.IDLE, Phase.BUSY)
        roomy = [one for one in there if one.state is state and one.phase in ready and len(one.running) < one.slots]
        assert item.idle in ({"warm" if one.served else "prewarmed" for one in roomy} or {""})

    def load(self, load: Load) -> None:
        self.looks["load"] += 1
        scheduler = self.core.scheduler
        running = sum(item.position is Position.RUNNING for item in scheduler.items.values())
        states = self.core.catalogue.states.values()
        claims = sum(max(len(state.pending), len(state.demanded)) for state in states)
        assert load.running == running + claims
        assert load.queued == len(scheduler.items) - running
        assert (load.limit, load.cores) == (scheduler.limit, self.core.config.cores)
        assert load.load_per_core == self.load_per_core


class WatchedKeepalive:
    def __init__(self, recount: Recount, inner: KeepaliveState) -> None:
        self._recount, self._inner = recount, inner
        self.made, self.began, self.woke = _nothing, _nothing, _none

    def arrived(self, now: float, function: str) -> None:
        self._recount.look_around()
        self._inner.arrived(now, function)

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        self._recount.idle(now, idle)
        self._recount.look_around()
        return self._inner.became_idle(now, idle)

    def became_busy(self, now: float, idle: Idle) -> None:
        assert self._recount.core.pool.sandboxes[idle.sandbox].idle is idle
        self._inner.became_busy(now, idle)

    def victims(self, now: float, idle: Iterable[Idle]) -> list[Idle]:
        told = list(idle)
        assert told == [one.idle for one in self._recount.core.pool.sandboxes.values() if one.phase is Phase.IDLE]
        self._recount.look_around()
        return self._inner.victims(now, told)

    def evicted(self, now: float, idle: Idle) -> None:
        self._recount.look_around()
        self._inner.evicted(now, idle)

    def prewarm_at(self, now: float, function: str) -> Expiry | None:
        self._recount.look_around()
        return self._inner.prewarm_at(now, function)


def _nothing(*_: object) -> None: ...
def _none(*_: object) -> list[Ahead]:
    return []


class WatchedQueue:
    def __init__(self, recount: Recount, inner: Queue) -> None:
        self._recount, self._inner = recount, inner
        self.remove, self.ended, self.count = inner.remove, inner.ended, inner.count
        self.is_memoryless = False  # so that it hears of everyone

    def push(self, now: float, item: Waiting) -> None:
        self._recount.waiting(now, item)
        self._inner.push(now, item)

    def pop(self, now: float, can_run: Callable[[str], bool]) -> Next | None:
        return self._inner.pop(now, can_run)

    def __len__(self) -> int:
        return len(self._inner)


class WatchedLimit:
    def __init__(self, recount: Recount, inner: Concurrency) -> None:
        self._recount, self._inner = recount, inner
        self.first, self.can_skip, self.every_s = inner.first, inner.can_skip, inner.every_s

    def adjust(self, now: float, load: Load) -> Limit:
        self._recount.load(load)
        return self._inner.adjust(now, load)
