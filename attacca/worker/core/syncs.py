"""States that event functions want to be kept: said to control, until it says what became of them."""

from collections.abc import Iterable

from attacca.model.events import ReplyKind, StateKept, StateSynced
from attacca.worker.core.events import Respond
from attacca.worker.core.mailboxes import EventInstance
from attacca.worker.core.reports import StateOffered


def offered(worker: str, instance: EventInstance, event: StateOffered) -> StateSynced:
    instance.version += 1
    instance.syncs[instance.version] = event
    return StateSynced(worker, instance.id, instance.version, event.state)


def again(worker: str, instances: Iterable[EventInstance]) -> list[StateSynced]:
    """All that is not known to be kept: whoever was told before may have been another."""
    return [
        StateSynced(worker, instance.id, version, event.state)
        for instance in instances
        for version, event in instance.syncs.items()
    ]


def kept(instance: EventInstance, order: StateKept) -> Respond | None:
    """None: nobody waits for it any more."""
    event = instance.syncs.pop(order.version, None)
    if event is None:
        return None
    kind = ReplyKind.ERROR if order.error else ReplyKind.NOTHING
    return Respond(order.id, event.asked, kind, order.error.encode())
