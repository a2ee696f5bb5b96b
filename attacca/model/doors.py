"""Doors of workflows: where requests come in that become events. Control tells gateways of them."""

import msgspec

from attacca.model.function import Revision


class Door(msgspec.Struct, frozen=True):
    """One that is open: an instance that takes requests as a function's sandbox does. `host` and `path` empty: it has
    no address beside its function's; `methods` empty: all."""

    revision: Revision
    worker: str
    sandbox: str
    host: str = ""  # in lower case, without a port
    path: str = ""  # and all below
    methods: tuple[str, ...] = ()

    def fits(self, host: str, path: str) -> bool:
        if self.host and self.host != host:
            return False
        below = self.path.rstrip("/")
        return bool(self.host or below) and (path == below or path.startswith(below + "/") or not below)


class Doors(msgspec.Struct, frozen=True, tag=True):
    """All of them. `is_whole` False: control has begun just now, and others may be open that it has not heard of.
    `generation`: of those that this control has told. A gateway apart says with DoorsKnown that it has them."""

    doors: tuple[Door, ...]
    is_whole: bool = True
    generation: int = 0


class DoorsKnown(msgspec.Struct, frozen=True, tag=True):
    """A gateway sends requests to the doors that were told by then, and to no others."""

    peer: str  # who says so
    generation: int
