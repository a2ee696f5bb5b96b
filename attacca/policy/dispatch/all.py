"""It waits for both, and runs where it can begin first."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import BOTH, Asked, Chosen, Forgetful


class All(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `All`, its default."""

    def fresh(self, chance: Chance) -> "Everywhere":
        return Everywhere()


class Everywhere(Forgetful):
    def __repr__(self) -> str:
        return "<Everywhere>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        return Chosen(BOTH, "where it can begin first")
