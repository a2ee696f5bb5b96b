"""One more while the machine copes, half of the surplus less when it does not."""

from typing import Annotated

import msgspec

from attacca.policy.concurrency.types import Limit, Load

Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class Aimd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Additive increase, multiplicative decrease of what exceeds `count`, as in Ilúvatar's CPU overcommitment: at every
    check, a load per core above `max_load` takes ceil((limit - count) / 2) off the limit, never below `count`; any
    other load adds 1, up to `max_oversubscribe`. Ilúvatar leaves all parameters to its user: the defaults are ours.
    """

    count: Count | None = None  # None: one per core
    check_s: Positive = 1.0
    max_load: Positive = 1.0  # 1-minute load average per core
    max_oversubscribe: Count | None = None  # the highest limit; None: four times `count`

    @property
    def every_s(self) -> float | None:
        return self.check_s

    def first(self, cores: int) -> int:
        return self.count or cores

    def adjust(self, now: float, load: Load) -> Limit:
        least = self.first(load.cores)
        most = max(least, self.max_oversubscribe or 4 * least)
        if load.load_per_core > self.max_load:
            fewer = (load.limit - least + 1) // 2
            return Limit(min(most, max(least, load.limit - fewer)), f"load per core above {self.max_load:g}")
        if load.limit >= most:
            return Limit(most, "at the highest limit")
        return Limit(max(least, load.limit + 1), f"load per core not above {self.max_load:g}")

    def can_skip(self, exec_s: float) -> bool:
        return False
