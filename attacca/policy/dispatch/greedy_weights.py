"""On devices the functions that save the most time there, looked through every few seconds."""

from typing import Annotated, Literal

import msgspec

from attacca.kernel.chance import Chance
from attacca.policy.dispatch.types import CPU, GPU, Asked, Chosen, Forgetful, by_estimate

RARE_S = 100.0  # between arrivals, where that is unknown


class GreedyWeights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `GreedyWeights`. Every `every_s` functions are sorted by (cpu - gpu mean execution) / gap between
    arrivals, which is 100 s if unknown, the largest first. Of those that are allowed the upper half goes to devices and
    the lower half where the answer is expected first; all others go to processors. `fixed`: all that are allowed go to
    devices. Allowed are the first quarter, the first third, the first `size`, or as many as load devices with `load`
    together, of gpu mean execution / gap each; and never more than devices have slots.

    Its `QueueTput` and `Incremental`, which go by how much a queue gets through, are not here.
    """

    allow: Literal["quarter", "third", "size", "load"] = "quarter"
    size: Annotated[int, msgspec.Meta(ge=1)] = 10
    load: Annotated[float, msgspec.Meta(gt=0)] = 3.0
    fixed: bool = False
    every_s: Annotated[float, msgspec.Meta(gt=0)] = 3.0

    def fresh(self, chance: Chance) -> "Sorted":
        return Sorted(self)


class Sorted(Forgetful):
    def __init__(self, policy: GreedyWeights) -> None:
        self._policy = policy
        self._known: dict[str, Asked] = {}  # by function, as it was asked for last
        self._looked_at = float("-inf")
        self._allowed: dict[str, int] = {}  # by function: its place

    def __repr__(self) -> str:
        return f"<Sorted {len(self._known)} functions, {len(self._allowed)} allowed>"

    def choose(self, now: float, asked: Asked) -> Chosen:
        self._known[asked.function] = asked
        if now - self._looked_at >= self._policy.every_s:
            self._looked_at = now
            self._look(asked.gpu.slots)
        place = self._allowed.get(asked.function)
        if place is None:
            return Chosen(CPU, "others save more on a device")
        if self._policy.fixed or 2 * place < len(self._allowed):
            return Chosen(GPU, f"saves the most but {place} on a device")
        return by_estimate(asked)

    def _look(self, slots: int) -> None:
        saving = sorted(self._known.values(), key=_saving)
        allowed, load = [], 0.0
        for asked in saving[: self._most(len(saving), slots)]:
            load += asked.gpu.exec_s / (asked.gap_s or RARE_S)
            if self._policy.allow == "load" and load > self._policy.load:
                break
            allowed.append(asked.function)
        self._allowed = {function: place for place, function in enumerate(allowed)}

    def _most(self, count: int, slots: int) -> int:
        match self._policy.allow:
            case "quarter":
                most = -(-count // 4)
            case "third":
                most = -(-count // 3)
            case "size":
                most = self._policy.size
            case "load":
                most = count
        return min(most, slots)


def _saving(asked: Asked) -> tuple[float, str]:
    """The most first."""
    return -(asked.cpu.exec_s - asked.gpu.exec_s) / (asked.gap_s or RARE_S), asked.function
