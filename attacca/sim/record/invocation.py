"""One invocation on its way through a simulated platform, and the moments that its record wants."""

from typing import Final

from attacca.gateway.core.inflight import Inflight
from attacca.load.workload.schedule import Target
from attacca.model.invocation import Outcome, Timing
from attacca.model.messages import Started

ATTEMPT: Final = 1 << 40  # more numbers than the invocations of a run need
UNSEEN: Final = -1.0  # a moment that has not come


class SimulatedInvocation:
    """Who waits for the answer, as the gateway core sees it. Times in seconds since the run began."""

    __slots__ = (
        "attempt", "draw", "due", "enq", "exec_begin", "exec_end", "handed", "idx", "is_answered", "key", "phase",
        "queue_len", "request_s", "said", "taken", "target", "timing", "worker",
    )  # fmt: skip

    def __init__(self, idx: int, due: float, target: Target, request_s: float, phase: str) -> None:
        self.idx = idx
        self.draw = 2 * idx  # of its messages, and the next number: another attempt has another fate
        self.key = str(idx)  # what gateway and worker call it; another when it is sent again
        self.due = due
        self.target = target
        self.request_s = request_s
        self.phase = phase
        self.taken: Inflight | None = None
        self.is_answered = False
        self.attempt = 1
        self.worker = -1
        self.enq = self.handed = self.exec_begin = self.exec_end = UNSEEN
        self.said: Started | None = None  # by the worker, when it was started
        self.timing: Timing | None = None  # as its gateway knows it, where it was held there
        self.queue_len = 0

    def __repr__(self) -> str:
        state = "answered" if self.is_answered else "under way"
        return f"<SimulatedInvocation {self.idx} {state}: attempt {self.attempt}>"

    def forget_attempt(self) -> None:
        """It begins anew, elsewhere."""
        self.attempt += 1
        self.draw += ATTEMPT
        self.enq = self.handed = self.exec_begin = self.exec_end = UNSEEN
        self.timing, self.said, self.worker = None, None, -1

    # What the core's Client is. A simulated answer has no body, and comes by the world's own road.

    def started(self) -> None: ...
    def head(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None: ...
    def body(self, data: bytes) -> None: ...
    def flow(self, paused: bool) -> None: ...  # noqa: FBT001 - mirrors the protocol
    def ended(self, taken: Inflight, outcome: Outcome) -> None: ...
