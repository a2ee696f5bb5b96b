"""Always the same number."""

from typing import Annotated, ClassVar

import msgspec

from attacca.policy.scaling.types import Demand, Scaled


class Fixed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    is_firm: ClassVar[bool] = True
    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1

    def fresh(self) -> "Unmoved":
        return Unmoved(self.count)


class Unmoved:
    __slots__ = ("_said",)

    def __init__(self, count: int) -> None:
        self._said = Scaled(count, "fixed")

    def __repr__(self) -> str:
        return f"<Unmoved at {self._said.wanted}>"

    def ask(self, now: float, demand: Demand) -> Scaled:
        return self._said
