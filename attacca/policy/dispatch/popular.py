"""On a device what is a large share of all that comes, or what is a small one."""

from typing import Annotated, Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen, Forgetful, by_estimate

SHORT = 2  # a queue


class Popular(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `Popular` (share >= 0.15) and, with `which` "rare", its `LeastPopular` (<= 0.15). With `then`
    "estimate", its `PopularEstTimeDispatch`: then only where the answer is expected first; with "short_queue", its
    `PopularQueueLenDispatch`: then only if at most 2 wait for a device."""

    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.15
    which: Literal["popular", "rare"] = "popular"
    then: Literal["gpu", "estimate", "short_queue"] = "gpu"

    def fresh(self, chance: Chance) -> "Fans":
        return Fans(self)


class Fans(Forgetful):
    def __init__(self, policy: Popular) -> None:
        self._policy = policy

    def __repr__(self) -> str:
        return f"<Fans of {self._policy.share:g}>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        policy, share = self._policy, asked.share
        why = f"{share:.3g} of all that comes"
        if not (share >= policy.share if policy.which == "popular" else share <= policy.share):
            return Chosen(CPU, why)
        if policy.then == "estimate":
            return by_estimate(asked)
        if policy.then == "short_queue" and asked.gpu.queued > SHORT:
            return Chosen(CPU, f"{why}, but {asked.gpu.queued} wait for a device")
        return Chosen(GPU, why)
