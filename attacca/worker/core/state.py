"""What belongs together on one worker: functions, their revisions, sandboxes and templates, and who waits for them.

They know one another, so they are in one module.
"""

from collections import deque
from math import inf
from typing import Final

from attacca.errors import IllegalTransition
from attacca.kernel.window import Measure
from attacca.model.function import Revision, Scheduling
from attacca.model.invocation import Invocation, Start
from attacca.model.messages import Withdraw
from attacca.model.resources import Resources
from attacca.model.sandbox import SandboxView
from attacca.policy.keepalive.types import Expiry, Idle
from attacca.worker.core.alone import can_have_ahead
from attacca.worker.core.phases import AHEAD, BUSY, DRAINING, DYING, GONE, IDLE, QUEUED, SLOT, STARTING, TemplatePhase
from attacca.worker.core.statistics import Statistics
from attacca.worker.core.timers import Key, Timer

NO_FORKS: Final = "what a device was told does not survive a fork"
AT_ONCE: Final = "nobody was before it"
WARM: Final = Start.WARM


class QueuedInvocation:
    """One invocation on this worker, from Dispatch to Ended."""

    __slots__ = (
        "arrived", "began", "behind", "held", "id", "invocation", "peer", "popped", "position", "sandbox", "start",
        "state", "turn", "unwanted", "was_popped",
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
        self.unwanted: Withdraw | None = None  # handed ahead, and by now nobody waits for it
        self.start = WARM

    def __repr__(self) -> str:
        return f"<QueuedInvocation {self.id} {self.position} of {self.state.revision.id}>"


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


class Sandbox:
    """`running` holds its invocations by id; `idle` is what the keep-alive policy was told when it became idle."""

    __slots__ = (
        "ahead", "drained_why", "expiry", "id", "idle", "idle_since", "is_ordered", "made", "made_at", "phase",
        "resources", "running", "served", "slots", "state", "template", "timer", "why",
    )  # fmt: skip

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
        self.ahead: deque[QueuedInvocation] = deque()  # what it was handed, and is to begin next
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

    def take(self, item: QueuedInvocation) -> None:
        running = self.running
        is_open = self.phase is IDLE or self.phase is BUSY or (self.phase is DRAINING and item.position is AHEAD)
        if len(running) >= self.slots or not is_open:
            self._refuse("take")
        running[item.id] = item
        self.served += 1
        self.state.function.cached_uses += 1
        if self.phase is IDLE:
            self.phase = BUSY

    def leave(self, invocation: str) -> QueuedInvocation | None:
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
        "ahead", "application", "can_have_ahead", "claim", "demanded", "device_twin", "failures", "free", "function",
        "granted", "is_accelerated", "is_apart", "is_computing", "is_ordered", "is_too_large", "is_twin", "key", "live",
        "loss", "no_template_reason", "pending", "resources", "retired", "revision", "running", "sandboxes", "starting",
        "template", "template_failures", "template_retry_at", "trigger", "waiting", "wanted",
    )  # fmt: skip

    def __init__(self, revision: Revision, function: Function) -> None:
        self.revision = revision
        self.function = function
        self.key = revision.id  # under which a worker knows it
        self.resources = revision.settings.resources  # of one sandbox
        self.is_ordered = revision.settings.scheduling is Scheduling.CLUSTER  # control has all its sandboxes made
        self.is_too_large = False  # for this worker, whatever else there is
        self.is_accelerated = False  # its invocations wait for a device
        self.is_computing = False  # they wait for a core
        self.is_twin = False  # of another state, whose `device_twin` it is
        self.device_twin: RevisionState | None = None  # the same revision with a device, if it may run on both
        self.is_apart = self.is_ordered  # or any of these: not on the road that most invocations take
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
        self.waiting = 0  # queued, at the head of the line, or handed ahead
        self.ahead = 0  # the last of these
        self.can_have_ahead = can_have_ahead(revision)
        self.running = 0
        self.wanted = 0  # sandboxes to be made ahead of need, not counting min_sandboxes
        self.failures = 0  # starts that failed since one succeeded
        self.loss: Loss | None = None
        self.template: Template | None = None  # making or ready
        self.template_failures = 0
        self.template_retry_at = 0.0
        self.no_template_reason = "no template yet"  # why there is none
        if self.resources.gpu:
            self.no_template_reason, self.template_retry_at = NO_FORKS, inf

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
