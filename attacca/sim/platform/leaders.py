"""Which of several controls leads the simulated cluster, and for how long nobody does.

Control's own core is simulated once (`control.py`): it is whoever leads, begun anew from the store each time that
another does. Here are the replicas that take turns, with their lease in a store that is slow or lies down.
"""

from attacca.load.workload.scenario import Distribution, Scenario
from attacca.sim.engine import Engine
from attacca.sim.platform.control import SimulatedControl
from attacca.sim.platform.draws import Duration
from attacca.sim.platform.replicas import SimulatedReplica, SimulatedStore

OF_LEADING = frozenset({"control_stop", "store_down", "store_slow"})  # faults that make nothing of a control for ever


def is_led(scenario: Scenario) -> bool:
    """Whether it matters who leads: with one control and a store that answers at once, that one always does."""
    return (
        scenario.system.controls > 1
        or scenario.hardware.store != Distribution()
        or any(fault.kind in OF_LEADING for fault in scenario.faults)
    )


class Leaders:
    def __init__(self, engine: Engine, scenario: Scenario, control: SimulatedControl) -> None:
        self._control = control
        self.store = SimulatedStore(engine, scenario.seed, scenario.hardware.store)
        self.leading: SimulatedReplica | None = None
        self.turns = 0  # how often somebody began to lead
        self.replicas = [
            SimulatedReplica(
                engine, f"control-{number}", self.store, (), scenario.system.lease_s,
                Duration(Distribution(), scenario.seed, f"control/{number}"), turned=self._turned,
            )
            for number in range(scenario.system.controls)
        ]  # fmt: skip

    def __repr__(self) -> str:
        name = "nobody" if self.leading is None else self.leading.name
        return f"<Leaders {name} leads of {len(self.replicas)}, {self.turns} turns>"

    def crash(self) -> SimulatedReplica | None:
        """The one that leads, if any does."""
        leader, self.leading = self.leading, None
        if leader is not None:
            leader.crash()
            self._control.crash()
        return leader

    def stop(self) -> SimulatedReplica | None:
        """The one that leads, if any does, and can do something about it."""
        leader = self.leading
        if leader is None or leader.is_stalled:
            return None
        leader.stall()
        self._control.stop()
        return leader

    def go_on(self, replica: SimulatedReplica) -> None:
        """It may find that its lease has ended, and another leads."""
        replica.go_on()
        if self.leading is replica and self._control.is_stopped:
            self._control.go_on()

    def _turned(self, replica: SimulatedReplica) -> None:
        control = self._control
        if replica.leads:
            is_first = self.turns == 0
            self.leading = replica
            self.turns += 1
            if not is_first:  # the run begins with a control that is open
                control.crash()
                control.take_over()
        elif self.leading is replica:
            self.leading = None
            control.crash()
