"""What goes wrong with a simulated domain: its nodes, its orchestrator, its store, and links of each with each."""

from typing import Final, Protocol

from attacca.errors import BadConfig
from attacca.load.workload.scenario import Fault, Scenario
from attacca.sim.engine import Engine
from attacca.sim.platform.faults import Planned, plan
from attacca.sim.record.event_log import NOBODY, EventLog, What
from attacca.sim.workflows.controls import DomainControl
from attacca.sim.workflows.federated import Federated
from attacca.sim.workflows.node import SimulatedNode
from attacca.sim.workflows.orchestrator import FROM, TO, Orchestrator
from attacca.sim.workflows.roads import Roads
from attacca.worker.runtime.simulated import Job

OF_DOMAINS: Final = ("domain_crash", "federation_crash", "portal_cut")  # where there are several
KNOWN: Final = (
    "worker_crash", "sandbox_crash", "slow_worker", "stuck_sandbox", "partition", "control_crash", "store_slow",
    "store_down", "cut_off", "deaf", "mute", "unruly_function", *OF_DOMAINS,
)  # fmt: skip
WAYS: Final = {"cut_off": (TO, FROM), "deaf": (TO,), "mute": (FROM,)}  # that are cut between a node and control


Keeper = Orchestrator | DomainControl | Federated


class Failing(Protocol):
    nodes: dict[str, SimulatedNode]
    roads: Roads
    orchestrator: Orchestrator | Federated


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
        control = world.orchestrator.control(share)
        if fault.kind in OF_DOMAINS:
            self._happens(NOBODY, number)
            self._strike_domain(fault, share)
        elif fault.kind == "control_crash":
            if control.is_up:
                self._happens(NOBODY, number)
                control.crash()
                self._engine.at(self._engine.now + fault.for_s, self._restart_control, control)
        elif fault.kind in ("store_slow", "store_down"):
            self._happens(NOBODY, number)
            self._strike_store(fault, world.orchestrator.keeper(share))
        elif node.is_up:
            self._happens(node.place, number)
            self._strike_node(node, fault, share)

    def _happens(self, place: int, number: int) -> None:
        self.happened += 1
        self._event_log.note(What.FAULT, place, number)

    def _strike_store(self, fault: Fault, keeper: Keeper) -> None:
        if fault.kind == "store_slow":
            keeper.slow_store(fault.factor)
        else:
            keeper.is_store_down += 1
            self._engine.at(self._engine.now + fault.for_s, self._mend_store, keeper)

    def _mend_store(self, keeper: Keeper) -> None:
        self._event_log.note(What.MENDED, NOBODY, 0)
        keeper.is_store_down -= 1

    def _strike_domain(self, fault: Fault, share: float) -> None:
        federated, ends_at = self._world.orchestrator, self._engine.now + fault.for_s
        if not isinstance(federated, Federated):
            return
        control = federated.control(share)
        name = control.member.name
        if fault.kind == "portal_cut":
            federated.cut_portals(name)
            self._engine.at(ends_at, self._mend_portals, name)
        elif fault.kind == "federation_crash":
            if federated.is_federation_up:
                federated.crash_federation()
                self._engine.at(ends_at, self._restart_federation)
        elif control.is_up:
            control.crash()
            nodes = [one for one in control.member.orchestrator.nodes.values() if one.is_up]
            for node in nodes:
                self._crash(node)
            self._engine.at(ends_at, self._restart_domain, (control, nodes))

    def _mend_portals(self, name: str) -> None:
        federated = self._world.orchestrator
        assert isinstance(federated, Federated), "it was struck"
        self._event_log.note(What.MENDED, NOBODY, 0)
        federated.mend_portals(name)

    def _restart_federation(self, _: None) -> None:
        federated = self._world.orchestrator
        assert isinstance(federated, Federated), "it was struck"
        self._event_log.note(What.MENDED, NOBODY, 0)
        federated.restart_federation()

    def _restart_domain(self, struck: tuple[DomainControl, list[SimulatedNode]]) -> None:
        control, nodes = struck
        control.restart()
        for node in nodes:
            self._restart(node)

    def _crash(self, node: SimulatedNode) -> None:
        self.crashes += 1
        node.crash()
        self._world.roads.broken(node)

    def _strike_node(self, node: SimulatedNode, fault: Fault, share: float) -> None:
        engine, roads = self._engine, self._world.roads
        ends_at = engine.now + fault.for_s
        match fault.kind:
            case "worker_crash":
                self._crash(node)
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

    def _restart_control(self, control: Orchestrator | DomainControl) -> None:
        self._event_log.note(What.MENDED, NOBODY, 0)
        control.restart()

    def _speed_up(self, slowed: tuple[SimulatedNode, float]) -> None:
        node, factor = slowed
        self._event_log.note(What.MENDED, node.place, 0)
        node.set_slow(node.slow / factor)

    def _mend(self, node: SimulatedNode) -> None:
        self._event_log.note(What.MENDED, node.place, 0)
        self._world.roads.mend(node)
