"""First come, first served."""

import msgspec

from attacca.policy.queueing.heap import HeapQueue
from attacca.policy.queueing.types import Waiting


class Fcfs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Key: the arrival. One that is pushed again gets its old place back."""

    def fresh(self) -> HeapQueue:
        return HeapQueue(self)

    def key(self, item: Waiting) -> float:
        return item.arrived

    def why(self, item: Waiting) -> str:
        return "came first"
