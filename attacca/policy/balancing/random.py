"""Any worker, each as likely as the other."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.types import Asked, Picked, Worker


class Random(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One draw for each invocation."""

    def fresh(self, chance: Chance) -> "Lots":
        return Lots(chance)


class Lots:
    __slots__ = ("_chance", "_workers")

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._workers: list[Worker] = []

    def __repr__(self) -> str:
        return f"<Lots {len(self._workers)} workers>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))

    def pick(self, now: float, asked: Asked) -> Picked:
        workers = self._workers
        return Picked(workers[int(self._chance.random() * len(workers))].name, "drawn by lot")
