"""On a device what is called at least as often as functions are on average."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen, Forgetful


class TopAverage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `TopAvg`: on a device iff the mean gap between the function's arrivals is at most the mean of all such
    gaps that were seen. A function that has arrived once has none, and goes to a processor."""

    def fresh(self, chance: Chance) -> "Gaps":
        return Gaps()


class Gaps(Forgetful):
    def __init__(self) -> None:
        self._seen: dict[str, float] = {}  # by function: the latest mean gap
        self._sum_s = 0.0

    def __repr__(self) -> str:
        return f"<Gaps of {len(self._seen)} functions>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        if not asked.gap_s:
            return Chosen(CPU, "nobody knows how often it is called")
        self._sum_s += asked.gap_s - self._seen.get(asked.function, 0.0)
        self._seen[asked.function] = asked.gap_s
        mean_s = self._sum_s / len(self._seen)
        why = f"called every {asked.gap_s:.3g} s, functions on average every {mean_s:.3g} s"
        return Chosen(GPU if asked.gap_s <= mean_s * (1 + 1e-9) else CPU, why)
