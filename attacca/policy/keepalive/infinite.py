"""Let nothing go: the bound of what keeping alive can bring. Only a simulation has that much memory."""

import msgspec

from attacca.policy.keepalive.lru import LruState


class Infinite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No sandbox expires, and the simulated worker's memory never ends."""

    def fresh(self) -> LruState:
        return LruState()
