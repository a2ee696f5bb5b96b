"""A part that moves to another node, and takes along what it knows and what waits for it.

    MigrateAsked ──▶ hold ──▶ StopInstance ──▶ InstanceDown ──▶ StartInstance there ──▶ InstanceUp ──▶ release, Reply
                senders    its `stop`,      its state is        │
                keep       a last sync      in the store        └── it cannot: wherever there is room

The next one begins when the last is gone, so there is never more than one. What was on its way to the old one goes back
to whoever sent it, and on to the new one in its order. Whatever dies meanwhile, the part is one that waits for its next
start, as after any other end.
"""

from attacca.errors import AttaccaError, Conflict, NoCapacity, NotFound
from attacca.model.events import StopInstance
from attacca.model.messages import Send
from attacca.model.workflow import WorkflowView
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Command, MigrateAsked, Reply
from attacca.workflow.core.graph import Part, Stage
from attacca.workflow.core.nodes import LISTED
from attacca.workflow.core.placing import Placing

WHY = "it moves to {}"


class Move:
    """What was asked for at once. `to`: by place, the node where each is to be."""

    __slots__ = ("id", "to", "why")

    def __init__(self, id_: str, to: dict[str, str]) -> None:
        self.id, self.to = id_, to
        self.why = ""  # the first that is not where it was wanted

    def __repr__(self) -> str:
        return f"<Move {self.id}: {len(self.to)} on their way>"


class Moving:
    def __init__(self, books: Books, placing: Placing) -> None:
        self._books, self._placing = books, placing
        self.moves: dict[str, Move] = {}  # by place that moves

    def __repr__(self) -> str:
        return f"<Moving {len(self.moves)} parts>"

    def ask(self, now: float, event: MigrateAsked, out: list[Command]) -> None:
        try:
            chosen = self._chosen(event)
        except AttaccaError as error:
            out.append(Reply(event.id, error))
            return
        again = Conflict(
            "it was asked to move elsewhere, before it was there", "see where it is: attacca workflow inspect"
        )
        self.end([part for part, _ in chosen], again, out)  # those that wait for the start that was to follow
        move = Move(event.id, {part.place: where for part, where in chosen})
        for part, where in chosen:
            self.moves[part.place] = move
            part.wanted_at = where
            self._books.nodes.reserve(where, part.place, part.asked)
            if part.stage is Stage.WAITING:
                part.retry_at = now
                self._placing.wait(part)
            else:
                part.stage = Stage.MOVING
        for share in {part.workflow.id: part.workflow for part, _ in chosen}.values():
            self._placing.changed([part for part, _ in chosen if part.workflow is share], out)
        for part, where in chosen:
            if part.stage is Stage.MOVING:
                grace_s = part.spec.timeout_s
                stop = StopInstance(part.instance, WHY.format(where), hands_over=True, grace_s=grace_s)
                out.append(Send(part.worker, stop))

    def _chosen(self, event: MigrateAsked) -> list[tuple[Part, str]]:
        """
        Raises:
            NotFound: there is no such workflow, component or node.
            Conflict: it does not run yet, moves already, or is there.
            NoCapacity: none of the nodes can have it, and why not.
        """
        workflow = self._books.expect(event.workflow)
        shares = self._books.shares(workflow.root)
        if any(one.asked or one.is_learning or not one.is_wanted for one in shares):
            raise Conflict(f"{workflow.spec.name} is not up", "wait until it is: attacca workflow inspect")
        parts = [part for share in shares for part in share.parts.values()]
        if event.component:
            named = [part for part in parts if event.component in (part.spec.name, part.label)]
            if not named:
                names = ", ".join(component.name for component in workflow.spec.components)
                raise NotFound(f"{workflow.spec.name} has no component {event.component[:80]!r}", f"it has {names}")
            parts = named
        for name in event.to:
            self._books.nodes.view(name)
        moving = [part for part in parts if part.worker not in event.to]
        if not moving:
            where = ", ".join(sorted({part.worker for part in parts}))
            raise Conflict(f"{event.component or workflow.spec.name} is on {where} already", "name another node")
        busy = next((part for part in moving if part.stage not in (Stage.UP, Stage.WAITING)), None)
        if busy is not None:
            raise Conflict(f"{busy.label} is {busy.stage}", "try again in a moment")
        return [(part, self._node(part, event.to, moving)) for part in moving]

    def _node(self, part: Part, names: tuple[str, ...], moving: list[Part]) -> str:
        """The first that can have it, beside those that move there with it."""
        whys = []
        for name in names:
            why = self._books.nodes.unready(name, part, [one.asked for one in moving])
            if not why:
                return name
            whys.append(f"{name}: {why}")
        raise NoCapacity(f"{part.label} cannot move: {'; '.join(whys)}", LISTED)

    def up(self, part: Part, out: list[Command]) -> None:
        """It runs again, wherever."""
        move = self.moves.pop(part.place, None)
        if move is None:
            return
        wanted = move.to.pop(part.place)
        if part.worker != wanted:
            move.why = move.why or f"{part.label} could not be started on {wanted}, and is on {part.worker}: {part.why}"
        if not move.to and move.id:
            out.append(Reply(move.id, NoCapacity(move.why, LISTED) if move.why else self._view(part)))

    def _view(self, part: Part) -> WorkflowView:
        return self._books.view(self._books.shares(part.workflow.root))

    def end(self, parts: list[Part], error: AttaccaError, out: list[Command]) -> None:
        """The workflow is stopped, or some of it sent elsewhere, while that moves."""
        for part in parts:
            move = self.moves.pop(part.place, None)
            if move is None:
                continue
            self._books.nodes.free(part.wanted_at, part.place)
            move.to.pop(part.place)
            if not move.to and move.id:
                out.append(Reply(move.id, error))
