"""What goes wrong with a simulated domain: its nodes, its orchestrator, the links between nodes."""

from typing import Final, Protocol

from attacca.errors import BadConfig
from attacca.load.workload.scenario import Fault, Scenario
from attacca.sim.engine import Engine
from attacca.sim.platform.faults import Planned, plan
from attacca.sim.record.event_log import NOBODY, EventLog, What
from attacca.sim.workflows.node import SimulatedNode
from attacca.sim.workflows.orchestrator import Orchestrator
from attacca.sim.workflows.roads import Roads

KNOWN: Final = ("worker_crash", "sandbox_crash", "slow_worker", "partition", "control_crash")


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
        self.happened = 0
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
        elif node.is_up:
            self._happens(node.place, number)
            self._strike_node(node, fault, share)

    def _happens(self, place: int, number: int) -> None:
        self.happened += 1
        self._event_log.note(What.FAULT, place, number)

    def _strike_node(self, node: SimulatedNode, fault: Fault, share: float) -> None:
        engine, roads = self._engine, self._world.roads
        ends_at = engine.now + fault.for_s
        match fault.kind:
            case "worker_crash":
                node.crash()
                roads.broken(node)
                engine.at(engine.now + self._scenario.system.silent_s, self._lose, (node, node.up_count))
                engine.at(ends_at, self._restart, node)
            case "sandbox_crash":
                there = [one for one in node.runtime.instances.values() if one.is_ready and not one.is_template]
                if there:
                    node.runtime.lose(there[int(share * len(there))].id, "sandbox_lost", "killed by signal 9")
            case "slow_worker":
                node.set_slow(node.slow * fault.factor)
                engine.at(ends_at, self._speed_up, (node, fault.factor))
            case _:
                roads.cut(node)
                engine.at(ends_at, self._mend, node)

    def _lose(self, lost: tuple[SimulatedNode, int]) -> None:
        """Nobody has heard of it."""
        node, up_count = lost
        if not node.is_up and node.up_count == up_count:
            self._world.orchestrator.lose(node.name)

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
