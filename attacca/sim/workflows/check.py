"""What must hold of simulated workflows: counted apart from the cores' own books."""

from collections import Counter
from collections.abc import Iterator
from math import inf
from typing import Final

from attacca.model.events import MAILBOX_BYTES, MAILBOX_MOST, place
from attacca.sim.platform.gateway import Broken
from attacca.sim.workflows.node import SimulatedNode
from attacca.sim.workflows.world import WorkflowWorld
from attacca.worker.core import invariants
from attacca.worker.core.mailboxes import EventInstance, Stage
from attacca.workflow.core.graph import Part
from attacca.workflow.core.graph import Stage as Phase

RECOUNT_EVERY: Final = 5_000  # events
TOLD_S: Final = 1.0  # until what is said has come, at most
ACTIVE: Final = (Stage.BEGINNING, Stage.UP, Stage.STOPPING)


class WorkflowCheck:
    def __init__(self, world: WorkflowWorld, *, thorough: bool = False) -> None:
        self._world = world
        self._thorough = thorough
        self._every = 1 if thorough else RECOUNT_EVERY
        self._left = self._every

    def __repr__(self) -> str:
        return f"<WorkflowCheck, {self._left} events until the next>"

    @property
    def has_lost_nodes(self) -> bool:
        """Who has handled an event may have died before its sender knew, and what it had sent with it."""
        world, orchestrator = self._world, self._world.orchestrator
        is_lost = bool(world.faults.crashes or orchestrator.given_up or orchestrator.has_given_up)
        return is_lost or any(node.cut_offs for node in world.nodes.values())

    @property
    def may_lose(self) -> float:
        """Events at most. One that is being handled is lost with who handles it; what is for one that no node has room
        for waits."""
        world = self._world
        if any(map(_has_no_room, world.orchestrator.parts())):
            return inf
        if self.has_lost_nodes or any(plan.lifetime for plan in world.scenario.workflows):
            return inf
        return sum(node.cut_short for node in world.nodes.values())

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
        if not self._thorough:
            return
        if len(self._world.crossings) > self.may_lose:
            raise Broken(f"{len(self._world.crossings)} events were lost, where {self.may_lose:g} may be")
        why = self._unsettled()
        if why:
            raise Broken(f"long after the last fault {why}")

    def is_settled(self) -> bool:
        return not self._unsettled()

    def recount(self) -> None:
        active: Counter[str] = Counter()
        for node in self._world.nodes.values():
            if node.is_up:
                if node.is_touched:  # else it holds still
                    node.is_touched = False
                    invariants.check(node.core)
                active.update(self._active(node))
        for replica, count in sorted(active.items()):
            if count > 1:
                raise Broken(f"{replica} has {count} instances at once")
        world = self._world
        if world.doubled and not self.has_lost_nodes:
            raise Broken(f"{world.doubled} events were handled twice")
        if world.turns.broken and not self.has_lost_nodes:
            raise Broken(f"{world.turns.broken} events were handled before others that one had sent before them")
        if world.roads.intruders:
            raise Broken(f"{world.roads.intruders} events of instances that others had followed were taken")
        if world.forgotten and not world.orchestrator.has_given_up:
            raise Broken(f"{world.forgotten} began with an older state than the one that was kept")

    def _active(self, node: SimulatedNode) -> Iterator[str]:
        """The places whose instances it has."""
        for one in node.core.instances.by_id.values():
            _is_bounded(one)
            if one.stage in ACTIVE and self._world.orchestrator.is_replaced(one.id):
                self._is_late(node, one)
            elif one.stage in ACTIVE and not self._world.orchestrator.is_stale(node.name, one.id):
                yield place(one.id)

    def _is_late(self, node: SimulatedNode, one: EventInstance) -> None:
        """Another has its place: it may go on for as long as its node can neither be told nor be sure."""
        system, now = self._world.scenario.system, self._world.engine.now
        is_led = self._world.orchestrator.has(node.name)
        if is_led and now - node.led_at > TOLD_S + system.silent_s:
            raise Broken(f"{one.id} goes on, whose place another has, and {node.name} was told")
        if not is_led and system.cut_off_s and now - node.alone_at > system.cut_off_s + TOLD_S:
            raise Broken(f"{one.id} goes on, whose place another has, and {node.name} hears of no control")

    def _unsettled(self) -> str:
        """What is on its way still, where everything is up and has its links."""
        world = self._world
        if not world.orchestrator.is_whole or not all(node.is_up for node in world.nodes.values()):
            return "something is down"
        late = world.orchestrator.unsettled()
        if late:
            return late
        parts = world.orchestrator.parts()
        if any(_has_no_room(part) for part in parts):
            return ""
        waiting = [part.label for part in parts if part.stage is not Phase.UP]
        if waiting:
            return f"{waiting[0]} is not up"
        for node in world.nodes.values():
            here = node.core.instances
            lanes = [one.id for one in here.by_id.values() if one.lanes]
            if lanes:
                return f"what {lanes[0]} has sent is held"
            if here.wills.kept:
                return f"{node.name} keeps what {next(iter(here.wills.kept))} left"
        return ""


def _is_bounded(one: EventInstance) -> None:
    """What others pass to it is bounded by what they may have under way, beside."""
    box = one.mailbox
    if len(box.events) > 2 * MAILBOX_MOST or box.bytes > 2 * MAILBOX_BYTES:
        raise Broken(f"{one.id} has {box!r}")


def _has_no_room(part: Part) -> bool:
    return part.stage is Phase.WAITING and part.failures > 0 and (" free" in part.why or "no room" in part.why)
