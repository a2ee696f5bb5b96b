"""What belongs together on one worker: a function, its revisions and their sandboxes, and who waits for them."""

from collections import deque
from enum import StrEnum
from typing import Final

from attacca.kernel.window import Measure
from attacca.model.function import Revision, Scheduling
from attacca.model.invocation import Invocation, Start
from attacca.model.resources import Resources
from attacca.worker.core.reasons import AT_ONCE, SLOT
from attacca.worker.core.sandbox import Sandbox
from attacca.worker.core.statistics import Statistics
from attacca.worker.core.templates import Template, TemplatePhase


class Position(StrEnum):
    QUEUED = "queued"  # in the policy's queue
    HEAD_OF_LINE = "head_of_line"  # before the queue: it was popped, or its revision is not current any more
    PENDING = "pending"  # waits for a sandbox of its revision that is starting
    RUNNING = "running"


# Looking a member of an enumeration up costs ten times a name, and this is the road of every invocation.
QUEUED: Final = Position.QUEUED
WARM: Final = Start.WARM


class QueuedInvocation:
    """One invocation on this worker, from Dispatch to Ended."""

    __slots__ = (
        "arrived",
        "began",
        "behind",
        "held",
        "id",
        "invocation",
        "peer",
        "popped",
        "position",
        "sandbox",
        "start",
        "state",
        "turn",
        "was_popped",
    )  # fmt: skip

    def __init__(self, peer: str, invocation: Invocation, state: "RevisionState", now: float) -> None:
        self.peer = peer  # who sent it
        self.id = invocation.id
        self.invocation = invocation
        self.state = state
        self.arrived = now
        self.popped = now  # when its turn came
        self.began = now  # where its cold, template, prewarmed or warm time starts
        self.was_popped = False  # by the queueing policy, which then wants to hear of its end
        self.turn = AT_ONCE  # why it had it
        self.behind = 0  # so many waited when it came
        self.held = SLOT  # what it waited for last
        self.position = QUEUED
        self.sandbox: Sandbox | None = None
        self.start = WARM

    def __repr__(self) -> str:
        return f"<QueuedInvocation {self.id} {self.position} of {self.state.revision.id}>"


class Loss:
    """How an idle sandbox was lost, so that the next start can say why it was necessary."""

    __slots__ = ("at", "verb", "why")

    def __init__(self, at: float, verb: str, why: str) -> None:
        self.at, self.verb, self.why = at, verb, why

    def __repr__(self) -> str:
        return f"<Loss {self.verb}{self.why} at {self.at:g}>"

    def tell(self, now: float) -> str:
        ago_s = now - self.at
        return f"{self.verb} {ago_s:.{0 if ago_s >= 10 else 1}f} s ago{self.why}"


class Function:
    """`total` counts all sandboxes of all its revisions that are not gone: what max_sandboxes bounds. It is a
    `policy.keepalive.types.Known`."""

    __slots__ = ("cached_uses", "current", "expected", "expected_why", "idle", "name", "states", "statistics", "total")

    def __init__(self, name: str) -> None:
        self.name = name
        self.statistics = Statistics()
        self.current: RevisionState | None = None
        self.states: list[RevisionState] = []  # current and old ones that still have something to end
        self.total = 0
        self.idle = 0  # sandboxes at rest
        self.cached_uses = 0  # invocations that were handed to sandboxes which are not dying or gone
        self.expected = 1  # sandboxes that the keep-alive policy wants when an arrival is expected
        self.expected_why = ""  # why it expects an arrival, whichever revision is current by then

    def __repr__(self) -> str:
        return f"<Function {self.name}: {self.total} sandboxes of {len(self.states)} revisions, {self.idle} idle>"

    @property
    def application(self) -> str:
        return self._latest.application

    @property
    def trigger(self) -> str:
        return self._latest.trigger

    @property
    def resources(self) -> Resources:
        return self._latest.resources

    @property
    def _latest(self) -> "RevisionState":
        return self.current or self.states[-1]

    @property
    def invocations(self) -> int:
        return self.statistics.invocations

    @property
    def running(self) -> int:
        return sum(state.running for state in self.states)

    @property
    def pending(self) -> int:
        return sum(len(state.pending) for state in self.states)

    @property
    def sandboxes(self) -> int:
        return sum(state.live for state in self.states)

    @property
    def exec_s(self) -> Measure:
        return self.statistics.exec_s

    @property
    def cold_s(self) -> Measure:
        return self.statistics.made_s

    @property
    def gap_s(self) -> Measure:
        return self.statistics.gap_s

    @property
    def has_laggards(self) -> bool:
        """An old revision is still waited for."""
        return any(state.waiting for state in self.states if state is not self.current)


class RevisionState:
    """All sandboxes of one revision. Who is pending is never passed by: `pending` and `free` are not both filled."""

    __slots__ = (
        "application",
        "claim",
        "demanded",
        "failures",
        "free",
        "function",
        "granted",
        "is_ordered",
        "is_too_large",
        "live",
        "loss",
        "no_template_reason",
        "pending",
        "resources",
        "retired",
        "revision",
        "running",
        "sandboxes",
        "starting",
        "template",
        "template_failures",
        "template_retry_at",
        "trigger",
        "waiting",
        "wanted",
    )

    def __init__(self, revision: Revision, function: Function) -> None:
        self.revision = revision
        self.function = function
        self.resources = revision.settings.resources  # of one sandbox
        self.is_ordered = revision.settings.scheduling is Scheduling.CLUSTER  # control has all its sandboxes made
        self.is_too_large = False  # for this worker, whatever else there is
        self.application = revision.settings.application or function.name
        self.trigger = revision.settings.trigger
        self.retired = False  # not the current revision any more
        self.granted = 0  # of min_sandboxes: so many are kept whatever others need (see reserve)
        self.sandboxes: dict[str, Sandbox] = {}  # not gone
        self.free: list[Sandbox] = []  # with a free slot, the newest last
        self.live = 0  # not dying
        self.starting = 0
        self.demanded: dict[str, Sandbox] = {}  # starting because someone waited
        self.pending: deque[QueuedInvocation] = deque()
        self.claim = 0  # slots of the worker's limit held by pending ones and by demanded starts
        self.waiting = 0  # queued, or at the head of the line
        self.running = 0
        self.wanted = 0  # sandboxes to be made ahead of need, not counting min_sandboxes
        self.failures = 0  # starts that failed since one succeeded
        self.loss: Loss | None = None
        self.template: Template | None = None  # making or ready
        self.template_failures = 0
        self.template_retry_at = 0.0
        self.no_template_reason = "no template yet"  # why there is none

    def __repr__(self) -> str:
        return (
            f"<RevisionState {self.revision.id}: {self.live} live, {self.starting} starting, {len(self.free)} free, "
            f"{self.running} running, {self.waiting} waiting, {len(self.pending)} pending>"
        )

    def back_off(self, now: float, retry_s: float) -> None:
        """Its template has failed: the next one is made later, the more so the more have failed."""
        self.template_retry_at = now + retry_s * 2 ** min(self.template_failures, 5)
        self.template_failures += 1

    @property
    def least(self) -> int:
        return 0 if self.retired else self.granted

    @property
    def has_its_most(self) -> bool:
        most = self.revision.settings.max_sandboxes
        return most is not None and len(self.sandboxes) >= most

    @property
    def is_full(self) -> bool:
        """All revisions share the function's bound, which its current revision sets."""
        current = self.function.current or self
        most = current.revision.settings.max_sandboxes
        return (most is not None and self.function.total >= most) or self.has_its_most

    @property
    def can_join(self) -> bool:
        """A sandbox is starting that has a slot for one more."""
        return len(self.pending) < self.starting * self.revision.settings.concurrency

    @property
    def ready_template(self) -> Template | None:
        template = self.template
        return template if template is not None and template.phase is TemplatePhase.READY else None

    def explain(self, now: float, *, templates: bool) -> str:
        """Why a sandbox has to be started for someone who waits."""
        ready = self.live - self.starting
        if ready:
            why = f"all {ready} busy" if ready > 1 else "the only one is busy"
        elif self.starting:
            why = f"all {self.starting} starting" if self.starting > 1 else "the only one is starting"
        elif self.loss is not None:
            why = self.loss.tell(now)
        else:
            return "first of this revision"
        if self.ready_template is not None:
            return why
        if not templates:
            return f"{why}; templates are off"
        return f"{why}; {'template is being made' if self.template is not None else self.no_template_reason}"
