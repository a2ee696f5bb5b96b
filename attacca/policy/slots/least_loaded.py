"""The one with the smallest share of its slots taken."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.slots.least import Least
from attacca.policy.slots.types import Sandbox


class LeastLoaded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Taken over limit, by this gateway's own count; equals go by name. Of those that take one at once all that are
    free are equal, so the same few are used, and the others rest."""

    def fresh(self, chance: Chance) -> "Lightest":
        return Lightest("least loaded")


class Lightest(Least):
    __slots__ = ()

    def key(self, sandbox: Sandbox) -> float:
        return sandbox.taken / sandbox.limit
