"""Each function stays at its place on a ring of workers, and goes round the ring past those that have their fill."""

from collections.abc import Sequence
from math import ceil
from typing import Annotated

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.balancing.ring import Ring
from attacca.policy.balancing.types import Asked, Picked, Worker


class ChBl(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam: SODA 2018).

    With m invocations under way, this one among them, a worker takes at most ceil((1 + excess) * m * share), where its
    share is its part of all cores. The first on the ring after the function's place that is below that gets it. As the
    bounds add up to more than m, there is always one.
    """

    excess: Annotated[float, msgspec.Meta(gt=0)] = 0.25  # epsilon in the paper
    vnodes: Annotated[int, msgspec.Meta(ge=1)] = 16  # places of each worker

    def fresh(self, chance: Chance) -> "Bounded":
        return Bounded(self)


class Bounded:
    __slots__ = ("_cores", "_excess", "_ring", "_workers")

    def __init__(self, policy: ChBl) -> None:
        self._excess = policy.excess
        self._ring = Ring(policy.vnodes)
        self._workers: list[Worker] = []
        self._cores = 0

    def __repr__(self) -> str:
        return f"<Bounded {len(self._workers)} workers>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = list(workers)
        self._ring.among(workers)

    def pick(self, now: float, asked: Asked) -> Picked:
        under_way, cores = 1, 0
        for worker in self._workers:
            under_way += worker.queued + worker.running
            cores += worker.cores
        fill = (1 + self._excess) * under_way / cores
        for passed, worker in enumerate(self._ring.after(asked.function)):
            if worker.queued + worker.running < ceil(fill * worker.cores):
                return Picked(worker.name, f"{passed} before it have their fill" if passed else "first on the ring")
        raise AssertionError("the bounds of all workers add up to less than what is under way")
