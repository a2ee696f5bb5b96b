"""One worker after the other, in the order of their names; who has no room is passed over."""

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.placement.room import by_name, has_room, no_room
from attacca.policy.placement.types import Ask, NoRoom, Placed, Worker


class RoundRobin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The turn goes on from the last name, whoever joins or leaves. Dirigent's goes by a counter, modulo however many
    there are, and does not ask whether there is room."""

    def fresh(self, chance: Chance) -> "Turns":
        return Turns()


class Turns:
    __slots__ = ("_last", "_names", "_workers")

    def __init__(self) -> None:
        self._workers: list[Worker] = []
        self._names: list[str] = []
        self._last = ""  # before every name

    def __repr__(self) -> str:
        return f"<Turns {len(self._workers)} workers, last {self._last or 'nobody'}>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = by_name(workers)
        self._names = [worker.name for worker in self._workers]

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        workers, count = self._workers, len(self._workers)
        place = bisect_right(self._names, self._last)
        for passed in range(count):
            worker = workers[(place + passed) % count]
            if has_room(worker, ask):
                self._last = worker.name
                return Placed(worker.name, f"its turn: {passed} before it could not" if passed else "its turn")
        return no_room(workers, ask)
