"""Where a template of the function waits already, else where its code lies, else the emptier of two drawn by lot."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.placement.room import by_name, drawn, has_room, no_room, share_with
from attacca.policy.placement.types import Ask, Near, NoRoom, Placed, Worker

WHY = {Near.PEER: "has those with whom it speaks", Near.TEMPLATE: "has a template of it", Near.CODE: "has its code"}


class Locality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of those that have as much of it, the one of which the smallest share is reserved (of whatever kind is scarcest
    there), then by name; that looks at those that have something of it, not at all. At most `most_share` of such a
    worker is to be reserved with it: what is all in one place waits for its memory and cores, and dies with it."""

    most_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9

    def fresh(self, chance: Chance) -> "Nearest":
        return Nearest(self, chance)


class Nearest:
    __slots__ = ("_by_name", "_chance", "_most_share", "_workers")

    def __init__(self, policy: Locality, chance: Chance) -> None:
        self._most_share = policy.most_share
        self._chance = chance
        self._workers: list[Worker] = []
        self._by_name: dict[str, Worker] = {}

    def __repr__(self) -> str:
        return f"<Nearest {len(self._workers)} workers>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = by_name(workers)
        self._by_name = {worker.name: worker for worker in workers}

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        best: tuple[int, float, str] | None = None
        for name, near in ask.near.items():
            worker = self._by_name.get(name)
            if worker is None or near is Near.NOTHING or not has_room(worker, ask):
                continue
            share = share_with(worker, ask)
            if share <= self._most_share and (best is None or (-near, share, name) < best):
                best = -near, share, name
        if best is not None:
            return Placed(best[2], WHY[Near(-best[0])])
        return self._anywhere(ask)

    def _anywhere(self, ask: Ask) -> Placed | NoRoom:
        one = drawn(self._workers, ask, self._chance)
        if one is None:
            return no_room(self._workers, ask)
        other = drawn(self._workers, ask, self._chance)
        assert other is not None, "one has room"
        emptier = min(one, other, key=lambda worker: (share_with(worker, ask), worker.name))
        return Placed(emptier.name, "nobody near has room: emptier of two")
