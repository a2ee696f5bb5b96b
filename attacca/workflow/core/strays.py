"""Events that came back to a domain which both their sender and their target have left: taken to where the target is.

    Strayed ──▶ Astray to all other domains ──who has the place──▶ HandOver ──▶ Handed ──▶ Taken ──▶ Inherited
                       ▲            │
                       └── again ◀──┘ nobody has it now

A worker keeps each until it is taken, and tells it again to a control that begins anew.
"""

from math import inf

from attacca.model.events import Event, Inherited, Strayed, number, place
from attacca.model.federation import Astray, Taken
from attacca.model.messages import Send
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Announce, Command
from attacca.workflow.core.graph import Will
from attacca.workflow.core.keeping import EPOCH_NUMBERS
from attacca.workflow.core.wills import FAR, Wills

AGAIN_S = 5.0
KEPT_S = 600.0  # then nobody has its target's place any more: the workflow is over


class Strays:
    def __init__(self, books: Books, wills: Wills) -> None:
        self._books, self._wills = books, wills
        self._kept: dict[str, tuple[Strayed, float]] = {}  # by id, and until when
        self.again_at = inf

    def __repr__(self) -> str:
        return f"<Strays {len(self._kept)} kept>"

    def keep(self, now: float, told: Strayed, out: list[Command]) -> None:
        """Of a federation's workflow only: others have nowhere else to be."""
        if not told.id or told.id in self._kept:
            return
        if number(told.event.source.partition("@")[0]) < EPOCH_NUMBERS:
            out.append(Send(told.worker, Inherited(told.id)))
        else:
            self._kept[told.id] = told, now + KEPT_S
            self._say(told, out)
            self.again_at = min(self.again_at, now + AGAIN_S)

    def _say(self, told: Strayed, out: list[Command]) -> None:
        out.append(Announce(Astray(told.id, told.event)))

    def ring(self, now: float, out: list[Command]) -> None:
        if now < self.again_at:
            return
        for told, until in list(self._kept.values()):
            if now >= until:
                self.taken(told.id, out)
            else:
                self._say(told, out)
        self.again_at = now + AGAIN_S if self._kept else inf

    def taken(self, name: str, out: list[Command]) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            out.append(Send(kept[0].worker, Inherited(name)))

    def hear(self, domain: str, told: Astray | Taken, out: list[Command]) -> None:
        if isinstance(told, Taken):
            self.taken(told.id, out)
            return
        event = told.event
        if self._was_given_up(event, domain):
            out.append(Announce(Taken(told.id), domain))  # for good: nothing of its sender is let in any more
            return
        part = self._books.in_place(place(event.target))
        if part is not None and (part.workflow.hands_over or not part.workflow.is_stopping):
            self._wills.astray(part, Will(domain + FAR, told.id, (event,), ()), out)

    def _was_given_up(self, event: Event, domain: str) -> bool:
        """Its sender ran in a domain that the federation has given up since."""
        at = place(event.source.partition("@")[0])
        part, far = self._books.in_place(at), self._books.far.by_place.get(at)
        lost = part.workflow.lost if part is not None else "" if far is None else far.told.lost
        return lost == domain
