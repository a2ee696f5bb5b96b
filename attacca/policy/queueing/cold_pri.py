"""What can start soonest first: a warm sandbox before a prewarmed one before none, by what each is expected to take."""

from typing import Annotated

import msgspec

from attacca.policy.queueing.heap import HeapQueue
from attacca.policy.queueing.types import Waiting


class ColdPri(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Key, by the best idle sandbox on arrival: warm, 0 if the function is running already, else its warm time;
    prewarmed, its prewarmed time; none, its cold time (Ilúvatar's `cold_pri`). Times are moving averages; unknown
    counts as 0. Cold starts starve among warm ones unless `ageing` takes that many seconds off the key for every
    second of waiting.
    """

    ageing: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # 0: as in Ilúvatar

    def fresh(self) -> HeapQueue:
        return HeapQueue(self)

    def key(self, item: Waiting) -> float:
        match item.idle:
            case "warm":
                expected_s = 0.0 if item.running else item.warm_s
            case "prewarmed":
                expected_s = item.prewarmed_s
            case _:
                expected_s = item.cold_s
        return expected_s + self.ageing * item.arrived

    def why(self, item: Waiting) -> str:
        match item.idle:
            case "warm":
                return "had a warm sandbox"
            case "prewarmed":
                return "had a prewarmed sandbox"
            case _:
                return "shortest expected cold start"
