"""Where the rest of a request's body goes, piece by piece, as fast as it is wanted."""

from typing import Protocol

from attacca.gateway.core.inflight import Inflight
from attacca.gateway.driver import Gateway


class Sink(Protocol):
    """Takes a body in pieces. While it is full, the connection reads nothing."""

    @property
    def is_full(self) -> bool: ...
    def feed(self, data: bytes, *, last: bool) -> None: ...
    def open(self) -> None:
        """The reader is there."""

    def flow(self, *, paused: bool) -> None:
        """The reader is slow, or has caught up."""

    def choke(self, *, paused: bool) -> None:
        """The client reads the answer slowly, or has caught up."""

    def lost(self) -> None:
        """The client has gone."""


class Upload:
    """Into a sandbox: nothing more is read until one has been found."""

    __slots__ = ("_gateway", "_is_open", "_is_paused", "_taken")

    def __init__(self, gateway: Gateway, taken: Inflight) -> None:
        self._gateway = gateway
        self._taken = taken
        self._is_open = taken.start is not None
        self._is_paused = False

    def __repr__(self) -> str:
        return f"<Upload of {self._taken.id}, {'full' if self.is_full else 'open'}>"

    @property
    def is_full(self) -> bool:
        return self._is_paused or not self._is_open

    def feed(self, data: bytes, *, last: bool) -> None:
        self._gateway.body(self._taken, data, last=last)

    def open(self) -> None:
        self._is_open = True

    def flow(self, *, paused: bool) -> None:
        self._is_paused = paused

    def choke(self, *, paused: bool) -> None:
        """The sandbox was told by Flow."""

    def lost(self) -> None:
        """The gateway was told by leave()."""
