"""Any worker that has room, each as likely as the other."""

from collections.abc import Sequence

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.placement.room import by_name, drawn, no_room
from attacca.policy.placement.types import Ask, NoRoom, Placed, Worker


class Random(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Workers are drawn until one has room, so a decision costs as much among many as among few. Dirigent's `random`
    does not ask whether there is room."""

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
        self._workers = by_name(workers)

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        worker = drawn(self._workers, ask, self._chance)
        return no_room(self._workers, ask) if worker is None else Placed(worker.name, "drawn by lot")
