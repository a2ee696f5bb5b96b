"""The one that has been given the fewest invocations so far."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.slots.least import Least
from attacca.policy.slots.types import Sandbox


class LeastProcessed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Dirigent's policy of this name, by this gateway's own count: a new sandbox gets all until it has caught up."""

    def fresh(self, chance: Chance) -> "Fewest":
        return Fewest("fewest so far")


class Fewest(Least):
    __slots__ = ()

    def key(self, sandbox: Sandbox) -> float:
        return float(sandbox.served)
