"""What must hold of simulated workflows: counted apart from the cores' own books."""

from collections import Counter

from attacca.sim.platform.gateway import Broken
from attacca.sim.workflows.world import WorkflowWorld
from attacca.worker.core import invariants
from attacca.worker.core.mailboxes import Stage

RECOUNT_EVERY = 5_000  # events


class WorkflowCheck:
    def __init__(self, world: WorkflowWorld, *, thorough: bool = False) -> None:
        self._world = world
        self._every = 1 if thorough else RECOUNT_EVERY
        self._left = self._every
        # who has handled an event may die before its sender knows
        self._may_double = any(fault.kind == "worker_crash" for fault in world.scenario.faults)

    def __repr__(self) -> str:
        return f"<WorkflowCheck, {self._left} events until the next>"

    def after(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._left = self._every
            self.recount()

    def end(self) -> None:
        self.recount()
        for crossing in self._world.crossings.values():
            if crossing.waits <= 0:
                raise Broken(f"{crossing!r} has reached the last of its functions, and is not over")

    def recount(self) -> None:
        active: Counter[str] = Counter()
        for node in self._world.nodes.values():
            if node.is_up:
                invariants.check(node.core)
                active.update(
                    one.id.rpartition(".")[0] for one in node.core.instances.by_id.values() if one.stage is Stage.UP
                )
        for component, count in sorted(active.items()):
            if count > 1:
                raise Broken(f"{component} has {count} instances at once")
        if self._world.doubled and not self._may_double:
            raise Broken(f"{self._world.doubled} events were handled twice")
