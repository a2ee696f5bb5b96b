"""Keep each sandbox for a fixed time after its last use."""

from typing import Annotated

import msgspec

from attacca.policy.keepalive.lru import LruState
from attacca.policy.keepalive.types import Expiry, Idle


class Ttl(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What most public clouds do, and Ilúvatar's `TTL`; when memory is short before that, the longest unused goes."""

    idle_s: Annotated[float, msgspec.Meta(ge=0)] = 600.0

    def fresh(self) -> "TtlState":
        return TtlState(self.idle_s)


class TtlState(LruState):
    __slots__ = ("_idle_s", "_why")

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._why = f"unused for {idle_s:g} s"

    def __repr__(self) -> str:
        return f"<TtlState {self._idle_s:g} s>"

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        return Expiry(idle.idle_since + self._idle_s, self._why)
