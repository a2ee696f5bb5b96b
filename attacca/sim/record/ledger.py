"""What is kept of a run: a row per invocation, samples of the platform, and what is summed up of them."""

from array import array
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from attacca.load.records.recorder import RecordSink
from attacca.load.workload.schedule import RUN
from attacca.model.invocation import Start
from attacca.sim.record.energy import Energy
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.record.totals import Totals


class Gauge(NamedTuple):
    """What a worker is at, at one moment. Nothing: it is down."""

    sandboxes: int = 0
    busy: int = 0
    queued: int = 0
    running: int = 0
    memory_mb: int = 0
    cpu_share: float = 0.0  # of its cores, that is computing


class Ledger:
    def __init__(self, sink: RecordSink, run: str, seed: int, *, has_rows: bool) -> None:
        """`has_rows`: a row per invocation is wanted."""
        self.totals = Totals()
        self._sink = sink
        self._add = sink.add if has_rows else None
        self._run = run
        self._seed = seed
        self.spent_s = 0.0  # by all invocations together, from when they were due
        self.energy: Energy | None = None
        self._ok = 0
        self._took_s = array("d")
        self._starts = dict.fromkeys(Start, 0)

    def __repr__(self) -> str:
        totals = self.totals
        return (
            f"<Ledger {self._ok} ok, {totals.failed} failed, {totals.refused} refused, {totals.unanswered} unanswered>"
        )

    def close_flight(self, flight: SimulatedInvocation, now: float, status: int, error: str) -> None:
        """It is answered, or refused: `status` 0 means that nothing came."""
        took_s = now - flight.due
        self.spent_s += took_s
        if flight.phase == RUN:
            if status == 200:
                self._took_s.append(took_s)
            if flight.said is not None:
                self._starts[flight.said.start] += 1
        totals = self.totals
        if status == 200:
            self._ok += 1
            if self.energy is not None and flight.exec_end >= 0.0:
                plan = flight.target.plan
                mb_s = plan.memory_mb * (flight.exec_end - flight.handed)
                self.energy.ran(flight.request_s * plan.body.computing, mb_s)
        elif status:
            totals.failed += 1
        else:
            totals.unanswered += 1
        if self._add is not None:
            self._add(self._row(flight, now if status else None, status, error))

    def _row(self, flight: SimulatedInvocation, recv: float | None, status: int, error: str) -> Sequence[object]:
        """In the order of records.COLUMNS."""
        target, said = flight.target, flight.said
        deq = cold_begin = ready = exec_begin = exec_end = used_s = cost = None
        memory_mb = target.plan.memory_mb
        if said is not None:
            timing = said.timing if flight.timing is None else flight.timing
            deq = flight.enq + timing.queued / 1e3
            made_s = timing.making.whole / 1e3
            if made_s:
                cold_begin, ready = flight.handed - made_s, flight.handed
            if flight.exec_end >= 0.0:
                exec_begin, exec_end = flight.exec_begin, flight.exec_end
                used_s = flight.request_s * target.plan.body.computing
                cost = memory_mb * (exec_end - flight.handed)
        due = flight.due
        return (
            self._run, self._seed, flight.phase, flight.idx, target.app, target.label, target.trigger, due, due, 0.0,
            flight.enq if flight.enq >= 0.0 else None, deq, cold_begin, ready, exec_begin, exec_end, recv, status,
            error, "" if said is None else said.start.value, f"w{flight.worker}" if flight.worker >= 0 else "",
            "" if said is None else said.sandbox, flight.attempt, flight.queue_len, memory_mb, used_s,
            flight.request_s, 0, 0, cost,
        )  # fmt: skip

    def sample(self, now: float, worker: str, gauge: Gauge) -> None:
        self._sink.sample((self._run, now, worker, *gauge))

    def sum_up(self) -> Totals:
        totals, took = self.totals, sorted(self._took_s)
        totals.ok = self._ok
        started = sum(self._starts.values())
        if started:
            totals.template_share = self._starts[Start.TEMPLATE] / started
            totals.cold_share = totals.template_share + self._starts[Start.COLD] / started
        if took:
            totals.mean_ms = sum(took) / len(took) * 1e3
            totals.p50_ms, totals.p90_ms, totals.p99_ms = (
                took[max(1, ceil(share * len(took))) - 1] * 1e3 for share in (0.5, 0.9, 0.99)
            )
            totals.max_ms = took[-1] * 1e3
        return totals
