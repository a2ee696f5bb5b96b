"""Loads of workers, level by level: who has least is found without looking at all. `least_loaded` goes by it."""

from collections.abc import Sequence
from heapq import heapify, heappush, heapreplace
from math import inf
from typing import Final

from attacca.policy.balancing.types import Asked, Picked, Worker

SPARE = 32
FEW: Final = 16  # so many are looked at in less time than a heap of them is kept in


class Level:
    """A heap of loads as they were looked at. Whoever has more by now is put back with that when its turn comes; who
    has less is put in once more when that is told. So no decision looks at all workers, unless they are few."""

    __slots__ = ("_few", "_few_most", "_heap", "_most", "_workers")

    def __init__(self, few: int = FEW) -> None:
        """`few`: of so many at most there is no heap."""
        self._few_most = few
        self._few: list[Worker] = []  # by name; all of them, or none
        self._workers: dict[str, Worker] = {}
        self._heap: list[tuple[float, str]] = []  # of each worker at least one entry that is not above its load
        self._most = 0  # entries, before those that say nothing any more are left behind

    def __repr__(self) -> str:
        return f"<Level {len(self._workers)} workers, {len(self._heap)} entries>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = {worker.name: worker for worker in workers}
        self._most = 2 * len(workers) + SPARE
        self._few = sorted(workers, key=_name) if len(workers) <= self._few_most else []
        self._look()

    def eased(self, worker: str) -> None:
        if self._few:
            return
        known = self._workers.get(worker)
        if known is not None:
            heappush(self._heap, (_load(known), worker))
            if len(self._heap) > self._most:
                self._look()

    def pick(self, now: float, asked: Asked) -> Picked:
        few = self._few
        if few:
            return Picked(_least(few).name, "least loaded")
        heap, workers = self._heap, self._workers
        while True:
            known, name = heap[0]
            worker = workers[name]
            load = (worker.queued + worker.running) / worker.limit
            if load <= known:
                return Picked(name, "least loaded")
            heapreplace(heap, (load, name))

    def _look(self) -> None:
        """At all of them, anew."""
        self._heap = [] if self._few else [(_load(worker), name) for name, worker in self._workers.items()]
        heapify(self._heap)


def _least(workers: list[Worker]) -> Worker:
    """The first of those with least."""
    best, least = workers[0], inf
    for worker in workers:
        load = (worker.queued + worker.running) / worker.limit
        if load < least:
            best, least = worker, load
    return best


def _name(worker: Worker) -> str:
    return worker.name


def _load(worker: Worker) -> float:
    return (worker.queued + worker.running) / worker.limit
