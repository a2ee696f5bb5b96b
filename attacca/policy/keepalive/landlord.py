"""Every idle sandbox pays rent for its memory out of a credit of one cold start; whoever has none left goes."""

import msgspec

from attacca.policy.keepalive.rent import RentState
from attacca.policy.keepalive.types import Idle


class Landlord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Landlord (Young, Algorithmica 2002): the credit is set to the cost, a cold start, whenever the sandbox is used.
    When room is needed, all pay delta * size, with delta = the least credit / size, and one with no credit left goes.

    Credit falls by the same delta per megabyte for all, so it is kept as the total delta at which it is used up.
    """

    def fresh(self) -> RentState:
        return RentState(worth)


def worth(idle: Idle) -> float:
    return idle.cold_s / idle.resources.memory_mb
