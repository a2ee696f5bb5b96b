"""On a device if that makes it so many times as fast; perhaps only where the answer is expected first then."""

from math import isinf
from typing import Annotated, Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen, Forgetful, by_estimate, speedup

KEPT = 0.9  # of the running average, each time
LOWERED = 0.99  # of the threshold, while the device has next to nothing to do
SHORT, LONG = 1, 3  # queues


class Speedup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `Speedup`: on a device iff cpu / gpu mean execution > `ratio`. With `then` "estimate" its
    `EstSpeedup`: then only where the answer is expected first. `threshold` "average" (its `RunningAvgEstSpeedup`) goes
    by avg = 0.9 avg + 0.1 ratio in place of `ratio`, which is where it starts; "queue" (`QueueAdjustAvgEstSpeedup`)
    lowers the threshold by a hundredth each time the device is chosen with a queue of at most 1, and sets it back at a
    queue of 3 or more.

    What only a processor has run is tried on a device, and does not enter the average.
    """

    ratio: Annotated[float, msgspec.Meta(gt=0)] = 4.0
    then: Literal["gpu", "estimate"] = "gpu"
    threshold: Literal["fixed", "average", "queue"] = "fixed"

    def fresh(self, chance: Chance) -> "Fast":
        return Fast(self)


class Fast(Forgetful):
    def __init__(self, policy: Speedup) -> None:
        self._policy = policy
        self._threshold = policy.ratio

    def __repr__(self) -> str:
        return f"<Fast from {self._threshold:g} times on>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        ratio, policy = speedup(asked), self._policy
        if policy.threshold == "average" and not isinf(ratio):
            self._threshold = KEPT * self._threshold + (1 - KEPT) * ratio
        if ratio <= self._threshold:
            return Chosen(CPU, f"{ratio:.3g} times as fast on a device, and {self._threshold:.3g} are asked for")
        if policy.then == "estimate":
            chosen = by_estimate(asked)
        else:
            chosen = Chosen(GPU, f"{ratio:.3g} times as fast on a device")
        if policy.threshold == "queue" and chosen.on == GPU:
            self._adjust(asked.gpu.queued)
        return chosen

    def _adjust(self, queued: int) -> None:
        if queued <= SHORT:
            self._threshold *= LOWERED
        elif queued >= LONG:
            self._threshold = self._policy.ratio
