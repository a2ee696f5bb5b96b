"""Any worker that has room, as likely as it has memory free."""

from collections.abc import Sequence

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.placement.room import by_name, has_room, no_room
from attacca.policy.placement.types import Ask, NoRoom, Placed, Worker

DRAWS = 64  # before all are looked at


class WeightedRandom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Large and empty workers get more, without anybody's looking at all: one is drawn, and taken with the chance of
    its free memory over the memory of the largest worker; else another one is drawn."""

    def fresh(self, chance: Chance) -> "WeightedLots":
        return WeightedLots(chance)


class WeightedLots:
    __slots__ = ("_chance", "_largest_mb", "_workers")

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._workers: list[Worker] = []
        self._largest_mb = 0

    def __repr__(self) -> str:
        return f"<WeightedLots {len(self._workers)} workers, the largest of {self._largest_mb} MB>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = by_name(workers)
        self._largest_mb = max((worker.capacity.memory_mb for worker in workers), default=0)

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        workers, chance = self._workers, self._chance
        for _ in range(DRAWS if workers else 0):
            worker = workers[int(chance.random() * len(workers))]
            if chance.random() * self._largest_mb < free_mb(worker) and has_room(worker, ask):
                return Placed(worker.name, f"drawn by lot: {free_mb(worker)} MB free")
        return self._among_all(ask)

    def _among_all(self, ask: Ask) -> Placed | NoRoom:
        fit = [worker for worker in self._workers if has_room(worker, ask)]
        left = self._chance.random() * sum(map(free_mb, fit))
        for worker in fit:
            left -= free_mb(worker)
            if left < 0:
                return Placed(worker.name, f"drawn by lot: {free_mb(worker)} MB free")
        return Placed(fit[-1].name, "the last that has room") if fit else no_room(self._workers, ask)


def free_mb(worker: Worker) -> int:
    return worker.capacity.memory_mb - worker.reserved.memory_mb
