"""Any worker that has room, as likely as it can compute."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.placement.room import by_name, has_room, no_room
from attacca.policy.placement.types import Ask, NoRoom, Placed, Worker


class Computing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """EDGELESS's `Random`, with the weights of its `formula`; a weight of 0 counts for 1:

    - "product": processors * cores * MHz, as its documentation says;
    - "larger": max(processors, cores) * MHz, as its code does.

    EDGELESS asks neither for room nor for memory; a worker without room is not drawn here.
    """

    formula: Literal["product", "larger"] = "product"

    def fresh(self, chance: Chance) -> "Drawn":
        return Drawn(self.formula == "product", chance)


class Drawn:
    __slots__ = ("_chance", "_is_product", "_workers")

    def __init__(self, is_product: bool, chance: Chance) -> None:  # noqa: FBT001 - of two formulas
        self._is_product, self._chance = is_product, chance
        self._workers: list[tuple[Worker, float]] = []

    def __repr__(self) -> str:
        return f"<Drawn {len(self._workers)} workers, of weight {sum(weight for _, weight in self._workers):g}>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = [(worker, self._weight(worker)) for worker in by_name(workers)]

    def _weight(self, worker: Worker) -> float:
        it = worker.machine
        count = it.processors * it.cores if self._is_product else max(it.processors, it.cores)
        return count * it.mhz or 1.0

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        able = [(worker, weight) for worker, weight in self._workers if has_room(worker, ask)]
        if not able:
            return no_room([worker for worker, _ in self._workers], ask)
        left = self._chance.random() * sum(weight for _, weight in able)
        for worker, weight in able:
            left -= weight
            if left < 0:
                return Placed(worker.name, f"drawn by lot, with the weight {weight:g}")
        return Placed(able[-1][0].name, "the last that has room")
