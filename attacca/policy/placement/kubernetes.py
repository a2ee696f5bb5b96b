"""Where most stays free, and in equal parts of every kind: what the scheduler of Kubernetes goes by."""

from collections.abc import Sequence
from math import inf, sqrt

import msgspec

from attacca.kernel.chance import Chance
from attacca.model.resources import KINDS, Resources
from attacca.policy.placement.room import by_name, no_room
from attacca.policy.placement.types import Ask, NoRoom, Placed, Worker

FEW = 100  # so many are all looked at
NO_ROOM = -1  # points of whoever has none
SIZES = 64  # of sandboxes for which points are remembered


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
    """Points are worked out anew where what is reserved is another object than it was: between two decisions that is so
    of a few workers, and hundreds are looked at."""

    __slots__ = ("_chance", "_kinds", "_next", "_points", "_workers")

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._workers: list[Worker] = []
        self._points: dict[Resources, list[tuple[Resources | None, int]]] = {}  # by size: of what was reserved
        self._kinds: list[list[str]] = []  # of each: those that it bounds
        self._next = 0

    def __repr__(self) -> str:
        return f"<Scores {len(self._workers)} workers, {candidates(len(self._workers))} looked at>"

    def among(self, workers: Sequence[Worker]) -> None:
        self._workers = by_name(workers)
        self._kinds = [[kind for kind in KINDS if 0 < getattr(one.capacity, kind) < inf] for one in self._workers]
        self._next = 0
        self._points.clear()

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        workers, count = self._workers, len(self._workers)
        wanted, avoid, known = candidates(count), ask.avoid, self._of_size(ask.resources)
        at, looked, best, equals, chosen = self._next, 0, -1, 0, ""
        for _ in range(count):
            place, worker = at, workers[at]
            at = at + 1 if at + 1 < count else 0
            reserved = worker.reserved
            held, score = known[place]
            if held is not reserved:
                score = self._score(place, reserved + ask.resources)
                known[place] = reserved, score
            if score < 0 or worker.is_cordoned or (avoid and worker.name in avoid):
                continue
            looked += 1
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

    def _of_size(self, resources: Resources) -> list[tuple[Resources | None, int]]:
        known = self._points.get(resources)
        if known is None:
            if len(self._points) == SIZES:
                self._points.clear()
            known = self._points[resources] = [(None, NO_ROOM)] * len(self._workers)
        return known

    def _score(self, place: int, taken: Resources) -> int:
        capacity = self._workers[place].capacity
        return points(taken, capacity, self._kinds[place]) if taken.fits(capacity) else NO_ROOM


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
