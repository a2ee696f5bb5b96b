"""Keep what is used often, slow to make and small; what has not been used for long loses its claim."""

import msgspec

from attacca.policy.keepalive.rent import RentKeeper
from attacca.policy.keepalive.types import Idle


class GreedyDual(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GreedyDual-Size-Frequency as in FaasCache (Fuerst and Sharma, ASPLOS'21): priority = clock + frequency * cost /
    size, with the function's invocations so far, its mean cold start and its memory, as they are when the sandbox
    comes to rest. The least goes first, and the clock rises to the priority of what was evicted.
    """

    def fresh(self) -> RentKeeper:
        return RentKeeper(worth)


def worth(idle: Idle) -> float:
    return idle.uses * idle.cold_s / idle.memory_mb
