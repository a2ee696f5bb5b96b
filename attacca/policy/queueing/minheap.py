"""The function with the shortest expected execution first."""

from typing import Annotated

import msgspec

from attacca.policy.queueing.heap import HeapQueue
from attacca.policy.queueing.types import Waiting


class MinHeap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Key: the moving average of execution times; unknown counts as 0 and goes first (Ilúvatar's `minheap`).

    Long functions starve while short ones keep coming, unless `ageing` takes that many seconds off the key for every
    second of waiting. All keys shrink at the same pace, so their order is still fixed at insertion.
    """

    ageing: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # 0: as in Ilúvatar; 1: the same as minheap_ed

    def fresh(self) -> HeapQueue:
        return HeapQueue(self)

    def key(self, item: Waiting) -> float:
        return item.exec_s + self.ageing * item.arrived

    def why(self, item: Waiting) -> str:
        return (
            f"shortest expected execution, {item.exec_s * 1e3:.0f} ms"
            if item.exec_s
            else "execution time not known yet"
        )
