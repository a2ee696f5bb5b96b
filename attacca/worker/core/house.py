"""The worker as its keeper sees it: the books themselves, so that whoever looks sees what is so."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attacca.kernel.chance import Chance
from attacca.worker.core.alarms import Alarm, Alarms
from attacca.worker.core.fleet import Function

if TYPE_CHECKING:
    from attacca.worker.core.pool import Pool


class House:
    """It is a `policy.keepalive.types.House`."""

    __slots__ = ("_alarms", "_chance", "_functions", "_pool")

    def __init__(self, pool: "Pool", alarms: Alarms, functions: Mapping[str, Function], chance: Chance | None) -> None:
        self._pool = pool
        self._alarms = alarms
        self._functions = functions
        self._chance = chance

    @property
    def memory_mb(self) -> int:
        return self._pool.budget_mb

    @property
    def used_mb(self) -> int:
        return self._pool.used_mb

    @property
    def idle_mb(self) -> int:
        return self._pool.idle_mb

    @property
    def pressure(self) -> float:
        return self._pool.used_mb / self._pool.budget_mb

    @property
    def chance(self) -> Chance:
        assert self._chance is not None, "nobody gave this worker any chance"
        return self._chance

    def known(self, function: str) -> Function | None:
        return self._functions.get(function)

    def wake_at(self, at: float) -> None:
        self._alarms.set((Alarm.KEEPER, ""), at)
