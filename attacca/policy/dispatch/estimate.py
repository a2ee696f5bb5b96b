"""Where the answer is expected first: what waits there, and how it would start."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import Asked, Chosen, Forgetful, by_estimate


class Estimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `EstCompTime`: the smaller estimated completion, which is what waits there, for each slot, and the
    mean time until the answer by the best sandbox at hand."""

    def fresh(self, chance: Chance) -> "ByEstimate":
        return ByEstimate()


class ByEstimate(Forgetful):
    def __repr__(self) -> str:
        return "<ByEstimate>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        return by_estimate(asked)
