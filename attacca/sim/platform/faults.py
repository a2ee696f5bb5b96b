"""What goes wrong, when, and for how long: as the scenario says, or drawn from its seed."""

from collections.abc import Callable, Iterator, Sequence
from math import log1p
from typing import Any, Final, Protocol

from attacca.load.workload.scenario import Fault, Scenario
from attacca.model.messages import WorkerJoined
from attacca.sim.engine import Engine
from attacca.sim.platform.control import SimulatedControl
from attacca.sim.platform.draws import Draws
from attacca.sim.platform.gateway import SimulatedGateway
from attacca.sim.platform.leaders import Leaders
from attacca.sim.platform.network import Channel
from attacca.sim.platform.replicas import SimulatedReplica
from attacca.sim.platform.worker import SimulatedWorker
from attacca.sim.record.event_log import NOBODY, EventLog, What
from attacca.worker.runtime.simulated import Job

HOUR_S = 3600.0
OF_PLANES: Final = frozenset({"gateway_crash", "control_stop", "store_down", "store_slow"})  # of no worker
Planned = tuple[int, Fault, float]  # its number, what, and a share that decides whom it hits


class Struck(Protocol):
    """The world, as far as faults go. `leaders`: nobody, where one control leads whatever happens."""

    nodes: list[SimulatedWorker]
    fronts: list[SimulatedGateway]
    control: SimulatedControl
    leaders: Leaders | None

    def crash_gateway(self, place: int) -> None: ...
    def restart_gateway(self, place: int) -> None: ...


class Faults:
    def __init__(self, scenario: Scenario, length_s: float, engine: Engine, event_log: EventLog, world: Struck) -> None:
        self.happened = 0
        self._scenario = scenario
        self._length_s = length_s
        self._engine = engine
        self._event_log = event_log
        self._world = world
        self._nodes: Sequence[SimulatedWorker] = world.nodes
        self._control = world.control
        self._downs = 0  # of the store, that have not ended

    def __repr__(self) -> str:
        return f"<Faults {self.happened} happened>"

    def begin(self) -> None:
        for at, planned in plan(self._scenario, self._length_s):
            self._engine.at(at, self._strike, planned)

    def _strike(self, planned: Planned) -> None:
        number, fault, share = planned
        if fault.kind in OF_PLANES:
            self._strike_planes(number, fault, share)
            return
        nodes = self._nodes
        node = nodes[fault.worker % len(nodes)] if fault.worker is not None else nodes[int(share * len(nodes))]
        if not (self._control.is_up if fault.kind == "control_crash" else node.is_up):
            return
        self._happens(node.place, number)
        if fault.kind == "control_crash":
            self._crash_control(node, fault)
        else:
            self._strike_worker(node, fault, share)

    def _strike_worker(self, node: SimulatedWorker, fault: Fault, share: float) -> None:
        match fault.kind:
            case "worker_crash":
                self._crash(node, fault)
            case "worker_stop":
                self._stop(node, fault)
            case "sandbox_crash" | "out_of_memory" | "stuck_sandbox":
                self._hit_sandbox(node, fault, share)
            case "slow_worker":
                self._slow_down(node, fault)
            case "lost_message" | "late_message":
                self._hit_road(node, fault, share)
            case "partition":
                self._cut(node, fault)
            case "clock_skew":
                node.skew(fault.factor)
            case _:
                raise AssertionError(f"{fault.kind} is not of a worker")

    def _happens(self, place: int, number: int) -> None:
        self.happened += 1
        self._event_log.note(What.FAULT, place, number)

    def _later(self, fault: Fault, do: Callable[[Any], None], what: object) -> None:
        self._engine.at(self._engine.now + fault.for_s, do, what)

    # Of gateways, control and store.

    def _strike_planes(self, number: int, fault: Fault, share: float) -> None:
        world, leaders = self._world, self._world.leaders
        if fault.kind == "gateway_crash":
            place = int(share * len(world.fronts))
            if world.fronts[place].is_up:
                self._happens(NOBODY, number)
                world.crash_gateway(place)
                self._later(fault, self._restart_gateway, place)
            return
        assert leaders is not None
        if fault.kind == "control_stop":
            stopped = leaders.stop()
            if stopped is not None:
                self._happens(NOBODY, number)
                self._later(fault, self._go_on_leading, stopped)
            return
        self._happens(NOBODY, number)
        if fault.kind == "store_down":
            self._downs += 1
            leaders.store.is_away = True
            self._later(fault, self._raise_store, leaders)
        else:
            leaders.store.slow_s += fault.factor
            self._later(fault, self._quicken_store, (leaders, fault.factor))

    def _restart_gateway(self, place: int) -> None:
        self._event_log.note(What.MENDED, NOBODY, 0)
        self._world.restart_gateway(place)

    def _crash_control(self, node: SimulatedWorker, fault: Fault) -> None:
        leaders = self._world.leaders
        if leaders is None:
            self._control.crash()
            self._later(fault, self._take_over, node)
        else:
            self._later(fault, self._restart_control, leaders.crash())

    def _take_over(self, node: SimulatedWorker) -> None:
        self._event_log.note(What.MENDED, node.place, 0)
        self._control.take_over()

    def _restart_control(self, replica: SimulatedReplica | None) -> None:
        self._event_log.note(What.MENDED, NOBODY, 0)
        if replica is not None:
            replica.start()

    def _go_on_leading(self, replica: SimulatedReplica) -> None:
        assert self._world.leaders is not None
        self._event_log.note(What.MENDED, NOBODY, 0)
        self._world.leaders.go_on(replica)

    def _raise_store(self, leaders: Leaders) -> None:
        self._event_log.note(What.MENDED, NOBODY, 0)
        self._downs -= 1
        leaders.store.is_away = self._downs > 0

    def _quicken_store(self, slowed: tuple[Leaders, float]) -> None:
        leaders, seconds = slowed
        self._event_log.note(What.MENDED, NOBODY, 0)
        leaders.store.slow_s -= seconds

    # Of workers.

    def _crash(self, node: SimulatedWorker, fault: Fault) -> None:
        node.crash()
        self._later(fault, self._restart, node)

    def _restart(self, node: SimulatedWorker) -> None:
        self._event_log.note(What.MENDED, node.place, 0)
        node.start()
        for channel in node.to_gateways.values():
            channel.send(WorkerJoined(node.view()), -1 - node.up_count)

    def _stop(self, node: SimulatedWorker, fault: Fault) -> None:
        if not node.is_stopped:
            node.stop()
            self._later(fault, self._go_on, (node, node.up_count))

    def _go_on(self, stopped: tuple[SimulatedWorker, int]) -> None:
        node, up_count = stopped
        self._event_log.note(What.MENDED, node.place, 0)
        if node.is_stopped and node.up_count == up_count:
            node.go_on()

    def _hit_sandbox(self, node: SimulatedWorker, fault: Fault, share: float) -> None:
        """One that runs something, if there is one: the others would not be missed."""
        runtime = node.runtime
        instances = [one for one in runtime.instances.values() if one.running] or list(runtime.instances.values())
        if not instances:
            return
        instance = instances[int(share * len(instances))]
        if fault.kind == "stuck_sandbox":
            self._later(fault, self._loosen, (node, runtime.stick(instance)))
        elif fault.kind == "out_of_memory":
            runtime.lose(instance.id, "out_of_memory", "it needed more memory than it may have")
        else:
            runtime.lose(instance.id, "sandbox_lost", "killed by signal 9")

    def _loosen(self, stuck: tuple[SimulatedWorker, list[Job]]) -> None:
        node, jobs = stuck
        self._event_log.note(What.MENDED, node.place, 0)
        node.runtime.loosen(jobs)

    def _slow_down(self, node: SimulatedWorker, fault: Fault) -> None:
        node.set_slow(node.slow * fault.factor)
        self._later(fault, self._speed_up, (node, fault.factor))

    def _speed_up(self, slowed: tuple[SimulatedWorker, float]) -> None:
        node, factor = slowed
        self._event_log.note(What.MENDED, node.place, 0)
        node.set_slow(node.slow / factor)

    def _hit_road(self, node: SimulatedWorker, fault: Fault, share: float) -> None:
        """Up or down, by a digit of the share that chose nothing else."""
        digit = int(share * 1_000_003)
        ways = list((node.to_gateways if digit % 2 else node.from_gateways).values())
        channel: Channel = ways[digit // 2 % len(ways)]
        if fault.kind == "lost_message":
            channel.lose_next += 1
        else:
            channel.late_next_s += fault.factor
        channel.look()

    def _cut(self, node: SimulatedWorker, fault: Fault) -> None:
        for channel in node.channels:
            channel.cuts += 1
            channel.look()
        self._later(fault, self._join, node)

    def _join(self, node: SimulatedWorker) -> None:
        self._event_log.note(What.MENDED, node.place, 0)
        for channel in node.channels:
            channel.cuts -= 1
            channel.look()


def plan(scenario: Scenario, length_s: float) -> Iterator[tuple[float, Planned]]:
    """When each of a scenario's faults strikes, one fault after the other."""
    number = 0
    for place, fault in enumerate(scenario.faults):
        draws = Draws(scenario.seed, f"faults/{place}")
        for turn, at in enumerate(times(fault, draws, length_s)):
            number += 1
            yield at, (number, fault, draws.at(2 * turn + 1))


def times(fault: Fault, draws: Draws, length_s: float) -> Iterator[float]:
    """When it happens, in a run of that length."""
    if fault.at_s is not None:
        yield fault.at_s
        return
    at, turn = 0.0, 0
    while fault.rate > 0.0:
        at -= log1p(-draws.at(2 * turn)) * HOUR_S / fault.rate
        if at >= length_s:
            return
        yield at
        turn += 1
