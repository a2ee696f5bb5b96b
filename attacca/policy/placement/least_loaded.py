"""The worker of which the smallest share is reserved, so that each keeps room."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.placement.shares import Shares


class LeastLoaded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Worst fit: the smallest share, of whatever kind is scarcest there, that would be reserved with it; then by name.
    Unlike `kubernetes`, all workers are looked at, and nothing is balanced."""

    def fresh(self, chance: Chance) -> Shares:
        return Shares(1, "the emptiest")
