"""One of the two by lot."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen, Forgetful


class Random(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `Random`."""

    def fresh(self, chance: Chance) -> "Lot":
        return Lot(chance)


class Lot(Forgetful):
    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def __repr__(self) -> str:
        return "<Lot>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        return Chosen(GPU if self._chance.random() < 0.5 else CPU, "by lot")
