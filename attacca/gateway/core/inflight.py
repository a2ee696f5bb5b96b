"""An admitted invocation: who waits for it, where it is, how far it has come, and what is remembered of it."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from attacca.gateway.core.deadlines import ClockName, Lane
from attacca.gateway.core.statistics import EWMA_WEIGHT, Statistics
from attacca.gateway.core.workers import WorkerHandle
from attacca.model.function import Revision, Settings, Signature
from attacca.model.invocation import Call, Invocation, Outcome, Request, Start, Timing
from attacca.policy.balancing.types import Asked

NO_TIME = Timing()
NO_INVOCATION = Invocation("", "", "", Request())
LEAST_GAP_S = 1e-6  # two arrivals at the same moment are not infinitely frequent


class Client(Protocol):
    """Who waits for the answer. The core only hands it on; the driver calls it."""

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


class Clocks:
    """The three clocks as one revision sets them; an invocation keeps those it was taken with."""

    __slots__ = ("first_byte", "total", "wait")

    def __init__(self, settings: Settings) -> None:
        first_byte_s = settings.first_byte_s
        self.wait = Lane(ClockName.WAIT, settings.wait_s)
        self.first_byte = None if first_byte_s is None else Lane(ClockName.FIRST_BYTE, first_byte_s)
        self.total = Lane(ClockName.TOTAL, settings.timeout_s)


class Function:
    """A known function: its current revision, its counters and its latest invocations."""

    __slots__ = (
        "application", "arrived_at", "clocks", "cors", "gap_s", "hears_leaving", "is_idempotent", "name", "number",
        "queue", "recent", "resources", "revision_id", "running", "statistics", "takes_requests", "takes_streams",
        "trigger", "waiting",
    )  # fmt: skip

    def __init__(self, revision: Revision, calls_kept: int) -> None:
        self.name = revision.function
        self.arrived_at: float | None = None  # it and the next: only counted where there are several workers
        self.gap_s: float | None = None  # moving average of the time between arrivals
        self.waiting = 0
        self.running = 0
        self.statistics = Statistics()
        self.recent: deque[Inflight] = deque(maxlen=calls_kept)
        self.adopt(revision)

    def adopt(self, revision: Revision) -> None:
        self.number = revision.number
        self.revision_id = revision.id
        self.takes_requests, self.takes_streams = revision.takes_requests, revision.takes_streams
        self.hears_leaving = revision.signature is Signature.ASGI  # before the end of its answer
        self.cors = revision.settings.cors
        self.is_idempotent = revision.settings.idempotent
        self.resources = revision.settings.resources
        self.application = revision.settings.application or revision.function
        self.trigger = revision.settings.trigger
        self.queue = max(revision.settings.queue, 1)  # one is always in the hand-over, also when none may wait
        self.clocks = Clocks(revision.settings)

    def arrive(self, now: float) -> None:
        before, self.arrived_at = self.arrived_at, now
        if before is not None:
            gap_s, known_s = now - before, self.gap_s
            self.gap_s = gap_s if known_s is None else known_s + EWMA_WEIGHT * (gap_s - known_s)

    def asked(self) -> Asked:
        exec_s = self.statistics.exec_s
        return Asked(self.name, self.rate, exec_s, self.resources, self.application, self.trigger)

    @property
    def rate(self) -> float:
        """Arrivals per second; 0 while there is no telling."""
        return 0.0 if self.gap_s is None else 1 / max(self.gap_s, LEAST_GAP_S)


class RetryState:
    """What is needed to send an invocation again; kept only where that may come to pass, as bodies are large."""

    __slots__ = ("attempts", "invocation", "is_idempotent", "why")

    def __init__(self, invocation: Invocation, why: str, *, is_idempotent: bool) -> None:
        self.invocation = invocation  # as sent last; forgotten when it is done
        self.why = why  # it is with this worker
        self.is_idempotent = is_idempotent
        self.attempts = 1


class Inflight:
    """One admitted invocation, from its arrival until it is forgotten. Times in seconds, `at` since 1970.

    Between the planes each attempt has a name of its own, so that what is said late of an earlier one is not mistaken:
    `key` is `id`, then `id~2`, `id~3`. Only a worker in our own process, which says nothing late, keeps to `id`.
    """

    __slots__ = (
        "arrived", "at", "client", "clocks", "function", "has_head", "id", "is_done", "key", "link", "lost", "more",
        "on_end", "outcome", "revision", "road", "run_ms", "sandbox", "start", "status", "timing", "total_ms",
        "waiting", "why",
    )  # fmt: skip

    def __init__(
        self, name: str, function: Function, client: Client, link: WorkerHandle, now: float, at: float
    ) -> None:
        self.id = self.key = name
        self.link = link
        self.waiting = link.queued  # invocations that waited there when this one came
        self.road: RetryState | None = None
        self.function = function
        self.revision = function.number
        self.clocks = function.clocks
        self.client: Client | None = client
        self.arrived = now
        self.at = at
        self.more = False  # its request's body is streamed
        self.on_end: Callable[[], None] | None = None  # told when it is over, also when nobody waits for its answer
        self.lost = ""  # why it was sent again
        self.start: Start | None = None  # None: no sandbox has it yet
        self.sandbox = ""
        self.why = ""
        self.timing = NO_TIME
        self.run_ms = 0.0
        self.has_head = False
        self.status = 0
        self.outcome = ""
        self.total_ms = 0.0
        self.is_done = False

    @property
    def worker(self) -> str:
        """Who has it, or had it last; empty while it waits for one."""
        return self.link.name

    @property
    def attempts(self) -> int:
        return 1 if self.road is None else self.road.attempts

    def call(self) -> Call:
        """What is remembered of it, once it is done."""
        spent = self.timing
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
            timing=Timing(spent.queued, spent.placed, spent.sandbox, spent.code, spent.imports, self.run_ms),
            total_ms=self.total_ms,
        )
