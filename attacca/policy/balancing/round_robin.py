"""One worker after the other, in the order of their names."""

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.types import Asked, Picked, Worker


class RoundRobin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The turn goes on from the last name, whoever joins or leaves."""

    def fresh(self, chance: Chance) -> "Turns":
        return Turns()


class Turns:
    __slots__ = ("_last", "_names")

    def __init__(self) -> None:
        self._names: list[str] = []
        self._last = ""  # before every name

    def __repr__(self) -> str:
        return f"<Turns {len(self._names)} workers, last {self._last or 'nobody'}>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._names = sorted(worker.name for worker in workers)

    def pick(self, now: float, asked: Asked) -> Picked:
        place = bisect_right(self._names, self._last)
        self._last = self._names[place if place < len(self._names) else 0]
        return Picked(self._last, "its turn")
