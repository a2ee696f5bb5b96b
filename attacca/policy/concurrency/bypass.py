"""A fixed number, which short functions may exceed when they need no new sandbox."""

from typing import Annotated

import msgspec

from attacca.policy.concurrency.types import Limit, Load


class Bypass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's queue bypass: a function whose mean execution is known and below `below_s` does not wait behind long
    ones, but only goes into an idle sandbox. The default of `below_s` is ours."""

    count: Annotated[int, msgspec.Meta(ge=1)] | None = None  # None: one per core
    below_s: Annotated[float, msgspec.Meta(gt=0)] = 0.01

    @property
    def every_s(self) -> float | None:
        return None

    def first(self, cores: int) -> int:
        return self.count or cores

    def adjust(self, now: float, load: Load) -> Limit:
        return Limit(self.first(load.cores), "fixed")

    def can_skip(self, exec_s: float) -> bool:
        return 0 < exec_s < self.below_s
