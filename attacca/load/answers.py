"""An answer as its sender saw it becomes a row of the records: times, start and split are read from its headers."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from attacca.load.frames import Sent
from attacca.load.schedule import RUN, WARMUP, Target

PARTS = ("queued", "placed", "sandbox", "code", "imports", "run")
START = re.compile(rb"\r\nx-attacca-start:[ \t]*(\w+)", re.IGNORECASE)
TIMING = re.compile(rb"\r\nserver-timing:[ \t]*([^\r]*)", re.IGNORECASE)
PART = re.compile(rb"(\w+);dur=([0-9.]+)")
CODE = re.compile(rb'"code":\s*"(\w+)"')
CPU = re.compile(rb'"cpu_s":\s*([0-9.e-]+)')


class Split(NamedTuple):
    """What the headers of an answer say. Milliseconds; a part that is not told is 0."""

    start: str
    queued: float
    placed: float
    sandbox: float
    code: float
    imports: float
    run: float

    @property
    def setup(self) -> float:
        return self.sandbox + self.code + self.imports

    @property
    def total(self) -> float:
        return self.queued + self.placed + self.setup + self.run


def split_of(head: bytes) -> Split:
    start, timing = START.search(head), TIMING.search(head)
    parts = dict(PART.findall(timing[1])) if timing else {}
    queued, placed, sandbox, code, imports, run = (float(parts.get(name.encode(), 0.0)) for name in PARTS)
    return Split(start[1].decode() if start else "", queued, placed, sandbox, code, imports, run)


class Rows:
    """Makes rows of one run."""

    def __init__(self, run: str, seed: int, targets: Sequence[Target], warmup_s: float, worker: str = "") -> None:
        """`worker`: where there is only one, all ran there."""
        self._run, self._seed, self._targets, self._warmup_s = run, seed, targets, warmup_s
        self.worker = worker

    def row(self, sent: Sent, split: Split) -> tuple[object, ...]:
        """In the order of records.COLUMNS. What the headers do not tell is null."""
        idx, function, due, sent_at, received, status, head, error, bytes_in, bytes_out, duration_ms, _ = sent
        target = self._targets[function]
        is_answered, has_run = status > 0, split.start != ""
        deq = cold_begin = ready = exec_begin = exec_end = None
        if has_run:
            # Half of what the split does not explain passed on the way there, half on the way back.
            way = max(0.0, received - sent_at - split.total / 1000) / 2
            exec_end = received - way
            exec_begin = exec_end - split.run / 1000
            deq = sent_at + way + split.queued / 1000
            if split.setup > 0:
                ready = exec_begin
                cold_begin = ready - split.setup / 1000
        memory_mb = target.plan.memory_mb
        cpu = CPU.search(head) if status == 200 else None
        return (
            self._run, self._seed, WARMUP if due < self._warmup_s else RUN, idx, target.app, target.label,
            target.trigger, due, sent_at, sent_at - due, sent_at if is_answered else None, deq, cold_begin, ready,
            exec_begin, exec_end, received if is_answered else None, status, error or error_of(status, head),
            split.start, self.worker if has_run else "", None, 1, None, memory_mb,
            float(cpu[1]) if cpu else None, duration_ms / 1000, bytes_in, bytes_out if is_answered else 0,
            memory_mb * split.run / 1000 if has_run else 0.0,
        )  # fmt: skip


def error_of(status: int, head: bytes) -> str:
    """The code of an error answer, or empty."""
    if status < 400:
        return ""
    found = CODE.search(head)
    return found[1].decode() if found else f"http_{status}"
