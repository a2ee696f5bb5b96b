"""The state behind greedy_dual and landlord: room has a price, and who cannot pay it any longer goes."""

from collections.abc import Callable, Iterable

from attacca.policy.keepalive.lru import LruState, longest_unused
from attacca.policy.keepalive.types import Expiry, Idle


class RentState(LruState):
    """A sandbox that comes to rest is good for `paid` plus its worth. Whoever is good for least goes first, and
    `paid` rises to what it was good for: everybody else has lost that much, without being touched.

    Nothing expires by itself. A departure counts as an eviction, and moves `paid`, only if the sandbox was the least
    of those last asked about: one that crashed or was sent away out of turn says nothing about the price of room.
    """

    __slots__ = ("_asked", "_good", "_worth", "paid")

    def __init__(self, worth: Callable[[Idle], float]) -> None:
        self._worth = worth
        self.paid = 0.0
        self._good: dict[str, float] = {}  # by resting sandbox
        self._asked: dict[str, float] = {}  # those of the last `victims` that still rest

    def __repr__(self) -> str:
        return f"<RentState {len(self._good)} resting, paid {self.paid:g}>"

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        self._good[idle.sandbox] = self.paid + self._worth(idle)
        return None

    def became_busy(self, now: float, idle: Idle) -> None:
        self._good.pop(idle.sandbox, None)
        self._asked.pop(idle.sandbox, None)

    def victims(self, now: float, idle: Iterable[Idle]) -> list[Idle]:
        ordered = sorted(idle, key=lambda one: (self.good_for(one), *longest_unused(one)))
        self._asked = {one.sandbox: self.good_for(one) for one in ordered}
        return ordered

    def evicted(self, now: float, idle: Idle) -> None:
        self._good.pop(idle.sandbox, None)
        good = self._asked.pop(idle.sandbox, None)
        if good is not None and good > self.paid and all(good <= other for other in self._asked.values()):
            self.paid = good

    def good_for(self, idle: Idle) -> float:
        good = self._good.get(idle.sandbox)
        return self.paid + self._worth(idle) if good is None else good
