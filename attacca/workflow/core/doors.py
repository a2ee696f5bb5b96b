"""Which doors of workflows are open: told to gateways whenever that changes.

A part of the class `http-ingress` is a door while its instance is up: a sandbox that gateways send requests to.

    doors change ──▶ Doors to all gateways ──all know──▶ Reply to whoever asked for something

Who does not say in time that it knows is not waited for: it is told all of them when it is back.
"""

from math import inf
from typing import NamedTuple

from attacca.errors import AttaccaError
from attacca.kernel.timers import Alarm
from attacca.model.doors import Door, DoorsKnown
from attacca.model.doors import Doors as Told
from attacca.model.messages import GatewayJoined, GatewayLeft, Send
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import Command, Event, Reply, Restored, StartAsked
from attacca.workflow.core.graph import Part, Stage, Workflow
from attacca.workflow.core.ingress import INGRESS, methods

LEARN_S = 3.0  # after a restart, until instances are heard of again
Said = Command | Send[Told]
Heard = Event | GatewayJoined | GatewayLeft | DoorsKnown


class Held(NamedTuple):
    """An answer, until gateways know that generation of doors, or the time for that is over."""

    reply: Reply
    generation: int
    ends_at: float


class Doors:
    """Beside a domain's core: it hears what that has heard, when it has, and what gateways say."""

    def __init__(self, core: DomainCore, silent_s: float) -> None:
        """`silent_s`: a gateway that has not said for so long that it knows is not waited for."""
        self._core, self._silent_s = core, silent_s
        self.alarm = Alarm()  # when it or the core wants the next Tick
        self._gateways: dict[str, float] = {}  # by name: the generation that it knows
        self._parts: dict[str, list[Part]] = {}  # by workflow: those that are doors
        self._told = Told(())
        self._ends_at = -inf  # until then gateways are waited for
        self._held: list[Held] = []
        self._whole_at = -inf

    def __repr__(self) -> str:
        know = sum(known >= self._told.generation for known in self._gateways.values())
        gateways = f"{know} of {len(self._gateways)} gateways know"
        return f"<Doors {len(self._told.doors)} open, {gateways}, {len(self._held)} answers wait>"

    def handle(self, now: float, event: Heard) -> list[Said]:
        out: list[Said] = []
        match event:
            case GatewayJoined():
                self._gateways[event.name] = 0 if event.is_apart else inf
                out.append(Send(event.name, self._told))
            case GatewayLeft():
                self._gateways.pop(event.name, None)
            case DoorsKnown():
                if event.peer in self._gateways:
                    self._gateways[event.peer] = max(self._gateways[event.peer], event.generation)
            case _:
                self._hear(now, event, out)
        self._release(now, out)
        first = self._held[0].ends_at if self._held else inf
        self.alarm.at = min(self._core.alarm.at, first)
        return out

    def _hear(self, now: float, event: Event, out: list[Said]) -> None:
        said = self._core.handle(now, event)
        if isinstance(event, Restored):
            for workflow in self._core.workflows.values():
                self._learn(workflow)
            self._whole_at = now + LEARN_S if self._parts else now
        elif isinstance(event, StartAsked) and self._core.workflows:
            self._learn(next(reversed(self._core.workflows.values())))
        if self._parts or self._told.doors or not self._told.is_whole:
            self._look(now, out)
        for one in said:
            if isinstance(one, Reply) and not isinstance(one.outcome, AttaccaError):
                self._held.append(Held(one, self._told.generation, self._ends_at))
            else:
                out.append(one)

    def _learn(self, workflow: Workflow) -> None:
        parts = [part for part in workflow.parts.values() if part.spec.resource == INGRESS]
        if parts:
            self._parts[workflow.id] = parts

    def _look(self, now: float, out: list[Said]) -> None:
        for gone in [name for name in self._parts if name not in self._core.workflows]:
            for part in self._parts.pop(gone):  # a component may have been left behind, as a share of its own
                if part.workflow is self._core.workflows.get(part.workflow.id):
                    self._parts.setdefault(part.workflow.id, []).append(part)
        doors = tuple(_door(part) for parts in self._parts.values() for part in parts if part.stage is Stage.UP)
        is_whole = now >= self._whole_at
        if (doors, is_whole) != (self._told.doors, self._told.is_whole):
            self._told = Told(doors, is_whole, self._told.generation + 1)
            self._ends_at = now + self._silent_s
            out.extend(Send(gateway, self._told) for gateway in self._gateways)

    def _release(self, now: float, out: list[Said]) -> None:
        known = min(self._gateways.values(), default=inf)
        held, self._held = self._held, []
        for one in held:
            if one.generation <= known or one.ends_at <= now:
                out.append(one.reply)
            else:
                self._held.append(one)


def _door(part: Part) -> Door:
    told = part.spec.configuration
    host = told.get("host", "").lower().partition(":")[0]
    return Door(part.revision, part.worker, part.instance, host, told.get("path", ""), methods(told))
