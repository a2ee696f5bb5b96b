"""Know every arrival to come: the bound that no real policy passes. Only a simulation can know that."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import inf

import msgspec

from attacca.errors import BadConfig
from attacca.policy.keepalive.lru import LruKeeper
from attacca.policy.keepalive.types import Expiry, Idle


class Oracle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Belady's rule (IBM Systems Journal 1966): when room is needed, what is used again last goes first. It is optimal
    for sandboxes of one size; of several sizes, the one goes first that would hold most memory for longest until then.
    What is never used again goes at once.
    """

    def fresh(self) -> "OracleKeeper":
        raise BadConfig("keep-alive policy 'oracle' has to know the future", "simulate it: attacca sim run")


class Foresight:
    """An oracle that was told. `arrivals`: by function, ascending."""

    def __init__(self, arrivals: Mapping[str, Sequence[float]]) -> None:
        self._arrivals = arrivals

    def fresh(self) -> "OracleKeeper":
        return OracleKeeper(self._arrivals)


class OracleKeeper(LruKeeper):
    __slots__ = ("_arrivals",)

    def __init__(self, arrivals: Mapping[str, Sequence[float]]) -> None:
        self._arrivals = arrivals

    def rested(self, now: float, idle: Idle) -> Expiry | None:
        return Expiry(now, "never called again") if self._next(now, idle.function, 0) == inf else None

    def victims(self, now: float, idle: Iterable[Idle]) -> list[Idle]:
        """Of several of one function the one that came to rest last is used first."""
        held: dict[str, float] = {}
        turns: dict[str, int] = {}
        ordered = sorted(idle, key=lambda one: (-one.idle_since, one.sandbox))
        for one in ordered:
            turn = turns[one.function] = turns.get(one.function, -1) + 1
            held[one.sandbox] = one.memory_mb * (self._next(now, one.function, turn) - now)
        return sorted(ordered, key=lambda one: (-held[one.sandbox], one.sandbox))

    def _next(self, now: float, function: str, turn: int) -> float:
        arrivals = self._arrivals.get(function, ())
        place = bisect_right(arrivals, now) + turn
        return arrivals[place] if place < len(arrivals) else inf
