"""Keep everything as long as there is room; the longest unused goes first."""

from collections.abc import Iterable

import msgspec

from attacca.kernel.protocol import does_nothing
from attacca.policy.keepalive.types import Expiry, Idle


class Lru(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Least recently used, as in Ilúvatar: no sandbox expires by itself."""

    def fresh(self) -> "LruState":
        return LruState()


class LruState:
    """Remembers nothing: how long each one has rested is among its facts."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @does_nothing
    def arrived(self, now: float, function: str) -> None: ...

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        return None

    @does_nothing
    def became_busy(self, now: float, idle: Idle) -> None: ...

    def victims(self, now: float, idle: Iterable[Idle]) -> list[Idle]:
        return sorted(idle, key=longest_unused)

    @does_nothing
    def evicted(self, now: float, idle: Idle) -> None: ...

    def prewarm_at(self, now: float, function: str) -> Expiry | None:
        return None


def longest_unused(idle: Idle) -> tuple[float, str]:
    """A sort key; equals go by name, so that no order depends on the order of asking."""
    return idle.idle_since, idle.sandbox
