"""When code and bundles that nobody needs are removed: no deployment is on its way, and every worker has said what it
still has of revisions that are gone."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from math import inf

from attacca.control.core.catalogue import CatalogueState
from attacca.control.core.events import Command, Sweep
from attacca.errors import IllegalTransition
from attacca.model.function import Revision
from attacca.model.messages import AskHeld, Held, Send

AGAIN_S = 1.0  # how often workers are asked again that have revisions which are gone


class GarbageStage(StrEnum):
    IDLE = "idle"
    ASKING = "asking"  # workers are to say what they have
    SWEEPING = "sweeping"  # nothing may be built meanwhile: it might count on what is being removed


class Garbage:
    """`builders`: deployments that count on what they have found on the disk."""

    def __init__(self) -> None:
        self.stage = GarbageStage.IDLE
        self.builders = 0
        self.is_wanted = False
        self.again_at = inf
        self.waiting_for: dict[str, None] = {}  # workers that have not said yet what they have
        self._held: dict[str, None] = {}  # what the others have said
        self._left: dict[str, None] = {}  # what was kept at the last sweep for workers alone
        self._round = 0

    def __repr__(self) -> str:
        wanted = ", wanted" if self.is_wanted else ""
        return f"<Garbage {self.stage}, {self.builders} builders, {len(self.waiting_for)} asked{wanted}>"

    def want(self) -> None:
        self.is_wanted = True

    def begin_build(self) -> None:
        assert self.stage is not GarbageStage.SWEEPING, "what is found on the disk may go in that moment"
        self.builders += 1
        if self.stage is GarbageStage.ASKING:
            self.stage = GarbageStage.IDLE
            self.waiting_for.clear()
            self.is_wanted = True

    def end_build(self) -> None:
        self.builders -= 1

    @property
    def is_at_work(self) -> bool:
        return self.stage is not GarbageStage.IDLE

    def move_on(self, workers: Iterable[str], catalogue: CatalogueState, out: list[Command]) -> None:
        """Begin if it is time."""
        if self.is_wanted and self.stage is GarbageStage.IDLE and not self.builders:
            self.is_wanted = False
            self.stage = GarbageStage.ASKING
            self._round += 1
            self._held = {}
            self.waiting_for = dict.fromkeys(workers)
            out += [Send(worker, AskHeld(str(self._round))) for worker in self.waiting_for]
            self.again_at = inf
        if self.stage is GarbageStage.ASKING and not self.waiting_for:
            self.stage = GarbageStage.SWEEPING
            names = named(catalogue.kept())
            self._left = {name: None for name in self._held if name not in names}
            out.append(Sweep(tuple(sorted({*names, *self._held}))))

    def hear(self, held: Held) -> None:
        if self.stage is GarbageStage.ASKING and held.id == str(self._round) and held.worker in self.waiting_for:
            del self.waiting_for[held.worker]
            self._held.update(dict.fromkeys(held.names))

    def drain(self) -> None:
        """What lies there is removed at the next start."""
        self.is_wanted = False
        self.again_at = inf
        if self.stage is GarbageStage.ASKING:
            self.stage = GarbageStage.IDLE
            self.waiting_for.clear()

    def lose(self, worker: str) -> None:
        """Its sandboxes are gone with it."""
        self.waiting_for.pop(worker, None)

    def swept(self, now: float) -> None:
        """
        Raises:
            IllegalTransition: nothing was being removed.
        """
        if self.stage is not GarbageStage.SWEEPING:
            raise IllegalTransition(f"Swept, and garbage is {self.stage}", "a Sweep ends in one Swept")
        self.stage = GarbageStage.IDLE
        if self._left:
            self.again_at = now + AGAIN_S

    def ring(self, now: float) -> None:
        if self.again_at <= now:
            self.again_at = inf
            self.is_wanted = True


def named(revisions: Collection[Revision]) -> dict[str, None]:
    """The directories of their code and bundles."""
    return dict.fromkeys(digest for one in revisions for digest in one.artefact.digests)
