"""Keep what is used often, slow to make and small; what has not been used for long loses its claim."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from attacca.policy.keepalive.lru import LruState, longest_unused
from attacca.policy.keepalive.rent import RentState
from attacca.policy.keepalive.types import House, Idle, KeepaliveState, Use


class GreedyDual(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GreedyDual-Size-Frequency: priority = clock + frequency * cost / size. The least goes first.

    `cached` is FaasCache (Fuerst and Sharma, ASPLOS'21) as its authors simulate it: whenever a sandbox is made or used
    it and all others of its function get a new priority, with the uses of those that are there now; the clock becomes
    the priority of what was evicted last, and falls again when that was little. The cost is the function's mean cold
    start, as it is known when somebody has to go; theirs was told beforehand.

    With `ever` each sandbox has a priority of its own, from when it came to rest, with all invocations of its function
    so far; and the clock only rises, as in Cao and Irani's GreedyDual-Size (USITS'97).
    """

    frequency: Literal["cached", "ever"] = "cached"

    def fresh(self, house: House) -> KeepaliveState:
        return CachedState(house) if self.frequency == "cached" else RentState(worth)


def worth(idle: Idle) -> float:
    return idle.uses * idle.cold_s / idle.resources.memory_mb


class CachedState(LruState):
    """As in RentState, a departure is an eviction only if the sandbox was the least of those last asked about."""

    __slots__ = ("_asked", "_house", "_marks", "clock")

    def __init__(self, house: House) -> None:
        self._house = house
        self.clock = 0.0
        self._marks: dict[str, tuple[float, int]] = {}  # by function: clock and frequency at its last use
        self._asked: dict[str, float] = {}  # those of the last `victims` that still rest

    def __repr__(self) -> str:
        return f"<CachedState {len(self._marks)} functions, clock {self.clock:g}>"

    def made(self, now: float, function: str) -> None:
        """Who waits for it uses it from now on."""
        self._marks[function] = (self.clock, self._uses(function) + 1)

    def began(self, now: float, use: Use) -> None:
        clock = self._marks[use.function][0] if use.pended and use.function in self._marks else self.clock
        self._marks[use.function] = (clock, self._uses(use.function))

    def became_busy(self, now: float, idle: Idle) -> None:
        self._asked.pop(idle.sandbox, None)

    def victims(self, now: float, idle: Iterable[Idle]) -> list[Idle]:
        ordered = sorted(idle, key=lambda one: (self.priority(one), *longest_unused(one)))
        self._asked = {one.sandbox: self.priority(one) for one in ordered}
        return ordered

    def evicted(self, now: float, idle: Idle) -> None:
        priority = self._asked.pop(idle.sandbox, None)
        if priority is not None and all(priority <= other for other in self._asked.values()):
            self.clock = priority

    def priority(self, idle: Idle) -> float:
        """Equal for all of a function, whenever they came to rest."""
        clock, frequency = self._marks.get(idle.function, (self.clock, 0))
        known = self._house.known(idle.function)
        cost_s = idle.cold_s if known is None else known.cold_s.ewma
        return clock + frequency * cost_s / idle.resources.memory_mb

    def _uses(self, function: str) -> int:
        known = self._house.known(function)
        return 0 if known is None else known.cached_uses + known.pending
