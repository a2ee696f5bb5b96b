"""Where the rest of a request's body goes, piece by piece, as fast as it is wanted."""

from typing import Protocol

from attacca.gateway.core.taken import Taken
from attacca.gateway.driver import Gateway


class Sink(Protocol):
    """Takes a body in pieces. While it is full, the connection reads nothing."""

    @property
    def is_full(self) -> bool: ...
    @property
    def is_through(self) -> bool:
        """Everything that was fed has been passed on."""

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
    """Into a sandbox: what arrives before one has been found is kept, and nothing more is read until then."""

    def __init__(self, gateway: Gateway, taken: Taken) -> None:
        self._gateway = gateway
        self._taken = taken
        self._kept = b""
        self._has_last = False
        self._is_open = taken.start is not None
        self._is_paused = False

    @property
    def is_full(self) -> bool:
        return self._is_paused or not self._is_open

    @property
    def is_through(self) -> bool:
        return not self._kept and not self._has_last

    def feed(self, data: bytes, *, last: bool) -> None:
        if self.is_full:
            self._kept += data
            self._has_last = last
        else:
            self._gateway.body(self._taken, data, last=last)

    def open(self) -> None:
        self._is_open = True
        self._flush()

    def flow(self, *, paused: bool) -> None:
        self._is_paused = paused
        self._flush()

    def choke(self, *, paused: bool) -> None:
        """The sandbox was told by Flow."""

    def lost(self) -> None:
        """The gateway was told by leave()."""

    def _flush(self) -> None:
        if not self.is_full and (self._kept or self._has_last):
            kept, self._kept = self._kept, b""
            last, self._has_last = self._has_last, False
            self._gateway.body(self._taken, kept, last=last)
