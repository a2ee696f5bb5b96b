"""A workflow that goes on in another domain: what it takes along, and what it finds there."""

import msgspec

from attacca.model.federation import Left
from attacca.workflow.core.events import Command, HandedOver, Put, StateRecord
from attacca.workflow.core.graph import Stage, Workflow
from attacca.workflow.core.placing import Placing


def hold(workflow: Workflow, placing: Placing, out: list[Command]) -> None:
    """What its instances send to one another from now on stays with them: all of them are to end."""
    workflow.hands_over = True
    parts = list(workflow.parts.values())
    for part in parts:
        if part.stage is Stage.UP:
            part.stage = Stage.MOVING
    placing.changed(parts, out)


def over(workflow: Workflow) -> HandedOver:
    left = (
        Left(part.label, part.number, part.version, part.state, tuple(part.backlog), tuple(part.unsent))
        for part in workflow.parts.values()
    )
    return HandedOver(tuple(left))


def inherit(workflow: Workflow, left: tuple[Left, ...], out: list[Command]) -> None:
    """States are written before the workflow: where it is found after a restart, they are too."""
    for one in left:
        part = workflow.parts.get(one.component)
        if part is None:
            continue
        part.number, part.version, part.state = one.number, one.version, one.state
        part.backlog.extend(one.backlog)
        part.unsent.extend(one.unsent)
        if one.state is not None:
            record = StateRecord(workflow.id, part.label, one.number, one.version, one.state)
            out.append(Put(part.key, msgspec.json.encode(record), 0))
