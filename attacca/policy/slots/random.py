"""Any of them, each as likely as the other."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.slots.types import Chosen, Sandbox


class Random(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One draw, however many there are."""

    def fresh(self, chance: Chance) -> "Urn":
        return Urn(chance)


class Urn:
    """In no order: who leaves gives its place to the last."""

    __slots__ = ("_chance", "_names", "_places")

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._names: list[str] = []
        self._places: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Urn of {len(self._names)}>"

    def __len__(self) -> int:
        return len(self._names)

    def add(self, sandbox: Sandbox) -> None:
        if sandbox.id not in self._places:
            self._places[sandbox.id] = len(self._names)
            self._names.append(sandbox.id)

    def discard(self, sandbox: str) -> None:
        place = self._places.pop(sandbox, None)
        if place is None:
            return
        last = self._names.pop()
        if last != sandbox:
            self._names[place] = last
            self._places[last] = place

    def pick(self) -> Chosen:
        return Chosen(self._names[int(self._chance.random() * len(self._names))], "drawn by lot")
