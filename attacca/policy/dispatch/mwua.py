"""It stays where it was while that does well, and else is drawn by weights that shrink with each disappointment."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.model.accelerators import Compute
from attacca.policy.dispatch.types import BOTH, Asked, Chosen, Forgetful

RATE = 0.3
LEAST_S = 0.1  # what is shorter is not told apart by its share
LEAST_WEIGHT = 1e-6


class Mwua(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Multiplicative weights (Arora, Hazan, Kale: Theory of Computing 2012), as Ilúvatar means it. Of each function:
    cost = 1 - 0.3 (last(previous) - least) / max(last(previous), 0.1), where `last` is the latest time until an answer
    there and `least` the smaller of both; the weight of the previous one is multiplied by that, with that probability
    it is taken again, and else one of both is drawn by weight.

    Ilúvatar divides by the smaller of last and 0.1, so that the cost of all that takes longer falls far below 0.
    """

    def fresh(self, chance: Chance) -> "Weighing":
        return Weighing(chance)


class Weighing(Forgetful):
    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._weights: dict[str, dict[Compute, float]] = {}  # by function
        self._previous: dict[str, Compute] = {}

    def __repr__(self) -> str:
        return f"<Weighing {len(self._weights)} functions>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        weights = self._weights.setdefault(asked.function, dict.fromkeys(BOTH, 1.0))
        previous = self._previous.get(asked.function)
        if previous is not None:
            cost = _cost(asked, previous)
            weights[previous] = max(weights[previous] * cost, LEAST_WEIGHT)
            if self._chance.random() < cost:
                return Chosen((previous,), "where it was before")
        share = weights[Compute.GPU] / sum(weights.values())
        on = Compute.GPU if self._chance.random() < share else Compute.CPU
        self._previous[asked.function] = on
        return Chosen((on,), f"drawn, with {share:.3g} for a device")


def _cost(asked: Asked, previous: Compute) -> float:
    last_s = asked.gpu.last_s if previous is Compute.GPU else asked.cpu.last_s
    least_s = min(asked.cpu.last_s, asked.gpu.last_s)
    return max(0.0, 1 - RATE * (last_s - least_s) / max(last_s, LEAST_S))
