"""The latest creations of sandboxes, phase by phase: where the time went between a demand and what answered it."""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

REMEMBERED = 4096


class Creation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One, whether it came about or not. `at` on control's clock; times in ms, in the order in which they pass.

    decision: from the demand until a worker was chosen. order: on the way there and back. room: until the worker had
    room. sandbox to readiness: as in an invocation's timing. propagation: from then on until the last gateway apart
    had said that it sends to it; None: it has not, or there is no sandbox.
    """

    at: float
    function: str
    revision: str
    sandbox: str
    worker: str
    outcome: str  # up, or the code of an error
    why: str
    decision: float = 0.0
    order: float = 0.0
    room: float = 0.0
    sandbox_ms: float = 0.0
    network: float = 0.0
    image: float = 0.0
    code: float = 0.0
    imports: float = 0.0
    readiness: float = 0.0
    propagation: float | None = None


class Creations:
    def __init__(self, most: int = REMEMBERED) -> None:
        self.latest: OrderedDict[str, Creation] = OrderedDict()  # by sandbox
        self._most = most
        self.up = self.failed = self.hedged = 0  # so far

    def __repr__(self) -> str:
        return f"<Creations {self.up} up, {self.failed} failed, {self.hedged} hedged, {len(self.latest)} remembered>"

    def add(self, creation: Creation) -> None:
        self.latest[creation.sandbox] = creation
        if len(self.latest) > self._most:
            self.latest.popitem(last=False)

    def spread(self, now: float, sandboxes: Iterable[str]) -> None:
        """All gateways know of these."""
        for sandbox in sandboxes:
            creation = self.latest.get(sandbox)
            if creation is not None:
                self.latest[sandbox] = replace(creation, propagation=(now - creation.at) * 1e3)
