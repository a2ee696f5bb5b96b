"""One after the other, in the order of their names; who is full is passed over."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.slots.ordered import Ordered
from attacca.policy.slots.types import Chosen


class RoundRobin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The turn goes on from the last name, whoever comes or goes."""

    def fresh(self, chance: Chance) -> "Turns":
        return Turns()


class Turns(Ordered):
    __slots__ = ()

    def pick(self) -> Chosen:
        return Chosen(self.next(), "its turn")
