"""Joins the cores of a domain and its nodes to the engine: workflows that come and go, and the events for them.

What comes to the first function of a workflow is one row of the record, answered when the last has handled it.
"""

from collections.abc import Callable, Iterator
from typing import Final

from attacca.errors import AttaccaError
from attacca.kernel.rand import Streams
from attacca.load.records.recorder import NullRecorder, RecordSink
from attacca.load.workload.scenario import FunctionPlan, Scenario, WorkflowPlan
from attacca.load.workload.schedule import Due, Schedule, Target
from attacca.load.workload.shapes import arrivals
from attacca.model.events import REPLICA, BetweenInstances, InstanceDown, InstanceUp, place
from attacca.model.membership import HEARTBEAT_S
from attacca.model.workflow import WorkflowView
from attacca.sim.engine import Engine
from attacca.sim.platform.draws import Draws, Duration
from attacca.sim.platform.hardware import Chances
from attacca.sim.record.event_log import NOBODY, EventLog, What
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.record.ledger import Ledger
from attacca.sim.workflows.faults import Failures
from attacca.sim.workflows.federated import Federated
from attacca.sim.workflows.graphs import OUT, first_of, last_of, spec_of
from attacca.sim.workflows.node import SimulatedNode
from attacca.sim.workflows.orchestrator import Orchestrator
from attacca.sim.workflows.outside import RESTLESS, outside
from attacca.sim.workflows.roads import Roads
from attacca.sim.workflows.turns import Turns

UNAVAILABLE: Final = 503
CALL_FAILED: Final = 502
PER_PART: Final = 1 << 32  # events of a run, at most


class Lived:
    """One workflow of the scenario. `place`: in the schedule; `first`, `last`: its functions; `needs`: events of one
    transaction that the last waits for."""

    __slots__ = ("first", "id", "is_over", "last", "name", "needs", "parts", "place", "plan", "work")

    def __init__(self, place: int, plan: WorkflowPlan, name: str, seed: int) -> None:
        self.place, self.plan, self.name = place, plan, name
        self.first = first_of(plan)
        self.last, self.needs = last_of(plan)
        self.parts = [component.name for component in spec_of(plan, name).components]
        self.work = Duration(plan.duration, seed, f"work/{name}")
        self.id = ""  # the domain's, once it has been accepted
        self.is_over = False

    def __repr__(self) -> str:
        return f"<Lived {self.name} {'over' if self.is_over else self.id or 'not yet'}>"


class Crossing:
    """What came to a workflow, on its way to the last of its functions."""

    __slots__ = ("flight", "seen", "turns", "waits")

    def __init__(self, flight: SimulatedInvocation, waits: int) -> None:
        self.flight = flight
        self.waits = waits
        self.seen: set[tuple[str, str]] = set()  # who has handled it, from whom
        self.turns: dict[str, int] = {}  # by place: which of all events it was that was sent on there

    def __repr__(self) -> str:
        return f"<Crossing {self.flight.idx}, {len(self.seen)} steps>"


class WorkflowWorld:
    def __init__(
        self, scenario: Scenario, schedule: Schedule, sink: RecordSink, engine: Engine, event_log: EventLog
    ) -> None:
        """
        Raises:
            BadConfig: a policy does not exist, or the scenario wants what cannot be simulated of workflows.
        """
        self.scenario, self.engine, self._event_log = scenario, engine, event_log
        has_rows = scenario.record.invocations and not isinstance(sink, NullRecorder)
        self.ledger = Ledger(sink, scenario.name, scenario.seed, has_rows=has_rows)
        self.target = Target(plan=FunctionPlan(name="instance"), label="", app="", trigger="", mean_ms=0.0)
        self._schedule = schedule
        self._coming: Iterator[Due] = iter(schedule)
        self._moments = Draws(scenario.seed, "samples")
        self.doubled = self.blocked = self._sent = self._turns = 0
        self.forgotten = ""  # whose successor did not begin with the state that was kept
        self.turns = Turns()
        self._offered: dict[str, int] = {}  # by place: how many states
        self._states: dict[str, int] = {}  # by place: the last that is known to be kept
        self._outside = outside(scenario.system.outside, Streams(scenario.seed).stream("outside"))
        self.crossings: dict[int, Crossing] = {}
        self._up: dict[tuple[str, str], tuple[SimulatedNode, str]] = {}  # by workflow and component: its instance
        chances = Chances(scenario.hardware, scenario.seed, {})
        count = scenario.system.workers
        self.nodes = {
            f"w{place}": SimulatedNode(place, scenario, engine, event_log, chances, self) for place in range(count)
        }
        self.roads = Roads(scenario, engine, self.nodes)
        kind = Orchestrator if scenario.system.domains == 1 else Federated
        self.orchestrator: Orchestrator | Federated = kind(scenario, engine, self.nodes, self._answered)
        self.roads.fenced, self.roads.is_replaced = self.orchestrator.fenced, self.orchestrator.is_replaced
        self.lived = [
            Lived(place, _plan_of(scenario, place, schedule), target.name, scenario.seed)
            for place, target in enumerate(schedule.functions)
        ]
        self._by_id: dict[str, Lived] = {}
        self.faults = Failures(scenario, schedule.length_s, engine, event_log, self)

    def __repr__(self) -> str:
        return f"<WorkflowWorld at {self.engine.now:g} s: {self._sent} sent, {len(self.crossings)} under way>"

    # The run.

    def run(self, after: Callable[[], None] | None = None, is_settled: Callable[[], bool] | None = None) -> None:
        """As long as the schedule, and then until everything is through and settled, or the time for that is over."""
        engine, length_s = self.engine, self._schedule.length_s
        for node in self.nodes.values():
            self.orchestrator.join(node)
        for lived, at in zip(self.lived, self._starts(), strict=True):
            if at < length_s:
                engine.at(at, self._start, lived)
        self._pull()
        self._sample_next(0)
        engine.at(HEARTBEAT_S, self._beat)
        if self._outside is not None:
            engine.at(self.scenario.system.outside_every_s, self._look)
        self.faults.begin()
        engine.run(length_s, after)
        until = length_s + self.scenario.workload.drain_s
        while engine.now < until and (self.crossings or (is_settled is not None and not is_settled())):
            engine.run(min(engine.now + 1.0, until), after)
        for crossing in self.crossings.values():
            self.ledger.close_flight(crossing.flight, engine.now, 0, "unanswered")
        self.ledger.totals.invocations = self._sent

    def lost_messages(self) -> int:
        return self.roads.lost

    def _starts(self) -> Iterator[float]:
        """Of each workflow, when it is asked for; inf: not in this run."""
        length_s = self._schedule.length_s
        for plan in self.scenario.workflows:
            if plan.starts is None:
                yield from [0.0] * plan.copies
                continue
            stream = Streams(self.scenario.seed).stream(f"starts/{plan.name}")
            coming = arrivals(plan.starts, stream, length_s)
            yield from (next(coming, length_s) for _ in range(plan.copies))

    def _start(self, lived: Lived) -> None:
        self.orchestrator.start(lived.place, spec_of(lived.plan, lived.name))

    def _answered(self, number: str, outcome: WorkflowView | AttaccaError | None) -> None:
        if number.startswith("-"):
            return
        lived = self.lived[int(number)]
        if not isinstance(outcome, WorkflowView):
            self.blocked += 1
            lived.is_over = True
            return
        lived.id = outcome.id
        self._by_id[outcome.id] = lived
        self._event_log.note(What.READY, NOBODY, lived.place)
        if lived.plan.lifetime is not None:
            seconds = Duration(lived.plan.lifetime, self.scenario.seed, f"lifetime/{lived.plan.name}").at(lived.place)
            self.engine.at(self.engine.now + seconds, self._stop, lived)

    def _stop(self, lived: Lived) -> None:
        lived.is_over = True
        self._event_log.note(What.GONE, NOBODY, lived.place)
        self.orchestrator.stop(lived.place, lived.id)

    # What comes.

    def _pull(self) -> None:
        due = next(self._coming, None)
        if due is not None:
            self.engine.at(due.due_s, self._arrive, due)

    def _arrive(self, due: Due) -> None:
        """To a workflow that is not there nothing comes."""
        self._pull()
        lived = self.lived[due.function]
        if not lived.id or lived.is_over:
            return
        self._sent += 1
        flight = SimulatedInvocation(due.idx, due.due_s, self._schedule.functions[due.function], 0.0, due.phase)
        self._event_log.note(What.ARRIVED, NOBODY, due.idx)
        node, instance = self._up.get((lived.id, lived.first), (None, ""))
        self.crossings[due.idx] = Crossing(flight, lived.needs)
        if node is None or not node.takes(instance, str(due.idx)):
            del self.crossings[due.idx]
            self._event_log.note(What.REFUSED, NOBODY, due.idx)
            self.ledger.totals.refused += 1
            self.ledger.close_flight(flight, self.engine.now, UNAVAILABLE, "unavailable")

    # What nodes want.

    def work_s(self, instance: str, data: str) -> float:
        lived, component = self._of(instance)
        if lived is None:
            return 0.0
        return lived.work.at(lived.parts.index(component) * PER_PART + int(data))

    def handled(self, node: SimulatedNode, instance: str, source: str, data: str) -> str:
        lived, component = self._of(instance)
        crossing = self.crossings.get(int(data))
        if lived is None or crossing is None:
            return ""
        sender = source.partition("@")[0]
        step = component, self._of(sender)[1]
        if step in crossing.seen:
            self.doubled += 1
        crossing.seen.add(step)
        self.turns.handled(instance, sender, crossing.turns.get(place(sender), int(data)))
        self._turns += 1
        crossing.turns[place(instance)] = self._turns
        if lived.plan.template == "calls":
            return OUT if component != lived.parts[-1] else self._passed(node, crossing, int(len(lived.parts) == 1))
        return OUT if component != lived.last else self._passed(node, crossing, 1)

    def fell(self, instance: str) -> None:
        self.turns.fell(instance)

    def _passed(self, node: SimulatedNode, crossing: Crossing, steps: int) -> str:
        crossing.waits -= steps
        if crossing.waits == 0:
            self._close(node, crossing, 200, "")
        return ""

    def _close(self, node: SimulatedNode, crossing: Crossing, status: int, error: str) -> None:
        flight = crossing.flight
        del self.crossings[flight.idx]
        flight.worker = node.place
        self._event_log.note(What.FAILED if error else What.ANSWERED, node.place, flight.idx)
        self.ledger.close_flight(flight, self.engine.now, status, error)

    def calls(self, instance: str) -> float:
        lived, _ = self._of(instance)
        return lived.plan.timeout_s if lived is not None and lived.plan.template == "calls" else 0.0

    def replied(self, node: SimulatedNode, instance: str, data: str, *, is_error: bool) -> None:
        lived, component = self._of(instance)
        crossing = self.crossings.get(int(data))
        if lived is not None and crossing is not None and component == lived.first:
            self._close(node, crossing, *((CALL_FAILED, "call_failed") if is_error else (200, "")))

    def syncs(self, instance: str) -> bytes | None:
        lived, _ = self._of(instance)
        if lived is None or not lived.plan.syncs:
            return None
        count = self._offered[place(instance)] = self._offered.get(place(instance), 0) + 1
        return b"%d" % count

    def kept(self, instance: str, state: bytes) -> None:
        self._states[place(instance)] = max(int(state), self._states.get(place(instance), 0))

    def begins(self, instance: str, state: bytes | None) -> None:
        if int(state or b"0") < self._states.get(place(instance), 0):
            self.forgotten = instance

    def to_control(self, node: SimulatedNode, message: object) -> None:
        if isinstance(message, InstanceUp) and not message.is_standby:
            self._up[_names(message.id)] = node, message.id
        elif isinstance(message, InstanceDown) and self._up.get(_names(message.id)) == (node, message.id):
            del self._up[_names(message.id)]
        self.orchestrator.say(node, message)

    def to_node(self, node: SimulatedNode, other: str, message: BetweenInstances) -> None:
        self.roads.send(node, other, message)

    def dial(self, node: SimulatedNode, other: str) -> None:
        self.roads.dial(node, other)

    def _of(self, instance: str) -> tuple[Lived | None, str]:
        workflow, component = _names(instance)
        lived = self._by_id.get(workflow)
        return lived, component

    # Time.

    def _beat(self, _: None) -> None:
        self.orchestrator.beat()
        self.engine.at(self.engine.now + HEARTBEAT_S, self._beat)

    def _look(self, _: None) -> None:
        """While events come. In the end a restless one leaves nothing cordoned."""
        every_s, orchestrator = self.scenario.system.outside_every_s, self.orchestrator
        is_over = self.engine.now + every_s >= self._schedule.length_s
        assert self._outside is not None, "somebody looks"
        if isinstance(orchestrator, Federated):
            orchestrator.stir()
        elif orchestrator.is_up:
            self._outside.look(orchestrator.state(), every_s, orchestrator.obey)
        if is_over and self.scenario.system.outside == RESTLESS:
            for node in self.nodes.values():
                node.is_cordoned = False
        if not is_over:
            self.engine.at(self.engine.now + every_s, self._look)

    def _sample(self, number: int) -> None:
        for node in self.nodes.values():
            self.ledger.sample(self.engine.now, node.name, node.gauge())
        self._sample_next(number + 1)

    def _sample_next(self, number: int) -> None:
        at = (number + self._moments.at(number)) * self.scenario.record.sample_s
        self.engine.at(at, self._sample, number)


def _names(instance: str) -> tuple[str, str]:
    """Its workflow, and its component."""
    workflow, _, rest = instance.partition(".")
    return workflow, rest.partition(".")[0].partition(REPLICA)[0]


def _plan_of(scenario: Scenario, place: int, schedule: Schedule) -> WorkflowPlan:
    for plan in scenario.workflows:
        if place < plan.copies:
            return plan
        place -= plan.copies
    raise AssertionError(f"{schedule!r} has more than the scenario")
