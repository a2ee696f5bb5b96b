"""By which ids a node's instances name those that they send to.

Each is drawn by chance and told to one node only, so that whoever names one was given it.
"""

import secrets
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

SOURCES_MOST = 10_000  # of one node: who has sent to it


def drawn() -> str:
    """A UUID that nobody guesses."""
    return str(UUID(bytes=secrets.token_bytes(16), version=4))


class Outlet(NamedTuple):
    """An output of an instance."""

    sandbox: str
    output: str


class Addresses:
    """Of one node. `draw` gives a new UUID."""

    def __init__(self, draw: Callable[[], str]) -> None:
        self._draw = draw
        self._outlets: dict[str, Outlet] = {}
        self._of_outlet: dict[Outlet, str] = {}
        self._sources: dict[str, str] = {}  # by id: INSTANCE@WORKER; who was used last is last
        self._of_source: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Addresses {len(self._outlets)} outputs, {len(self._sources)} sources>"

    def of_output(self, sandbox: str, output: str) -> str:
        outlet = Outlet(sandbox, output)
        if outlet not in self._of_outlet:
            id_ = self._of_outlet[outlet] = self._draw()
            self._outlets[id_] = outlet
        return self._of_outlet[outlet]

    def know(self, sandbox: str, ids: dict[str, str]) -> None:
        """Of an instance that was patched by who was here before: by output, the id that it was told."""
        for output, id_ in ids.items():
            outlet = Outlet(sandbox, output)
            self._outlets[id_], self._of_outlet[outlet] = outlet, id_

    def of_source(self, address: str) -> str:
        """An instance may answer whoever has sent to it lately."""
        id_ = self._of_source.pop(address, "") or self._draw()
        self._of_source[address] = id_
        self._sources[id_] = address
        if len(self._of_source) > SOURCES_MOST:
            del self._sources[self._of_source.pop(next(iter(self._of_source)))]
        return id_

    def find(self, id_: str) -> Outlet | str | None:
        """An output, or an address."""
        return self._outlets.get(id_) or self._sources.get(id_)

    def forget(self, sandbox: str) -> None:
        for outlet in [outlet for outlet in self._of_outlet if outlet.sandbox == sandbox]:
            del self._outlets[self._of_outlet.pop(outlet)]
