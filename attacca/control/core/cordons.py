"""Workers that are given nothing new: control's word, durable before it is acknowledged, and told to whoever joins."""

import msgspec

from attacca.control.core.events import Command, Erase, Erased, Put, Reply, Stored, StoreFailed
from attacca.control.core.workers import Workers
from attacca.errors import Conflict
from attacca.model.messages import Cordon, Send
from attacca.model.sandbox import WorkerView

CORDONED = "cordoned/"  # before their names, in the store


class Cordons:
    """`names` are cordoned, whether they are there or not; `asked` what is on its way to the store, by request."""

    def __init__(self, workers: Workers) -> None:
        self.names: dict[str, None] = {}
        self.asked: dict[str, Cordon] = {}
        self._workers = workers

    def __repr__(self) -> str:
        return f"<Cordons {len(self.names)} cordoned, {len(self.asked)} on their way>"

    def ask(self, id_: str, order: Cordon, out: list[Command]) -> None:
        """
        Raises:
            NotFound: there is no such worker, and none is cordoned.
            Conflict: it has not ended what it was asked before.
        """
        name = order.worker
        if order.is_on or name not in self.names:
            self._workers.expect(name)
        if any(other.worker == name for other in self.asked.values()):
            raise Conflict(f"worker {name!r} is just being cordoned, or taken back", "try again in a moment")
        self.asked[id_] = order
        out.append(Put(id_, CORDONED + name, b"", None) if order.is_on else Erase(id_, CORDONED + name, None))

    def report(self, event: Stored | Erased | StoreFailed, out: list[Command]) -> None:
        order = self.asked.pop(event.id)
        if isinstance(event, StoreFailed):
            out.append(Reply(event.id, event.error))
            return
        if order.is_on:
            self.names[order.worker] = None
        else:
            self.names.pop(order.worker, None)
        out += [Send(order.worker, order), Reply(event.id)]

    def tell(self, name: str, out: list[Command], *, is_draining: bool) -> None:
        """A worker has joined: it may have been another before, or have missed what was said since."""
        if is_draining or name in self.names:
            out.append(Send(name, Cordon(name, is_on=name in self.names)))

    def seen(self, view: WorkerView) -> WorkerView:
        """It may not have heard of it yet."""
        if view.name not in self.names or view.draining:
            return view
        return msgspec.structs.replace(view, draining=True)
