"""The worker with the smallest share of its slots in use or waited for; or with the smallest load of another kind."""

from collections.abc import Sequence
from heapq import heapify, heappush, heapreplace
from math import inf
from operator import attrgetter
from typing import Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.types import Asked, Balancer, Picked, Worker

SPARE = 32


class LeastLoaded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Score: `by` "queue", (queued + running) / limit, by the gateway's own count. By what workers said last:

    - "cpu": the share of its processors that was busy; "load": the 1-minute load average / cores. Each invocation that
      was sent there since counts for one core.
    - "memory": the share of its memory that its sandboxes held, and what was sent there since would hold if each needed
      a new one.

    Ilúvatar's policy of this name has all of these. It looks at loads that a thread fetches now and then, and sends
    everything to the same worker until the next look; as each decision counts here, that herd does not form. Whose
    machine is not measured is judged by (queued + running) / cores.
    """

    by: Literal["queue", "cpu", "load", "memory"] = "queue"

    def fresh(self, chance: Chance) -> Balancer:
        return Level() if self.by == "queue" else Said(self.by)


class Level:
    """A heap of loads as they were looked at. Whoever has more by now is put back with that when its turn comes; who
    has less is put in once more when that is told. So no decision looks at all workers."""

    __slots__ = ("_heap", "_most", "_workers")

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}
        self._heap: list[tuple[float, str]] = []  # of each worker at least one entry that is not above its load
        self._most = 0  # entries, before those that say nothing any more are left behind

    def __repr__(self) -> str:
        return f"<Level {len(self._workers)} workers, {len(self._heap)} entries>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = {worker.name: worker for worker in workers}
        self._most = 2 * len(workers) + SPARE
        self._look()

    def eased(self, worker: str) -> None:
        known = self._workers.get(worker)
        if known is not None:
            heappush(self._heap, (_load(known), worker))
            if len(self._heap) > self._most:
                self._look()

    def pick(self, now: float, asked: Asked) -> Picked:
        heap, workers = self._heap, self._workers
        while True:
            known, name = heap[0]
            worker = workers[name]
            load = (worker.queued + worker.running) / worker.limit
            if load <= known:
                return Picked(name, "least loaded")
            heapreplace(heap, (load, name))

    def _look(self) -> None:
        self._heap = [(_load(worker), name) for name, worker in self._workers.items()]
        heapify(self._heap)


class Said:
    """Looks at all: their loads change when they say so, and not only by what is decided here."""

    __slots__ = ("_by", "_since", "_workers")

    def __init__(self, by: str) -> None:
        self._by = by
        self._workers: list[Worker] = []
        self._since: dict[str, tuple[float, int, int]] = {}  # when it was heard, and what was sent since: how many, MB

    def __repr__(self) -> str:
        return f"<Said {len(self._workers)} workers, by {self._by}>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))
        self._since = {worker.name: self._since.get(worker.name, (-inf, 0, 0)) for worker in workers}

    def pick(self, now: float, asked: Asked) -> Picked:
        best = min(self._workers, key=self._score)
        heard_at, sent, sent_mb = self._since[best.name]
        if best.heard_at != heard_at:
            sent = sent_mb = 0
        self._since[best.name] = best.heard_at, sent + 1, sent_mb + asked.resources.memory_mb
        return Picked(best.name, f"least {self._by}")

    def _score(self, worker: Worker) -> float:
        heard_at, sent, sent_mb = self._since[worker.name]
        if worker.heard_at != heard_at:
            sent = sent_mb = 0
        if self._by == "memory":
            whole_mb = max(1, worker.capacity.memory_mb)
            return 1 - (worker.free.memory_mb - sent_mb) / whole_mb
        load = worker.load
        if load is None:
            return (worker.queued + worker.running) / worker.cores
        busy = load.cpu_share if self._by == "cpu" else load.load_1m / worker.cores
        return busy + sent / worker.cores


def _load(worker: Worker) -> float:
    return (worker.queued + worker.running) / worker.limit
