"""Which nodes there are: each says again and again that it is, and until when that may be believed.

first word ──▶ JOIN          silence beyond its deadline ──▶ late ──▶ LEAVE, once nothing listens there any more,
the same nonce ──▶ nothing                                             or after ten times as long
another nonce ──▶ LEAVE, JOIN: its process is new, and what it had is gone

A node that compiles says nothing for seconds on a busy machine; if it were taken for dead it would compile again.
"""

import msgspec

from attacca.workflow.dialects.edgeless.nodes.announced import Announced

NODES_MOST = 1000
LATE_TIMES = 10  # of its patience


class Join(msgspec.Struct, frozen=True):
    node: Announced


class Leave(msgspec.Struct, frozen=True):
    name: str
    why: str


class Full(Exception):
    """There are too many nodes."""


class Register:
    """Times in seconds, of a clock that is never set."""

    def __init__(self) -> None:
        self.by_name: dict[str, Announced] = {}
        self._until: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Register of {len(self.by_name)} nodes>"

    def hear(self, now: float, told: Announced) -> list[Join | Leave]:
        """
        Raises:
            Full: one more would be too many.
        """
        known, out = self.by_name.get(told.name), list[Join | Leave]()
        if known is None and len(self.by_name) >= NODES_MOST:
            raise Full
        if known is not None and known.nonce != told.nonce:
            out.append(Leave(told.name, "it has begun anew"))
        if known is None or known.nonce != told.nonce:
            out.append(Join(told))
        self.by_name[told.name] = told
        self._until[told.name] = now + told.patience_s
        return out

    def late(self, now: float) -> list[Announced]:
        """Those of which it is to be seen whether anything listens there."""
        return [self.by_name[name] for name, until in self._until.items() if until < now]

    def expire(self, now: float) -> list[Leave]:
        most = LATE_TIMES - 1
        return [
            self.leave(told.name, "it has not said in time that it is there")
            for told in self.late(now)
            if self._until[told.name] + most * told.patience_s < now
        ]

    def leave(self, name: str, why: str) -> Leave:
        self.forget(name)
        return Leave(name, why)

    def forget(self, name: str) -> None:
        """What it says next is its first word."""
        self.by_name.pop(name, None)
        self._until.pop(name, None)
