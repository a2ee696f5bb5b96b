"""What goes wrong with a simulated domain: its nodes, its orchestrator, its store, and links of each with each."""

from typing import Final, Protocol

from attacca.errors import BadConfig
from attacca.load.workload.scenario import Fault, Scenario
from attacca.sim.engine import Engine
from attacca.sim.platform.faults import Planned, plan
from attacca.sim.record.event_log import NOBODY, EventLog, What
from attacca.sim.workflows.node import SimulatedNode
from attacca.sim.workflows.orchestrator import FROM, TO, Orchestrator
from attacca.sim.workflows.roads import Roads
from attacca.worker.runtime.simulated import Job

KNOWN: Final = (
    "worker_crash", "sandbox_crash", "slow_worker", "stuck_sandbox", "partition", "control_crash", "store_slow",
    "store_down", "cut_off", "deaf", "mute", "unruly_function",
)  # fmt: skip
WAYS: Final = {"cut_off": (TO, FROM), "deaf": (TO,), "mute": (FROM,)}  # that are cut between a node and control


class Failing(Protocol):
    nodes: dict[str, SimulatedNode]
    roads: Roads
    orchestrator: Orchestrator


class Failures:
    def __init__(
        self, scenario: Scenario, length_s: float, engine: Engine, event_log: EventLog, world: Failing
    ) -> None:
        """
        Raises:
            BadConfig: a fault is none of a workflow's.
        """
        self.happened = self.under_way = 0
        self.crashes = 0  # of nodes
        self._scenario, self._length_s, self._engine, self._event_log = scenario, length_s, engine, event_log
        self._world = world
        for fault in scenario.faults:
            if fault.kind not in KNOWN:
                raise BadConfig(f"{fault.kind} cannot be simulated with workflows", f"there are {', '.join(KNOWN)}")

    def __repr__(self) -> str:
        return f"<Failures {self.happened} happened>"

    def begin(self) -> None:
        for at, planned in plan(self._scenario, self._length_s):
            self._engine.at(at, self._strike, planned)

    def _strike(self, planned: Planned) -> None:
        number, fault, share = planned
        world = self._world
        nodes = list(world.nodes.values())
        node = nodes[int(share * len(nodes)) if fault.worker is None else fault.worker % len(nodes)]
        if fault.kind == "control_crash":
            if world.orchestrator.is_up:
                self._happens(NOBODY, number)
                world.orchestrator.crash()
                self._engine.at(self._engine.now + fault.for_s, self._restart_control)
        elif fault.kind in ("store_slow", "store_down"):
            self._happens(NOBODY, number)
            self._strike_store(fault)
        elif node.is_up:
            self._happens(node.place, number)
            self._strike_node(node, fault, share)

    def _happens(self, place: int, number: int) -> None:
        self.happened += 1
        self._event_log.note(What.FAULT, place, number)

    def _strike_store(self, fault: Fault) -> None:
        orchestrator = self._world.orchestrator
        if fault.kind == "store_slow":
            orchestrator.slow_store(fault.factor)
        else:
            orchestrator.is_store_down += 1
            self._engine.at(self._engine.now + fault.for_s, self._mend_store)

    def _mend_store(self, _: None) -> None:
        self._event_log.note(What.MENDED, NOBODY, 0)
        self._world.orchestrator.is_store_down -= 1

    def _strike_node(self, node: SimulatedNode, fault: Fault, share: float) -> None:
        engine, roads = self._engine, self._world.roads
        ends_at = engine.now + fault.for_s
        match fault.kind:
            case "worker_crash":
                self.crashes += 1
                node.crash()
                roads.broken(node)
                engine.at(ends_at, self._restart, node)
            case "sandbox_crash" | "stuck_sandbox" | "unruly_function":
                self._strike_instance(node, fault, share)
            case "cut_off" | "deaf" | "mute":
                self._world.orchestrator.cut(node.name, WAYS[fault.kind])
                engine.at(ends_at, self._mend_link, (node.name, WAYS[fault.kind]))
            case "slow_worker":
                node.set_slow(node.slow * fault.factor)
                engine.at(ends_at, self._speed_up, (node, fault.factor))
            case _:
                roads.cut(node)
                engine.at(ends_at, self._mend, node)

    def _strike_instance(self, node: SimulatedNode, fault: Fault, share: float) -> None:
        there = [one for one in node.runtime.instances.values() if one.is_ready and not one.is_template]
        if not there:
            return
        place = share * len(there)
        struck = there[int(place)]
        if fault.kind == "sandbox_crash":
            node.lose(struck.id)
        elif fault.kind == "stuck_sandbox":
            stuck = node.runtime.stick(struck)
            self._engine.at(self._engine.now + fault.for_s, self._loosen, (node, node.up_count, stuck))
        elif struck.id in node.ready():
            node.misbehave(struck.id, place % 1.0)

    def _loosen(self, stuck: tuple[SimulatedNode, int, list[Job]]) -> None:
        node, up_count, jobs = stuck
        self._event_log.note(What.MENDED, node.place, 0)
        if node.is_up and node.up_count == up_count:
            node.runtime.loosen(jobs)

    def _mend_link(self, mended: tuple[str, tuple[str, ...]]) -> None:
        self._event_log.note(What.MENDED, NOBODY, 0)
        self._world.orchestrator.mend(*mended)

    def _restart(self, node: SimulatedNode) -> None:
        self._event_log.note(What.MENDED, node.place, 0)
        self._world.orchestrator.lose(node.name)
        node.start()
        self._world.orchestrator.join(node)
        self._world.roads.back(node)

    def _restart_control(self, _: None) -> None:
        self._event_log.note(What.MENDED, NOBODY, 0)
        self._world.orchestrator.restart()

    def _speed_up(self, slowed: tuple[SimulatedNode, float]) -> None:
        node, factor = slowed
        self._event_log.note(What.MENDED, node.place, 0)
        node.set_slow(node.slow / factor)

    def _mend(self, node: SimulatedNode) -> None:
        self._event_log.note(What.MENDED, node.place, 0)
        self._world.roads.mend(node)
