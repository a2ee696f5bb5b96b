"""On what an invocation runs that may run with a device or without one, as a policy decides, and what that is told."""

from collections.abc import Callable, Iterable, Mapping

from attacca.model.accelerators import Compute
from attacca.model.invocation import Invocation
from attacca.policy.dispatch.types import Asked, Chosen, Dispatcher, Side
from attacca.worker.core.events import Command
from attacca.worker.core.lines import Lines
from attacca.worker.core.phases import Position
from attacca.worker.core.scheduler import Scheduler
from attacca.worker.core.state import Function, QueuedInvocation, RevisionState
from attacca.worker.core.statistics import Statistics

EWMA = 0.1  # the share of what is new in a mean
KNOWN_MOST = 10_000


class Choosing:
    def __init__(self, dispatcher: Dispatcher, lines: Lines, functions: Mapping[str, Function]) -> None:
        self._dispatcher = dispatcher
        self._lines = lines
        self._functions = functions
        self._totals: dict[str, tuple[float, float]] = {}  # by function or twin: mean and latest, until the answer
        self._arrived: dict[str, Statistics] = {}  # by function, of both together
        self._arrivals = 0
        self._sent: dict[str, tuple[str, Compute]] = {}  # by invocation that was sent to one of both: which function

    def __repr__(self) -> str:
        return f"<Choosing of {self._arrivals} invocations of {len(self._arrived)} functions: {self._dispatcher!r}>"

    def choose(self, now: float, state: RevisionState) -> Chosen:
        """There is a twin."""
        twin = state.device_twin
        assert twin is not None
        if state.retired or twin.is_too_large:
            return Chosen((Compute.CPU,), "no device could take it")
        name = state.function.name
        self._arrivals += 1
        seen = self._arrived.get(name)
        if seen is None:
            if len(self._arrived) >= KNOWN_MOST:
                self._arrived = {one: known for one, known in self._arrived.items() if one in self._functions}
            seen = self._arrived[name] = Statistics()
        seen.arrived(now)
        assert self._lines.devices is not None
        asked = Asked(
            function=name, cpu=self._side(now, state, self._lines.plain),
            gpu=self._side(now, twin, self._lines.devices),
            gap_s=seen.gap_s.ewma, share=seen.invocations / self._arrivals,
        )  # fmt: skip
        return self._dispatcher.choose(now, asked)

    def join(self, now: float, peer: str, invocation: Invocation, state: RevisionState, out: list[Command]) -> None:
        """It has a turn to come, in one line or in both."""
        if state.device_twin is None:
            self._lines.of(state).join(now, peer, invocation, state, out, at_once=False)
            return
        self._forget_the_lost(now)
        chosen = self.choose(now, state)
        if len(chosen.on) > 1:
            self._lines.join_both(now, peer, invocation, state, out)
            return
        on = state.device_twin if chosen.on[0] is Compute.GPU else state
        assert on is not None
        line = self._lines.of(on)
        line.join(now, peer, invocation, on, out, at_once=False)
        self._sent[invocation.id] = (state.function.name, chosen.on[0])
        line.items[invocation.id].turn = f"on the {chosen.on[0]}: {chosen.why}"

    def ended(self, now: float, item: QueuedInvocation, exec_s: float) -> None:
        """It has run, on either; of other functions nobody asks."""
        state = item.state
        if state.device_twin is None and not state.is_twin:
            return
        name, total_s = state.function.name, now - item.arrived
        mean_s, _ = self._totals.get(name, (total_s, 0.0))
        self._totals[name] = (mean_s + EWMA * (total_s - mean_s), total_s)
        if len(self._totals) > KNOWN_MOST:
            self._totals = {one: known for one, known in self._totals.items() if one in self._functions}
        compute = Compute.GPU if state.is_twin else Compute.CPU
        self._sent.pop(item.id, None)
        self._dispatcher.ended(now, state.revision.function, compute, exec_s, total_s)

    def _forget_the_lost(self, now: float) -> None:
        """Of what never ran to its end the policy hears with the next arrival."""
        for name, (function, compute) in list(self._sent.items()):
            if not any(name in line.items for line in self._lines):
                del self._sent[name]
                self._dispatcher.ended(now, function, compute, 0.0, 0.0)

    def _side(self, now: float, state: RevisionState, line: Scheduler) -> Side:
        known = state.function.statistics
        slots = max(1, line.limit)
        waiting = [item for item in line.items.values() if item.position is not Position.RUNNING]
        ask: Callable[[float, str], float | None] | None = getattr(line.queue, "wait_s", None)
        told_s = None if ask is None else ask(now, state.function.name)
        wait_s = told_s if told_s is not None else _exec_s(waiting)
        wait_s += _exec_s(line.head_of_line) if told_s is not None else 0.0  # they are in no queue any more
        mean_s, last_s = self._totals.get(state.function.name, (0.0, 0.0))
        return Side(
            exec_s=known.exec_s.ewma, total_s=mean_s, last_s=last_s, start_s=_start_s(state),
            wait_s=wait_s / slots if len(waiting) + line.running >= slots else 0.0, queued=len(waiting),
            running=line.running, slots=slots, sandboxes=state.live,
        )  # fmt: skip


def _exec_s(items: Iterable[QueuedInvocation]) -> float:
    return sum(item.state.function.statistics.exec_s.ewma for item in items)


def _start_s(state: RevisionState) -> float:
    """Until the answer, by the best sandbox at hand."""
    known = state.function.statistics
    if state.free:
        if not state.free[-1].served and known.prewarmed_s.count:
            return known.prewarmed_s.ewma
        return known.warm_s.ewma or known.exec_s.ewma
    if state.live:
        return known.warm_s.ewma or known.exec_s.ewma
    return known.cold_s.ewma or known.template_s.ewma
