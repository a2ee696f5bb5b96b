"""The worker as its keep-alive policy sees it: the books themselves, so that whoever looks sees what is so."""

from collections.abc import Mapping
from math import inf
from typing import Protocol

from attacca.kernel.chance import Chance
from attacca.model.resources import Resources
from attacca.worker.core.state import Function
from attacca.worker.core.timers import Key, Timer, Timers

KEEPALIVE: Key = (Timer.KEEPALIVE, "")
LEAST_S = 1e-3  # between two awakenings


class Holding(Protocol):
    """What the pool knows of its resources."""

    @property
    def capacity(self) -> Resources: ...
    @property
    def used(self) -> Resources: ...
    def idle(self) -> Resources: ...


class House:
    """It is a `policy.keepalive.types.House`."""

    __slots__ = ("_chance", "_earliest", "_functions", "_pool", "_timers")

    def __init__(self, pool: Holding, timers: Timers, functions: Mapping[str, Function], chance: Chance | None) -> None:
        self._pool = pool
        self._timers = timers
        self._functions = functions
        self._chance = chance
        self._earliest = -inf

    def __repr__(self) -> str:
        return f"<House {len(self._functions)} functions, {self.pressure:.0%} full>"

    @property
    def capacity(self) -> Resources:
        return self._pool.capacity

    @property
    def used(self) -> Resources:
        return self._pool.used

    @property
    def idle(self) -> Resources:
        return self._pool.idle()

    @property
    def pressure(self) -> float:
        return self._pool.used.dominant_share(self._pool.capacity)

    @property
    def chance(self) -> Chance:
        assert self._chance is not None, "nobody gave this worker any chance"
        return self._chance

    def known(self, function: str) -> Function | None:
        return self._functions.get(function)

    def wake_at(self, at: float) -> None:
        """Not at once, when it has just been woken: nothing else would ever have its turn."""
        if at == inf:
            self._timers.clear(KEEPALIVE)
        else:
            self._timers.set(KEEPALIVE, at if at > self._earliest else self._earliest)

    def woken(self, now: float) -> None:
        self._earliest = now + LEAST_S
