"""The earliest expected end first: arrival plus expected execution."""

import msgspec

from attacca.policy.queueing.heap import HeapQueue
from attacca.policy.queueing.types import Waiting


class MinHeapEd(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Key: arrival plus the moving average of execution times (Ilúvatar's `minheap_ed`).

    Nothing starves: one that arrives later than another one's key always comes after it.
    """

    def fresh(self) -> HeapQueue:
        return HeapQueue(self)

    def key(self, item: Waiting) -> float:
        return item.arrived + item.exec_s

    def why(self, item: Waiting) -> str:
        return "earliest expected end"
