"""One change of a function on its way, and the turn that it has: a deployment, a rollback, a new scale, a deletion."""

from collections.abc import Iterator
from enum import StrEnum

from attacca.control.core.events import DeleteAsked, DeployAsked, RollbackAsked, ScaleAsked
from attacca.control.core.stored import Function
from attacca.errors import AttaccaError
from attacca.model.function import Revision

Ask = DeployAsked | RollbackAsked | ScaleAsked | DeleteAsked


class Phase(StrEnum):
    """A deployment has them in this order; a rollback leaves out what is between EXAMINING and READY,
    another scale begins with READY."""

    WAITING = "waiting"  # for its turn
    EXAMINING = "examining"  # may it be done?
    HELD_OFF = "held off"  # until what nobody needs has been removed
    BUILDING = "building"
    CHECKING = "checking"  # a worker imports the code: nothing stops it any more
    READY = "ready"  # to be written, one after the other
    WRITING = "writing"
    ERASING = "erasing"


class Change:
    __slots__ = (
        "after", "ask", "function", "id", "imports_ms", "is_building", "phase", "revision", "why", "worker",
    )  # fmt: skip

    def __init__(self, ask: Ask) -> None:
        self.id = ask.id
        self.ask = ask
        self.function = ask.settings.name if isinstance(ask, DeployAsked) else ask.function
        self.phase = Phase.WAITING
        self.is_building = False  # it counts on what lies on the disk
        self.worker = ""  # that checks it
        self.revision: Revision | None = None  # that is checked, or that has been
        self.imports_ms = 0.0
        self.after: Function | None = None  # what is being written
        self.why: AttaccaError | None = None  # nobody wants it, but what was ordered for it has not ended

    def __repr__(self) -> str:
        number = "" if self.revision is None else f"@{self.revision.number}"
        stopped = "" if self.why is None else ", stopped"
        return f"<Change {self.id}: {type(self.ask).__name__} {self.function}{number}, {self.phase}{stopped}>"


class Turns:
    """Changes of one function come one after the other, in the order in which they were asked for; those of several
    side by side."""

    def __init__(self) -> None:
        self.by_id: dict[str, Change] = {}
        self.by_function: dict[str, list[Change]] = {}

    def __repr__(self) -> str:
        return f"<Turns {len(self.by_id)} changes of {len(self.by_function)} functions>"

    def __iter__(self) -> Iterator[Change]:
        return iter(list(self.by_id.values()))

    def add(self, change: Change) -> bool:
        """Is it its turn at once?"""
        assert change.id not in self.by_id, f"{change.id} is not new"
        self.by_id[change.id] = change
        waiting = self.by_function.setdefault(change.function, [])
        waiting.append(change)
        return len(waiting) == 1

    def end(self, change: Change) -> Change | None:
        """The one whose turn it is now because of that."""
        del self.by_id[change.id]
        waiting = self.by_function[change.function]
        had_turn = waiting[0] is change
        waiting.remove(change)
        if not waiting:
            del self.by_function[change.function]
            return None
        return waiting[0] if had_turn else None
