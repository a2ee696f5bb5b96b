"""What instances left when they were gone, for whoever follows them.

A worker keeps it, and tells it to each control that begins, until it is told that the next one has got it. Instances
say whose wills they have got, so a control that has just begun gives none of them twice.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from attacca.kernel.ids import Ids
from attacca.model.events import FOLLOWS_MOST, Event, Handed, HandOver, Inherited, InstanceDown, Strayed, place
from attacca.model.federation import Taken
from attacca.model.messages import Send
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Announce, Command
from attacca.workflow.core.graph import Part, Stage, Will, Workflow

FAR = "/"  # after a domain: its workers keep it


class Left(NamedTuple):
    """What a new instance begins with, and whose wills these are, and those that were given before it."""

    unheard: tuple[Event, ...]
    unsent: tuple[Event, ...]
    follows: tuple[str, ...]


def left_to(part: Part) -> Left:
    """It stays here until the instance that is given it now is up."""
    wills = part.wills.values()
    part.given = tuple(part.wills)
    part.follows.update(dict.fromkeys(part.given))
    return Left(
        tuple([event for will in wills for event in will.unheard]),
        tuple([event for will in wills for event in will.unsent]),
        tuple(part.follows)[-FOLLOWS_MOST:],
    )


class Wills:
    def __init__(self, books: Books, ids: Ids, inherited: Callable[[Workflow, list[Command]], None]) -> None:
        """`inherited`: instances of that workflow have got something."""
        self._books, self._ids, self._inherited = books, ids, inherited

    def __repr__(self) -> str:
        return f"<Wills {sum(len(part.wills) for part in self._books.all())} under way>"

    # What workers say.

    def down(self, part: Part, event: InstanceDown, out: list[Command]) -> None:
        """Of the instance that the part had: what it was given itself is among what it leaves."""
        self._got(part, event.follows, out)
        part.given = ()
        self._leave(part, _will(event), out)

    def late(self, event: InstanceDown, out: list[Command]) -> None:
        """Of one that no part has any more. A worker speaks for its own instances."""
        own, will = place(event.id), _will(event)
        will.unheard = tuple([sent for sent in will.unheard if place(sent.target) == own])
        will.unsent = tuple([sent for sent in will.unsent if sent.source.partition("@")[0] == event.id])
        self._hear(self._books.in_place(own), will, out)

    def strayed(self, event: Strayed, out: list[Command]) -> bool:
        """What came back when its sender was gone: for whom it is, or, where that is in another domain, for who has the
        place of its sender, to be sent anew. False: neither is here."""
        sent, (sender, _, worker) = (event.event,), event.event.source.partition("@")
        source, keeper = event.id or self._ids.next(), event.worker if event.id else ""
        part, own = self._books.in_place(place(event.event.target)), Will(keeper, source, sent, ())
        if part is None:
            part, own = self._books.in_place(place(sender)), Will(keeper, source, (), sent)
        if worker != event.worker:
            self._settle(own, out)
        elif part is None:
            return False
        else:
            self._hear(part, own, out)
        return True

    def astray(self, part: Part, will: Will, out: list[Command]) -> None:
        """What another domain has for whoever has that place."""
        self._hear(part, will, out)

    def handed(self, event: Handed, out: list[Command]) -> None:
        part = self._books.part(event.id, event.worker)
        if part is not None:
            self._got(part, (event.will,), out)

    def adopted(self, part: Part, follows: Iterable[str], out: list[Command]) -> None:
        """A control that has just begun hears of the part's instance, and which wills that has got already."""
        part.given = tuple(follows)
        part.follows.update(dict.fromkeys(part.given))
        for will in [will for will in part.wills.values() if will.id not in part.follows]:
            self._hand(part, will, out)

    def up(self, part: Part, out: list[Command]) -> None:
        """The instance of the part has what it was given."""
        given, part.given = part.given, ()
        self._got(part, given, out)

    def end(self, workflow: Workflow, out: list[Command]) -> None:
        for part in workflow.parts.values():
            self._got(part, tuple(part.wills), out)

    # What becomes of it.

    def _hear(self, part: Part | None, will: Will, out: list[Command]) -> None:
        if part is not None and will.id in part.wills:
            return
        if part is None or (will.id in part.follows and will.id not in part.given):
            self._settle(will, out)
            return
        self._leave(part, will, out)
        if will.id in part.wills and will.id not in part.given and part.stage in (Stage.STARTING, Stage.UP):
            self._hand(part, will, out)

    def _leave(self, part: Part, will: Will, out: list[Command]) -> None:
        self._got(part, will.follows, out)
        if part.workflow.is_stopping and not part.workflow.hands_over:
            self._settle(will, out)
        elif will.unheard or will.unsent or will.follows:
            part.wills[will.id] = will

    def _hand(self, part: Part, will: Will, out: list[Command]) -> None:
        out.append(Send(part.worker, HandOver(part.instance, will.unheard, will.id, will.unsent)))

    def _got(self, part: Part, names: Iterable[str], out: list[Command]) -> None:
        for name in names:
            part.follows[name] = None
            will = part.wills.pop(name, None)
            if will is not None:
                self._settle(will, out)
        while len(part.follows) > FOLLOWS_MOST:
            del part.follows[next(iter(part.follows))]
        if part.workflow.left:
            self._inherited(part.workflow, out)

    def _settle(self, will: Will, out: list[Command]) -> None:
        """Nobody has to keep it."""
        if will.worker.endswith(FAR):
            out.append(Announce(Taken(will.id), will.worker.removesuffix(FAR)))
        elif will.worker and (will.unheard or will.unsent or will.follows):
            out.append(Send(will.worker, Inherited(will.id)))


def _will(event: InstanceDown) -> Will:
    return Will(event.worker, event.id, event.unheard, event.unsent, event.follows)
