"""One sandbox's life.

STARTING --ready--> IDLE --take--> BUSY --leave (the last)--> IDLE
BUSY --start_draining--> DRAINING: takes nothing new      STARTING, IDLE, BUSY, DRAINING --kill--> DYING
DYING --ready, leave--> DYING: it was killed in that moment
STARTING, DYING --failed--> GONE              IDLE, BUSY, DRAINING, DYING --gone--> GONE
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from attacca.errors import IllegalTransition
from attacca.model.invocation import Start
from attacca.model.sandbox import SandboxView
from attacca.policy.keepalive.types import Expiry, Idle
from attacca.worker.core.templates import Template
from attacca.worker.core.timers import Key, Timer

if TYPE_CHECKING:
    from attacca.worker.core.state import QueuedInvocation, RevisionState


class Phase(StrEnum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    DYING = "dying"
    GONE = "gone"


# Looking a member of an enumeration up costs ten times a name, and this is the road of every invocation.
STARTING: Final = Phase.STARTING
IDLE: Final = Phase.IDLE
BUSY: Final = Phase.BUSY
DRAINING: Final = Phase.DRAINING
DYING: Final = Phase.DYING
GONE: Final = Phase.GONE


class Sandbox:
    """`running` holds its invocations by id; `idle` is what the keep-alive policy was told when it became idle."""

    __slots__ = (
        "drained_why",
        "expiry",
        "id",
        "idle",
        "idle_since",
        "is_ordered",
        "made",
        "made_at",
        "phase",
        "resources",
        "running",
        "served",
        "slots",
        "state",
        "template",
        "timer",
        "why",
    )

    def __init__(
        self, name: str, state: "RevisionState", made: Start, why: str, template: Template | None, now: float
    ) -> None:
        self.id = name
        self.state = state
        self.made = made
        self.why = why  # why it was made, told to the first who runs in it
        self.template = template
        self.resources = state.resources
        self.is_ordered = state.is_ordered  # by control, who alone lets it go
        self.slots = state.revision.settings.concurrency
        self.phase = STARTING
        self.drained_why = ""  # why it is
        self.running: dict[str, QueuedInvocation] = {}
        self.served = 0
        self.idle: Idle | None = None
        self.expiry: Expiry | None = None  # as the keep-alive policy answered
        self.made_at = self.idle_since = now
        self.timer: Key = (Timer.EXPIRY, name)

    def __repr__(self) -> str:
        return f"<Sandbox {self.id} {self.phase}: {len(self.running)} of {self.slots} slots, {self.served} served>"

    @property
    def is_live(self) -> bool:
        """It serves, or will."""
        return self.phase is STARTING or self.phase is IDLE or self.phase is BUSY

    def ready(self) -> None:
        if self.phase is STARTING:
            self.phase = IDLE
        elif self.phase is not DYING:
            self._refuse("ready")

    def take(self, item: "QueuedInvocation") -> None:
        running = self.running
        if len(running) >= self.slots or not (self.phase is IDLE or self.phase is BUSY):
            self._refuse("take")
        running[item.id] = item
        self.served += 1
        self.state.function.cached_uses += 1
        self.phase = BUSY

    def leave(self, invocation: str) -> "QueuedInvocation | None":
        """None: it was given up before; its slot was free, or the sandbox was draining, since then."""
        if self.phase is STARTING or self.phase is GONE:
            self._refuse("leave")
        item = self.running.pop(invocation, None)
        if item is not None and self.phase is BUSY and not self.running:
            self.phase = IDLE
        return item

    def start_draining(self, why: str) -> None:
        if self.phase is not BUSY:
            self._refuse("start_draining")
        self.drained_why = why
        self.phase = DRAINING

    def kill(self) -> None:
        if self.phase is DYING or self.phase is GONE:
            self._refuse("kill")
        self.phase = DYING

    def failed(self) -> None:
        if self.phase is not STARTING and self.phase is not DYING:
            self._refuse("failed")
        self.phase = GONE

    def gone(self) -> None:
        if self.phase is STARTING or self.phase is GONE:
            self._refuse("gone")
        self.phase = GONE

    def view(self, now: float) -> SandboxView:
        return SandboxView(
            id=self.id,
            revision=self.state.revision.id,
            phase=str(self.phase),
            resources=self.resources,
            busy=len(self.running),
            served=self.served,
            age_s=now - self.made_at,
            idle_s=now - self.idle_since if self.phase is IDLE else 0.0,
        )

    def _refuse(self, event: str) -> None:
        raise IllegalTransition(
            f"sandbox {self.id} is {self.phase}: {event!r} has no row there",
            "this is a bug in attacca or in its runtime; please report it",
        )
