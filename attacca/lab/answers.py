"""An answer as its sender saw it becomes a row of the records.

What passed on the way is the sender's word; what passed in the server is told by the answer's headers, in the server's
own clock; when the handler began is told by our own body. What nobody tells is null.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from attacca.load.sending.frames import Sent
from attacca.load.workload.schedule import RUN, WARMUP, Target

MADE = ("sandbox", "network", "image", "code", "imports", "readiness")
PARTS = ("queued", "placed", *MADE, "run")
HEADER = re.compile(rb"\r\n(x-attacca-\w+|server-timing):[ \t]*([^\r]*)", re.IGNORECASE)
PART = re.compile(rb"(\w+);dur=([0-9.]+)")
CODE = re.compile(rb'"code":\s*"(\w+)"')
CPU = re.compile(rb'"cpu_s":\s*([0-9.e-]+)')
BEGAN = re.compile(rb'"began":\s*([0-9.e+-]+)')


class Told(NamedTuple):
    """What the headers of an answer say. Parts in milliseconds; one that is not told is 0."""

    start: str = ""  # empty: it never reached a sandbox
    sandbox: str = ""
    arrived_at: float | None = None  # by the server's wall clock
    waiting: int | None = None  # invocations that waited there then
    attempts: int = 1
    queued: float = 0.0
    placed: float = 0.0
    made: tuple[float, ...] = (0.0,) * len(MADE)
    run: float | None = None  # not known yet when a streamed answer begins
    total: float | None = None  # from its arrival to its answer

    @property
    def setup(self) -> float:
        return sum(self.made)

    def parts(self) -> dict[str, float]:
        return dict(zip(PARTS, (self.queued, self.placed, *self.made, self.run or 0.0), strict=True))


def told_by(head: bytes) -> Told:
    said = {name.lower(): value for name, value in HEADER.findall(head)}
    if not said:
        return Told()
    ms = {name: float(value) for name, value in PART.findall(said.get(b"server-timing", b""))}
    arrived, waiting = said.get(b"x-attacca-arrived"), said.get(b"x-attacca-waiting")
    return Told(
        start=said.get(b"x-attacca-start", b"").decode(),
        sandbox=said.get(b"x-attacca-sandbox", b"").decode(),
        arrived_at=int(arrived) / 1e6 if arrived else None,
        waiting=int(waiting) if waiting else None,
        attempts=int(said.get(b"x-attacca-attempts", b"1")),
        queued=ms.get(b"queued", 0.0),
        placed=ms.get(b"placed", 0.0),
        made=tuple(ms.get(name.encode(), 0.0) for name in MADE),
        run=ms.get(b"run"),
        total=ms.get(b"total"),
    )


class Origin(NamedTuple):
    """The beginning of a run in the clocks of others."""

    wall_s: float  # the server's wall clock
    monotonic_s: float | None = None  # of the machine the sandboxes run on; None: we are on another one


class Within(NamedTuple):
    """When what passed in the server did, in seconds since the run began."""

    enq: float | None = None
    deq: float | None = None
    cold_begin: float | None = None
    ready: float | None = None
    exec_begin: float | None = None
    exec_end: float | None = None


class Rows:
    """Makes rows of one run."""

    def __init__(
        self,
        run: str,
        seed: int,
        targets: Sequence[Target],
        warmup_s: float,
        worker: str = "",
        memory_mb: Sequence[int] = (),
        is_timed: Sequence[bool] = (),
    ) -> None:
        """`worker`: where there is only one, all ran there. Of each target `memory_mb`, where it is not the plan's, and
        whether it is told how long to take; unset: all are."""
        self._run, self._seed, self._targets, self._warmup_s = run, seed, targets, warmup_s
        self._worker = worker
        self._memory_mb = memory_mb or [target.plan.memory_mb for target in targets]
        self._is_timed = is_timed or [True] * len(targets)
        self.origin = Origin(0.0)

    def __repr__(self) -> str:
        return f"<Rows of {self._run}: {len(self._targets)} functions>"

    def row(self, sent: Sent, told: Told) -> tuple[object, ...]:
        """In the order of columns.COLUMNS."""
        idx, function, due, sent_at, received, status, head, error, bytes_in, bytes_out, duration_ms, _ = sent
        target, memory_mb = self._targets[function], self._memory_mb[function]
        is_answered, has_run = status > 0, told.start != ""
        within = self._within(sent, told)
        asked_s = duration_ms / 1000 if self._is_timed[function] else None
        cpu = CPU.search(head) if status == 200 else None
        return (
            self._run, self._seed, WARMUP if due < self._warmup_s else RUN, idx, target.app, target.label,
            target.trigger, due, sent_at, sent_at - due, *within, received if is_answered else None, status,
            error or error_of(status, head), told.start, self._worker if has_run else "", told.sandbox or None,
            told.attempts, told.waiting, memory_mb, float(cpu[1]) if cpu else None, asked_s, bytes_in,
            bytes_out if is_answered else 0, memory_mb * told.run / 1000 if has_run and told.run is not None else None,
        )  # fmt: skip

    def _within(self, sent: Sent, told: Told) -> Within:
        if told.arrived_at is None:
            return Within()
        sent_at, received, head = sent[3], sent[4], sent[6]
        # Where the two clocks disagree by more than the way there or back took, cause comes before effect all the same.
        latest = max(sent_at, received - (told.total or 0.0) / 1000)
        enq = min(max(told.arrived_at - self.origin.wall_s, sent_at), latest)
        if not told.start:
            return Within(enq)
        deq = cold_begin = ready = begin = None
        if told.attempts == 1:  # else the server tells of the last one, and not when it began
            deq = enq + told.queued / 1000
            begin = deq + (told.placed + told.setup) / 1000
            if told.setup > 0:
                cold_begin, ready = deq + told.placed / 1000, begin
        began = BEGAN.search(head) if self.origin.monotonic_s is not None else None
        if began is not None and self.origin.monotonic_s is not None:
            at_most = received - (told.run or 0.0) / 1000
            begin = max(min(float(began[1]) - self.origin.monotonic_s, at_most), begin or enq)
        end = begin + told.run / 1000 if begin is not None and told.run is not None else None
        return Within(enq, deq, cold_begin, ready, begin, end)


def error_of(status: int, head: bytes) -> str:
    """The code of an error answer, or empty."""
    if status < 400:
        return ""
    code = CODE.search(head)
    return code[1].decode() if code else f"http_{status}"
