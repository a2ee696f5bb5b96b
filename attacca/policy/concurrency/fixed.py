"""Always the same number: the cores, unless told otherwise."""

from typing import Annotated

import msgspec

from attacca.policy.concurrency.types import Limit, Load


class Fixed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None  # None: one per core

    @property
    def every_s(self) -> float | None:
        return None

    def first(self, cores: int) -> int:
        return self.count or cores

    def adjust(self, now: float, load: Load) -> Limit:
        return Limit(self.first(load.cores), "fixed")

    def can_skip(self, exec_s: float) -> bool:
        return False
