"""What instances leave when they are gone: told to control, and told again until it has come to whoever follows.

    gone ──▶ InstanceDown, Strayed ──▶ control ──▶ StartInstance, HandOver ──▶ the next one has it
               kept here, and said again           Inherited ◀── InstanceUp, Handed ◀┘
               to a control that begins anew

So it is lost only with this worker. Whoever follows says what it has been given, and so is given nothing twice.
"""

from attacca.kernel.ids import Ids
from attacca.model.events import Event, InstanceDown, Strayed
from attacca.model.messages import Send
from attacca.worker.core.events import Command


class Wills:
    def __init__(self, worker: str, ids: Ids) -> None:
        self._worker, self._ids = worker, ids
        self.control = ""  # who hears of them: whoever has ordered or asked last
        self.kept: dict[str, InstanceDown | Strayed] = {}

    def __repr__(self) -> str:
        return f"<Wills {len(self.kept)} kept>"

    def leave(self, down: InstanceDown, out: list[Command]) -> None:
        """Of one that was here."""
        if down.unheard or down.unsent or down.follows:
            self.kept[down.id] = down
        out.append(Send(self.control, down))

    def stray(self, event: Event, out: list[Command]) -> None:
        """It came back, and its sender is gone."""
        told = Strayed(self._worker, event, self._ids.next())
        self.kept[told.id] = told
        out.append(Send(self.control, told))

    def again(self, out: list[Command]) -> None:
        out.extend(Send(self.control, told) for told in self.kept.values())

    def inherited(self, name: str) -> None:
        self.kept.pop(name, None)
