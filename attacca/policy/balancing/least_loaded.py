"""The worker with the smallest share of its slots in use or waited for."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.types import Asked, Picked, Worker


class LeastLoaded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Score: (queued + running) / limit, by the gateway's own count.

    Ilúvatar's policy of this name looks at a load that a thread fetches now and then, and sends everything to the same
    worker until the next look; with a count that each decision changes, that herd does not form.
    """

    def fresh(self, chance: Chance) -> "Level":
        return Level()


class Level:
    __slots__ = ("_workers",)

    def __init__(self) -> None:
        self._workers: list[Worker] = []

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))

    def pick(self, now: float, asked: Asked) -> Picked:
        best, least = "", float("inf")
        for worker in self._workers:
            load = (worker.queued + worker.running) / worker.limit
            if load < least:
                best, least = worker.name, load
        return Picked(best, "least loaded")
