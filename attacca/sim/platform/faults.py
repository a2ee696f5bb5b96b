"""What goes wrong, when, and for how long: as the scenario says, or drawn from its seed."""

from collections.abc import Callable, Iterator, Sequence
from math import log1p
from typing import Any, assert_never

from attacca.load.workload.scenario import Fault, Scenario
from attacca.model.messages import WorkerJoined
from attacca.sim.engine import Engine
from attacca.sim.platform.control import SimulatedControl
from attacca.sim.platform.draws import Draws
from attacca.sim.platform.network import Channel
from attacca.sim.platform.worker import SimulatedWorker
from attacca.sim.record.event_log import EventLog, What
from attacca.worker.runtime.simulated import Job

HOUR_S = 3600.0
Planned = tuple[int, Fault, float]  # its number, what, and a share that decides whom it hits


class Faults:
    def __init__(
        self, scenario: Scenario, length_s: float, engine: Engine, event_log: EventLog,
        nodes: Sequence[SimulatedWorker], control: SimulatedControl,
    ) -> None:  # fmt: skip
        self.happened = 0
        self._scenario = scenario
        self._length_s = length_s
        self._engine = engine
        self._event_log = event_log
        self._nodes = nodes
        self._control = control

    def __repr__(self) -> str:
        return f"<Faults {self.happened} happened>"

    def begin(self) -> None:
        number = 0
        for place, fault in enumerate(self._scenario.faults):
            draws = Draws(self._scenario.seed, f"faults/{place}")
            for turn, at in enumerate(self._times(fault, draws)):
                number += 1
                self._engine.at(at, self._strike, (number, fault, draws.at(2 * turn + 1)))

    def _times(self, fault: Fault, draws: Draws) -> Iterator[float]:
        if fault.at_s is not None:
            yield fault.at_s
            return
        at, turn = 0.0, 0
        while fault.rate > 0.0:
            at -= log1p(-draws.at(2 * turn)) * HOUR_S / fault.rate
            if at >= self._length_s:
                return
            yield at
            turn += 1

    def _strike(self, planned: Planned) -> None:
        number, fault, share = planned
        nodes = self._nodes
        node = nodes[fault.worker % len(nodes)] if fault.worker is not None else nodes[int(share * len(nodes))]
        if not (self._control.is_up if fault.kind == "control_crash" else node.is_up):
            return
        self.happened += 1
        self._event_log.note(What.FAULT, node.place, number)
        match fault.kind:
            case "worker_crash":
                self._crash(node, fault)
            case "sandbox_crash" | "out_of_memory" | "stuck_sandbox":
                self._hit_sandbox(node, fault, share)
            case "slow_worker":
                self._slow_down(node, fault)
            case "lost_message":
                channel = _road(node, share)
                channel.lose_next += 1
                channel.look()
            case "late_message":
                channel = _road(node, share)
                channel.late_next_s += fault.factor
                channel.look()
            case "partition":
                self._cut(node, fault)
            case "clock_skew":
                node.skew(fault.factor)
            case "control_crash":
                self._control.crash()
                self._later(fault, self._take_over, node)
            case _:
                assert_never(fault.kind)

    def _later(self, fault: Fault, do: Callable[[Any], None], what: object) -> None:
        self._engine.at(self._engine.now + fault.for_s, do, what)

    def _take_over(self, node: SimulatedWorker) -> None:
        self._event_log.note(What.MENDED, node.place, 0)
        self._control.take_over()

    def _crash(self, node: SimulatedWorker, fault: Fault) -> None:
        node.crash()
        self._later(fault, self._restart, node)

    def _restart(self, node: SimulatedWorker) -> None:
        self._event_log.note(What.MENDED, node.place, 0)
        node.start()
        for channel in node.to_gateways.values():
            channel.send(WorkerJoined(node.view()), -1 - node.up_count)

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


def _road(node: SimulatedWorker, share: float) -> Channel:
    """Up or down, by a digit of the share that chose nothing else."""
    digit = int(share * 1_000_003)
    ways = list((node.to_gateways if digit % 2 else node.from_gateways).values())
    return ways[digit // 2 % len(ways)]
