"""The fullest worker that has room: others stay empty, and can go."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.placement.shares import Shares


class BinPacking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Best fit: the largest share, of whatever kind is scarcest there, that would be reserved with it; then by name."""

    def fresh(self, chance: Chance) -> Shares:
        return Shares(-1, "the fullest that has room")
