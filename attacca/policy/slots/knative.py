"""The first that has a slot, where a sandbox takes few at once; one after the other, where it takes more."""

from typing import Annotated

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.slots.ordered import Ordered
from attacca.policy.slots.types import Chosen, Sandbox

Count = Annotated[int, msgspec.Meta(ge=1)]


class Knative(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Knative's activator picks a pod: up to `few` at once the first with a free slot, above that in turn; where
    there is no limit, the less busy of two that are drawn by lot.

    Here every sandbox has a limit; from `unbounded` on it counts as none. Dirigent compares, of the two, how many they
    have ever had, and takes the one with more; this takes the one that has fewer now.
    """

    few: Count = 3
    unbounded: Count = 1000

    def fresh(self, chance: Chance) -> "Activator":
        return Activator(self, chance)


class Activator(Ordered):
    __slots__ = ("_chance", "_policy")

    def __init__(self, policy: Knative, chance: Chance) -> None:
        super().__init__()
        self._policy = policy
        self._chance = chance

    def pick(self) -> Chosen:
        first = self._sandboxes[self._names[0]]
        if first.limit >= self._policy.unbounded:
            return self._of_two()
        if first.limit <= self._policy.few:
            return Chosen(first.id, "the first that is free")
        return Chosen(self.next(), "its turn")

    def _of_two(self) -> Chosen:
        count = len(self._names)
        if count == 1:
            return Chosen(self._names[0], "the only one")
        one, other = int(self._chance.random() * count), int(self._chance.random() * (count - 1))
        other += other >= one
        first, second = self._at(min(one, other)), self._at(max(one, other))
        return Chosen(second.id if second.taken < first.taken else first.id, "less busy of two")

    def _at(self, place: int) -> Sandbox:
        return self._sandboxes[self._names[place]]
