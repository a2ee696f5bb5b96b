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
from attacca.model.events import BetweenInstances, InstanceDown, InstanceUp
from attacca.model.membership import HEARTBEAT_S
from attacca.model.workflow import WorkflowView
from attacca.sim.engine import Engine
from attacca.sim.platform.draws import Draws, Duration
from attacca.sim.platform.hardware import Chances
from attacca.sim.record.event_log import NOBODY, EventLog, What
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.record.ledger import Ledger
from attacca.sim.workflows.faults import Failures
from attacca.sim.workflows.graphs import OUT, first_of, last_of, spec_of
from attacca.sim.workflows.node import SimulatedNode
from attacca.sim.workflows.orchestrator import Orchestrator
from attacca.sim.workflows.roads import Roads

UNAVAILABLE: Final = 503
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

    __slots__ = ("flight", "seen", "waits")

    def __init__(self, flight: SimulatedInvocation, waits: int) -> None:
        self.flight = flight
        self.waits = waits
        self.seen: set[tuple[str, str]] = set()  # who has handled it, from whom

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
        self.doubled = self.blocked = self._sent = 0
        self.crossings: dict[int, Crossing] = {}
        self._up: dict[tuple[str, str], tuple[SimulatedNode, str]] = {}  # by workflow and component: its instance
        chances = Chances(scenario.hardware, scenario.seed, {})
        count = scenario.system.workers
        self.nodes = {
            f"w{place}": SimulatedNode(place, scenario, engine, event_log, chances, self) for place in range(count)
        }
        self.roads = Roads(scenario, engine, self.nodes)
        self.orchestrator = Orchestrator(scenario, engine, self.nodes, self._answered)
        self.lived = [
            Lived(place, _plan_of(scenario, place, schedule), target.name, scenario.seed)
            for place, target in enumerate(schedule.functions)
        ]
        self._by_id: dict[str, Lived] = {}
        self.faults = Failures(scenario, schedule.length_s, engine, event_log, self)

    def __repr__(self) -> str:
        return f"<WorkflowWorld at {self.engine.now:g} s: {self._sent} sent, {len(self.crossings)} under way>"

    # The run.

    def run(self, after: Callable[[], None] | None = None) -> None:
        """As long as the schedule, and then until everything is through or the time for that is over."""
        engine, length_s = self.engine, self._schedule.length_s
        for node in self.nodes.values():
            self.orchestrator.join(node)
        for lived, at in zip(self.lived, self._starts(), strict=True):
            if at < length_s:
                engine.at(at, self._start, lived)
        self._pull()
        self._sample_next(0)
        engine.at(HEARTBEAT_S, self._beat)
        self.faults.begin()
        engine.run(length_s, after)
        if self.crossings:
            engine.run(length_s + self.scenario.workload.drain_s, after)
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
        place = int(number)
        if place < 0 or number == "-0":
            return
        lived = self.lived[place]
        if not isinstance(outcome, WorkflowView):
            self.blocked += 1
            lived.is_over = True
            return
        lived.id = outcome.id
        self._by_id[outcome.id] = lived
        self._event_log.note(What.READY, NOBODY, place)
        if lived.plan.lifetime is not None:
            seconds = Duration(lived.plan.lifetime, self.scenario.seed, f"lifetime/{lived.plan.name}").at(place)
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
        step = component, self._of(source.partition("@")[0])[1]
        if step in crossing.seen:
            self.doubled += 1
        crossing.seen.add(step)
        if component != lived.last:
            return OUT
        crossing.waits -= 1
        if crossing.waits == 0:
            flight = crossing.flight
            del self.crossings[flight.idx]
            flight.worker = node.place
            self._event_log.note(What.ANSWERED, node.place, flight.idx)
            self.ledger.close_flight(flight, self.engine.now, 200, "")
        return ""

    def to_control(self, node: SimulatedNode, message: object) -> None:
        if isinstance(message, InstanceUp):
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
        for node in self.nodes.values():
            if node.is_up:
                self.orchestrator.see(node)
        self.engine.at(self.engine.now + HEARTBEAT_S, self._beat)

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
    return workflow, rest.partition(".")[0]


def _plan_of(scenario: Scenario, place: int, schedule: Schedule) -> WorkflowPlan:
    for plan in scenario.workflows:
        if place < plan.copies:
            return plan
        place -= plan.copies
    raise AssertionError(f"{schedule!r} has more than the scenario")
