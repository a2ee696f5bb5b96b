"""Which doors of workflows are open: told to gateways whenever that changes.

A part of the class `http-ingress` is a door while its instance is up: a sandbox that gateways send requests to.
"""

from math import inf

from attacca.model.doors import Door
from attacca.model.doors import Doors as Told
from attacca.model.messages import Send
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import Command, Event, Restored, StartAsked
from attacca.workflow.core.graph import Part, Stage, Workflow
from attacca.workflow.core.ingress import INGRESS, methods

LEARN_S = 3.0  # after a restart, until instances are heard of again
Said = Command | Send[Told]


class Doors:
    """Beside a domain's core: it hears what that has heard, when it has."""

    def __init__(self, core: DomainCore) -> None:
        self._core = core
        self._gateways: dict[str, None] = {}
        self._parts: dict[str, list[Part]] = {}  # by workflow: those that are doors
        self._told = Told(())
        self._whole_at = -inf

    def __repr__(self) -> str:
        return f"<Doors {len(self._told.doors)} open, {len(self._gateways)} gateways know>"

    def join(self, gateway: str) -> Send[Told]:
        self._gateways[gateway] = None
        return Send(gateway, self._told)

    def lose(self, gateway: str) -> None:
        self._gateways.pop(gateway, None)

    def handle(self, now: float, event: Event) -> list[Said]:
        out: list[Said] = [*self._core.handle(now, event)]
        if isinstance(event, Restored):
            for workflow in self._core.workflows.values():
                self._learn(workflow)
            self._whole_at = now + LEARN_S if self._parts else now
        elif isinstance(event, StartAsked) and self._core.workflows:
            self._learn(next(reversed(self._core.workflows.values())))
        if self._parts or self._told.doors or not self._told.is_whole:
            self._look(now, out)
        return out

    def _learn(self, workflow: Workflow) -> None:
        parts = [part for part in workflow.parts.values() if part.spec.resource == INGRESS]
        if parts:
            self._parts[workflow.id] = parts

    def _look(self, now: float, out: list[Said]) -> None:
        for gone in [name for name in self._parts if name not in self._core.workflows]:
            del self._parts[gone]
        doors = [_door(part) for parts in self._parts.values() for part in parts if part.stage is Stage.UP]
        told = Told(tuple(doors), now >= self._whole_at)
        if told != self._told:
            self._told = told
            out.extend(Send(gateway, told) for gateway in self._gateways)


def _door(part: Part) -> Door:
    told = part.spec.configuration
    host = told.get("host", "").lower().partition(":")[0]
    return Door(part.revision, part.worker, part.instance, host, told.get("path", ""), methods(told))
