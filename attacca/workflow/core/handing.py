"""A workflow that goes on in another domain: what it takes along, and what it finds there."""

from attacca.model.federation import Left
from attacca.workflow.core.events import Command, HandedOver
from attacca.workflow.core.graph import Stage, Workflow
from attacca.workflow.core.keeping import EPOCH_NUMBERS
from attacca.workflow.core.placing import Placing


def hold(workflow: Workflow, placing: Placing, out: list[Command]) -> None:
    """What its instances send to one another from now on stays with them: all of them are to end."""
    workflow.hands_over = True
    parts = list(workflow.parts.values())
    for part in parts:
        if part.stage is Stage.UP:
            part.stage = Stage.MOVING
    placing.changed(parts, out)


def over(workflow: Workflow) -> HandedOver | None:
    """What whoever waits for its end is told that it leaves, to be taken elsewhere."""
    return HandedOver(workflow.leaves()) if workflow.hands_over else None


def inherit(workflow: Workflow, left: tuple[Left, ...]) -> None:
    workflow.inherit(left)
    for part in workflow.parts.values():
        part.number = workflow.epoch * EPOCH_NUMBERS
    for one in left:
        known = workflow.parts.get(one.component)
        if known is None:
            continue
        part = known
        part.number = max(part.number, one.number)
        part.version, part.state = one.version, one.state
        part.follows.update(dict.fromkeys(one.follows))
