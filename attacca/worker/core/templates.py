"""One template's life, and all templates of a worker.

MAKING --ready--> READY --retire--> RETIRED --its last sandbox gone--> DROPPING --gone--> GONE
MAKING --retire--> DROPPING           READY with no sandbox --retire--> DROPPING
MAKING, DROPPING --failed--> GONE     READY, RETIRED, DROPPING --gone--> GONE
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from attacca.errors import IllegalTransition
from attacca.model.function import Revision
from attacca.model.resources import Resources

if TYPE_CHECKING:
    from attacca.worker.core.sandbox import Sandbox
    from attacca.worker.core.state import RevisionState


class TemplatePhase(StrEnum):
    MAKING = "making"
    READY = "ready"
    RETIRED = "retired"
    DROPPING = "dropping"
    GONE = "gone"


class Template:
    """`state` is None while it belongs to a check, or to a checked revision that is not deployed yet."""

    __slots__ = ("children", "id", "phase", "resources", "revision", "state", "unfit", "used_at")

    def __init__(self, name: str, revision: Revision, state: "RevisionState | None", now: float) -> None:
        self.id = name
        self.revision = revision
        self.state = state
        self.phase = TemplatePhase.MAKING
        self.resources = revision.settings.resources.memory_alone()  # until its memory is measured
        self.children: dict[str, Sandbox] = {}  # forked from it and not gone yet
        self.used_at = now
        self.unfit = ""  # why nothing can be forked from it, although the code was imported

    def __repr__(self) -> str:
        return f"<Template {self.id} {self.phase}: {self.resources.memory_mb} MB, {len(self.children)} sandboxes>"

    @property
    def is_open(self) -> bool:
        """It may be retired."""
        return self.phase is TemplatePhase.MAKING or self.phase is TemplatePhase.READY

    def ready(self, memory_mb: int) -> None:
        """It cannot hold more than its limit; what was measured beyond that is measured badly."""
        if self.phase is TemplatePhase.MAKING:
            self.phase = TemplatePhase.READY
            self.resources = Resources(min(max(memory_mb, 1), self.resources.memory_mb))
        elif self.phase is not TemplatePhase.DROPPING:
            self._refuse("ready")

    def retire(self) -> bool:
        """Nothing new is forked from it. True: no sandbox holds it, it is to be dropped now."""
        if self.phase is TemplatePhase.MAKING or (self.phase is TemplatePhase.READY and not self.children):
            self.phase = TemplatePhase.DROPPING
            return True
        if self.phase is not TemplatePhase.READY:
            self._refuse("retire")
        self.phase = TemplatePhase.RETIRED
        return False

    def lose(self, sandbox: str) -> bool:
        """A sandbox forked from it is gone. True: it was the last, and the template is to be dropped now."""
        self.children.pop(sandbox, None)
        if self.phase is TemplatePhase.RETIRED and not self.children:
            self.phase = TemplatePhase.DROPPING
            return True
        return False

    def failed(self) -> None:
        if self.phase is not TemplatePhase.MAKING and self.phase is not TemplatePhase.DROPPING:
            self._refuse("failed")
        self.phase = TemplatePhase.GONE

    def gone(self) -> None:
        if self.phase is TemplatePhase.MAKING or self.phase is TemplatePhase.GONE:
            self._refuse("gone")
        self.phase = TemplatePhase.GONE

    def _refuse(self, event: str) -> None:
        raise IllegalTransition(
            f"template {self.id} is {self.phase}: {event!r} has no row there",
            "this is a bug in attacca or in its runtime; please report it",
        )


def is_same_code(one: Revision, other: Revision) -> bool:
    """May a template of the one stand for the other? Numbers and what was found in the code may differ."""
    return one.function == other.function and one.artefact == other.artefact and one.settings == other.settings
