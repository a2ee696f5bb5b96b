"""The one that has become free last: those that are used least come to rest, and can be let go."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.slots.types import Chosen, Sandbox


class Latest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Last in, first out: what it has in its caches is the newest, and the others are what a scaler can do without."""

    def fresh(self, chance: Chance) -> "Stack":
        return Stack()


class Stack:
    __slots__ = ("_free",)

    def __init__(self) -> None:
        self._free: dict[str, None] = {}  # the latest is last

    def __repr__(self) -> str:
        return f"<Stack of {len(self._free)}>"

    def __len__(self) -> int:
        return len(self._free)

    def add(self, sandbox: Sandbox) -> None:
        self._free[sandbox.id] = None

    def discard(self, sandbox: str) -> None:
        self._free.pop(sandbox, None)

    def pick(self) -> Chosen:
        return Chosen(next(reversed(self._free)), "free last")
