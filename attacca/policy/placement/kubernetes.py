"""Where most stays free, and in equal parts of every kind: what the scheduler of Kubernetes goes by."""

from collections.abc import Sequence
from math import inf, sqrt

import msgspec

from attacca.kernel.chance import Chance
from attacca.model.resources import KINDS, Resources
from attacca.policy.placement.room import by_name, no_room
from attacca.policy.placement.types import Ask, NoRoom, Placed, Worker

FEW = 100  # so many are all looked at


class Kubernetes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """kube-scheduler's NodeResourcesFit (LeastAllocated) and NodeResourcesBalancedAllocation, of equal weight, as
    Dirigent has them. With what the new sandbox would take counted in, for each kind that the worker bounds:

    - least allocated: the mean of (capacity - reserved) * 100 / capacity, both rounded down;
    - balanced: (1 - deviation) * 100 rounded down, the standard deviation of the shares reserved / capacity.

    The highest sum has it; equals are drawn by lot. Among n > 100 workers only max(100, n * max(5, 50 - n / 125) / 100)
    that have room are looked at, each decision beginning where the last one stopped.
    """

    def fresh(self, chance: Chance) -> "Scores":
        return Scores(chance)


class Scores:
    __slots__ = ("_chance", "_kinds", "_next", "_workers")

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._workers: list[Worker] = []
        self._kinds: list[list[str]] = []  # of each: those that it bounds
        self._next = 0

    def __repr__(self) -> str:
        return f"<Scores {len(self._workers)} workers, {candidates(len(self._workers))} looked at>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = by_name(workers)
        self._kinds = [[kind for kind in KINDS if 0 < getattr(one.capacity, kind) < inf] for one in self._workers]
        self._next = 0

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        workers, count = self._workers, len(self._workers)
        wanted, resources, avoid = candidates(count), ask.resources, ask.avoid
        at, looked, best, equals, chosen = self._next, 0, -1, 0, ""
        for _ in range(count):
            worker, kinds = workers[at], self._kinds[at]
            at = at + 1 if at + 1 < count else 0
            if worker.is_cordoned or worker.name in avoid:
                continue
            taken = worker.reserved + resources
            if not taken.fits(worker.capacity):
                continue
            looked += 1
            score = points(taken, worker.capacity, kinds)
            if score > best:
                best, equals, chosen = score, 1, worker.name
            elif score == best:
                equals += 1
                if self._chance.random() * equals < 1:  # so each of the equals is as likely
                    chosen = worker.name
            if looked == wanted:
                break
        self._next = at
        return Placed(chosen, f"{best} of 200 points, of {looked} that have room") if looked else no_room(workers, ask)


def candidates(count: int) -> int:
    """How many of so many are scored: kube-scheduler's numFeasibleNodesToFind."""
    if count < FEW:
        return count
    return max(FEW, count * max(5, 50 - count // 125) // 100)


def points(taken: Resources, capacity: Resources, kinds: Sequence[str]) -> int:
    """From 0 to 200."""
    if len(kinds) == 1:  # nothing to balance
        whole = getattr(capacity, kinds[0])
        return int((whole - getattr(taken, kinds[0])) * 100 / whole) + 100
    least, shares = 0, []
    for kind in kinds:
        whole, held = getattr(capacity, kind), getattr(taken, kind)
        least += int((whole - held) * 100 / whole)
        shares.append(min(held / whole, 1.0))
    if not shares:
        return 200
    return least // len(shares) + int((1 - deviation(shares)) * 100)


def deviation(shares: Sequence[float]) -> float:
    if len(shares) == 2:
        return abs(shares[0] - shares[1]) / 2
    mean = sum(shares) / len(shares)
    return sqrt(sum((share - mean) ** 2 for share in shares) / len(shares))
