"""Functions, and their admitted invocations: who waits, where each one is, how far it has come, what is remembered."""

import math
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import structs

from attacca.errors import AttaccaError, QueueFull
from attacca.gateway.core.deadlines import Clocks
from attacca.gateway.core.slots import SandboxHandle, Slots
from attacca.gateway.core.statistics import EWMA_WEIGHT, Statistics
from attacca.gateway.core.workers import WorkerHandle
from attacca.model.function import Revision, Scheduling, Signature
from attacca.model.invocation import Call, Failed, FunctionError, Outcome, Request, Start, Timing, Why
from attacca.model.messages import Started
from attacca.policy.balancing.types import Asked

NO_TIME: Final = Timing()
NO_REQUEST: Final = Request()
LEAST_GAP_S: Final = 1e-6  # two arrivals at the same moment are not infinitely frequent
MOST_RATE: Final = 1 / LEAST_GAP_S
RETRY_AFTER_MOST_S = 3600
WHY_MOST = 500  # characters of an error's message that are remembered


class Client(Protocol):
    """Who waits for the answer. The core never calls it, but says in its commands which one is meant."""

    taken: "Inflight | None"  # set when the invocation is admitted, before anything can come back

    def started(self) -> None:
        """A sandbox has it, and the rest of its body may follow. Only called when `taken.more`."""

    def head(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        """A streamed answer begins."""

    def body(self, data: bytes) -> None: ...
    def flow(self, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        """The reader of the request's body is slow, or has caught up."""

    def ended(self, taken: "Inflight", outcome: Outcome) -> None:
        """The last word; comes exactly once unless the client has left."""


class Function:
    """A known function: its current revision, its counters and its latest invocations."""

    __slots__ = (
        "application", "arrived_at", "arrived_count", "clocks", "cors", "deployed_at", "gap_s", "hears_leaving",
        "is_clustered", "is_idempotent", "name", "needs", "number", "queue", "recent", "resources", "revision_id",
        "running", "settings", "slots", "statistics", "takes_requests", "takes_streams", "trigger", "waiting",
    )  # fmt: skip

    def __init__(self, revision: Revision, calls_kept: int) -> None:
        self.name = revision.function
        self.arrived_at: float | None = None  # it and the next: only counted where there are several workers
        self.gap_s: float | None = None  # moving average of the time between arrivals
        self.arrived_count = 0  # only counted where slots are
        self.slots: Slots[Inflight] | None = None  # where control has its sandboxes made
        self.waiting = 0
        self.running = 0
        self.statistics = Statistics()
        self.recent: deque[Inflight] = deque(maxlen=calls_kept)
        self.adopt(revision)

    def __repr__(self) -> str:
        return f"<Function {self.name}: {self.waiting} wait, {self.running} running, {self.statistics.taken} so far>"

    def adopt(self, revision: Revision) -> None:
        self.number = revision.number
        self.revision_id = revision.id
        self.takes_requests, self.takes_streams = revision.takes_requests, revision.takes_streams
        self.hears_leaving = revision.signature is Signature.ASGI  # before the end of its answer
        self.deployed_at = revision.created_at
        self.needs = revision.needs
        self.settings = revision.settings  # for what is asked seldom
        self.cors = revision.settings.cors
        self.is_clustered = revision.settings.scheduling is Scheduling.CLUSTER
        self.is_idempotent = revision.settings.idempotent
        self.resources = revision.settings.resources
        self.application = revision.settings.application or revision.function
        self.trigger = revision.settings.trigger
        self.queue = max(revision.settings.queue, 1)  # one is always in the hand-over, also when none may wait
        self.clocks: Clocks[Inflight] = Clocks(revision.settings)

    def arrive(self, now: float) -> None:
        before, self.arrived_at = self.arrived_at, now
        if before is not None:
            gap_s, known_s = now - before, self.gap_s
            self.gap_s = gap_s if known_s is None else known_s + EWMA_WEIGHT * (gap_s - known_s)

    def asked(self) -> Asked:
        gap_s = self.gap_s
        rate = 0.0 if gap_s is None else 1 / gap_s if gap_s > LEAST_GAP_S else MOST_RATE
        return Asked(self.name, rate, self.statistics.exec_s, self.resources, self.application, self.trigger)

    def queue_full(self) -> QueueFull:
        """Those who wait need about their mean execution each, on as many sandboxes as run now."""
        estimate_s = self.waiting * self.statistics.exec_s / max(self.running, 1)
        retry_after_s = max(math.ceil(estimate_s), 1) if estimate_s < RETRY_AFTER_MOST_S else RETRY_AFTER_MOST_S
        who = "1 invocation" if self.waiting == 1 else f"{self.waiting} invocations"
        return QueueFull(
            f"{who} of {self.name!r} {'waits' if self.waiting == 1 else 'wait'} already, "
            "as many as its setting queue allows",
            f"come back in {retry_after_s} s, or raise queue in its function.toml",
            retry_after_s,
        )


class Inflight:
    """One admitted invocation, from its arrival until it is forgotten. Times in seconds, `at` since 1970.

    Between the planes each attempt has a name of its own, so that what is said late of an earlier one is not mistaken:
    `key` is `id`, then `id~2`, `id~3`. It keeps its name where nothing can come late: with the same worker, if that
    has said its last word on the attempt before.
    """

    __slots__ = (
        "arrived", "at", "attempts", "client", "clocks", "function", "has_head", "holder", "id", "is_done", "key",
        "losses", "lost", "more", "on_end", "outcome", "place", "request", "revision", "run_ms", "said", "slot",
        "start", "status", "timing", "total_ms", "waiting", "wrong",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        function: Function,
        request: Request,
        client: Client,
        holder: WorkerHandle,
        place: str,
        now: float,
        at: float,
    ) -> None:
        self.id = self.key = name
        self.holder = holder
        self.place = place  # why it is with this worker
        self.waiting = holder.queued  # invocations that waited there when this one came
        self.attempts = 1
        self.losses = 0  # of these, how many ended with a worker or a sandbox
        self.slot: SandboxHandle[Inflight] | None = None  # one of its is taken for it
        self.function = function
        self.revision = function.number
        self.clocks = function.clocks
        self.client: Client | None = client
        self.request = request  # as long as it may have to be sent again: bodies are large
        self.more = request.more  # its request's body is streamed
        self.arrived = now
        self.at = at
        self.on_end: Callable[[], None] | None = None  # told when it is over, also when nobody waits for its answer
        self.lost = ""  # why it was sent again
        self.start: Start | None = None  # None: no sandbox has it yet
        self.said: Started | None = None  # by the worker, when one had it
        self.outcome = ""
        self.wrong = ""  # why it failed
        self.timing = NO_TIME
        self.run_ms = self.total_ms = 0.0
        self.status = 0
        self.has_head = self.is_done = False

    def __repr__(self) -> str:
        state = "done" if self.is_done else "waiting" if self.start is None else "running"
        return f"<Inflight {self.key} of {self.function.name}: {state} on {self.worker or 'no worker'}>"

    @property
    def worker(self) -> str:
        """Who has it, or had it last; empty while it waits for one."""
        return self.holder.name

    @property
    def sandbox(self) -> str:
        """Empty until one has it."""
        return "" if self.said is None else self.said.sandbox

    @property
    def why(self) -> str:
        """Why it failed, or its start was what it was."""
        if self.wrong or self.said is None:
            return self.wrong
        return self.lost + self.said.why

    def blame(self, outcome: Failed | FunctionError) -> None:
        if type(outcome) is Failed:
            code, why = outcome.code, outcome.message
        else:
            assert isinstance(outcome, FunctionError)
            code, why = "function_error", f"{outcome.type}: {outcome.message}"
        self.outcome = code
        self.wrong = (self.lost + why)[:WHY_MOST]
        self.status = STATUS.get(code, 500)
        self.function.statistics.failed(code)

    def call(self) -> Call:
        """What is remembered of it, once it is done."""
        return Call(
            id=self.id,
            function=self.function.name,
            revision=self.revision,
            at=self.at,
            status=self.status,
            outcome=self.outcome,
            start=self.start,
            why=self.why,
            sandbox=self.sandbox,
            timing=structs.replace(self.timing, run=self.run_ms),
            total_ms=self.total_ms,
            reasons=self._reasons(),
            worker=self.worker,
        )

    def _reasons(self) -> Why:
        said = self.said
        if said is None:
            return Why(place=self.place)
        start = f"{said.why}; keep-alive: {said.kept}" if said.kept else said.why
        return Why(self.lost + start, said.turn, self.place)


def _statuses(kind: type[AttaccaError]) -> dict[str, int]:
    statuses = {}
    for child in kind.__subclasses__():
        statuses[child.code] = child.status
        statuses.update(_statuses(child))
    return statuses


STATUS = _statuses(AttaccaError)  # of every error, by its code
