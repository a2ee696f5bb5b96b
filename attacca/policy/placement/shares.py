"""Workers by the share of them that is taken: what `least_loaded` and `bin_packing` have in common."""

from collections.abc import Sequence

from attacca.policy.placement.room import by_name, has_room, no_room, share_with
from attacca.policy.placement.types import Ask, NoRoom, Placed, Worker


class Shares:
    """`sign`: 1 for the smallest share, -1 for the largest."""

    __slots__ = ("_sign", "_why", "_workers")

    def __init__(self, sign: int, why: str) -> None:
        self._sign, self._why = sign, why
        self._workers: list[Worker] = []

    def __repr__(self) -> str:
        return f"<Shares {len(self._workers)} workers>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = by_name(workers)

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        best, least = "", 0.0
        for worker in self._workers:
            if has_room(worker, ask):
                share = self._sign * share_with(worker, ask)
                if not best or share < least:
                    best, least = worker.name, share
        return Placed(best, f"{self._why}: {abs(least):.0%} of it with this") if best else no_room(self._workers, ask)
