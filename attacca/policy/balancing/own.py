"""A gateway's own worker, and all others by load. `own_first` goes by it."""

from collections.abc import Sequence

from attacca.policy.balancing.level import Level
from attacca.policy.balancing.types import Asked, Picked, Worker


class Own:
    __slots__ = ("_answer", "_level", "_often", "_others", "_own")

    def __init__(self, worker: str, often: float) -> None:
        self._answer = Picked(worker, "in the gateway's own process")
        self._often = often
        self._level = Level()
        self._own: Worker | None = None
        self._others: list[Worker] = []

    def __repr__(self) -> str:
        return f"<Own {'with' if self._own else 'without'} its worker, {len(self._others)} others>"

    def among(self, workers: Sequence[Worker]) -> None:
        name = self._answer.worker
        self._own = next((worker for worker in workers if worker.name == name), None)
        self._others = [worker for worker in workers if worker.name != name]
        self._level.among(workers)

    def eased(self, worker: str) -> None:
        self._level.eased(worker)

    def pick(self, now: float, asked: Asked) -> Picked:
        own = self._own
        if own is None or asked.rate < self._often:
            return self._level.pick(now, asked)
        if own.queued:
            free = [worker for worker in self._others if not (worker.queued or worker.waiting)]
            if free:
                best = min(free, key=_load)
                return Picked(best.name, "nothing waits there, and something in the gateway's own process")
        return self._answer


def _load(worker: Worker) -> tuple[float, str]:
    return (worker.queued + worker.running) / worker.limit, worker.name
