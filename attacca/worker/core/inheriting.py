"""What an instance of this worker takes over from those that had its place."""

from attacca.model.events import Handed, HandOver
from attacca.model.messages import Send
from attacca.worker.core.detours import Detours
from attacca.worker.core.events import Command
from attacca.worker.core.mailboxes import EventInstance, Waiting


def begin(detours: Detours, instance: EventInstance, out: list[Command]) -> None:
    """With what it was started with."""
    detours.begin(instance, out)
    for event in instance.start.backlog:
        instance.mailbox.put(Waiting(event))


def take(
    worker: str, control: str, detours: Detours, instance: EventInstance, order: HandOver, out: list[Command]
) -> bool:
    """False: it had that already."""
    out.append(Send(control, Handed(worker, order.id, order.will)))
    if not instance.inherits(order.will):
        return False
    for event in order.events:
        instance.mailbox.put(Waiting(event))
    detours.inherit(instance, order.unsent, out)
    return True
