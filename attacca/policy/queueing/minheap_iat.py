"""The function that is called most often first."""

from typing import Annotated

import msgspec

from attacca.policy.queueing.heap import HeapQueue
from attacca.policy.queueing.types import Waiting


class MinHeapIat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Key: the moving average of the gaps between a function's arrivals; unknown counts as 0 and goes first
    (Ilúvatar's `minheap_iat`). Rare functions starve among frequent ones unless `ageing` takes that many seconds off
    the key for every second of waiting.
    """

    ageing: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # 0: as in Ilúvatar

    def fresh(self) -> HeapQueue:
        return HeapQueue(self)

    def key(self, item: Waiting) -> float:
        return item.gap_s + self.ageing * item.arrived

    def why(self, item: Waiting) -> str:
        return f"most frequent arrivals, every {item.gap_s:.3g} s" if item.gap_s else "arrival gap not known yet"
