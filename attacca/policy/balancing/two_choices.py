"""The less loaded of two workers drawn by lot."""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.types import Asked, Picked, Worker


class TwoChoices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two different workers are drawn, and their (queued + running) / limit is compared (Mitzenmacher: IEEE TPDS 2001).
    Nearly as even as looking at all of them, for the price of two looks."""

    def fresh(self, chance: Chance) -> "Pairs":
        return Pairs(chance)


class Pairs:
    __slots__ = ("_chance", "_workers")

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._workers: list[Worker] = []

    def __repr__(self) -> str:
        return f"<Pairs {len(self._workers)} workers>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = sorted(workers, key=attrgetter("name"))

    def pick(self, now: float, asked: Asked) -> Picked:
        workers, chance = self._workers, self._chance
        if len(workers) == 1:
            return Picked(workers[0].name, "the only one")
        one = int(chance.random() * len(workers))
        other = int(chance.random() * (len(workers) - 1))
        if other >= one:
            other += 1
        first, second = workers[min(one, other)], workers[max(one, other)]
        ours = (first.queued + first.running) / first.limit
        theirs = (second.queued + second.running) / second.limit
        return Picked(second.name if theirs < ours else first.name, "less loaded of two")
