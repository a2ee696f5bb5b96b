"""Instances that a node which has joined runs already: those of them that go on, as what their parts have."""

from attacca.model.events import InstanceView, StopInstance, number, place
from attacca.model.messages import Send
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Command
from attacca.workflow.core.graph import Part, Stage
from attacca.workflow.core.standby import Standby

REPLACED = "another is in its place"


class Adopting:
    def __init__(self, books: Books, standby: Standby) -> None:
        self._books, self._standby = books, standby

    def __repr__(self) -> str:
        return f"<Adopting by {self._books!r}>"

    def spare(self, view: InstanceView, worker: str, out: list[Command]) -> None:
        """Its node may be the last that speaks after a restart, when all else of the workflow is known."""
        part = self._books.in_place(place(view.id))
        if self._books.spared(view.id, worker) is not None:
            return
        is_known = (
            part is not None
            and not part.workflow.is_stopping
            and (part.workflow.is_learning or not self._standby.is_open)
            and worker not in self._books.nodes.back
        )
        if part is None or not is_known or not self._standby.adopt(part, view.id, worker):
            self._standby.leave(view.id, worker)
            out.append(Send(worker, StopInstance(view.id, REPLACED)))

    def refuse(self, view: InstanceView, worker: str, out: list[Command]) -> None:
        self._standby.leave(view.id, worker)
        out.append(Send(worker, StopInstance(view.id, REPLACED, is_replaced=True)))

    def adopt(self, view: InstanceView, worker: str, out: list[Command]) -> Part | None:
        part = self._books.in_place(place(view.id))
        if (
            part is None
            or part.workflow.is_stopping
            or not part.workflow.is_learning
            or worker in self._books.nodes.back
        ):
            return None
        if part.instance:
            if number(view.id) <= number(part.instance):
                return None
            self._standby.leave(part.instance, part.worker)
            out.append(Send(part.worker, StopInstance(part.instance, REPLACED, is_replaced=True)))
            del self._books.parts[part.instance]
            self._books.nodes.free(part.worker, part.instance)
        part.number = max(part.number, number(view.id))
        part.starts = max(part.starts, 1)
        part.instance, part.worker, part.stage = view.id, worker, Stage.STARTING
        self._books.parts[view.id] = part
        self._books.nodes.reserve(worker, view.id, part.asked)
        return part
