"""Loads of workers, level by level: who has least is found without looking at all. `least_loaded` goes by it."""

from collections.abc import Sequence
from heapq import heapify, heappush, heapreplace

from attacca.policy.balancing.types import Asked, Picked, Worker

SPARE = 32


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


def _load(worker: Worker) -> float:
    return (worker.queued + worker.running) / worker.limit
