"""The links of one plane, by the names of those at the other ends: what a driver sends to a name goes to its link.

A peer that comes anew, before its older link was found to be broken, has left first.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from attacca.errors import PayloadTooLarge
from attacca.io.wire.types import Hello, Link

LOG = logging.getLogger("attacca.wire")
ANEW = "it came anew"

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out")


class Plane(Protocol[In]):
    """What a driver does about its peers."""

    def join(self, peer: str) -> None:
        """It is there, and can be sent to."""

    def receive(self, peer: str, message: In) -> None: ...
    def press(self, peer: str, *, is_slow: bool) -> None:
        """It does not read what it is sent, or has caught up."""

    def lose(self, peer: str, why: str) -> None:
        """It is gone, and nothing more comes of it. What was under way may have been lost."""


class Peers(Generic[Out]):
    """A `types.Receiver` for all links of a plane."""

    def __init__(self, plane: Plane[Any], too_large: Callable[[str, Out, PayloadTooLarge], None] | None = None) -> None:
        """`too_large` is told what could not be sent; without it, it is only logged."""
        self._plane = plane
        self._too_large = too_large
        self._links: dict[str, Link[Out]] = {}

    def __repr__(self) -> str:
        return f"<Peers {', '.join(self._links) or 'none'}>"

    def send(self, peer: str, message: Out) -> None:
        """To one that is not there it is dropped: whoever sends is told when a peer is lost."""
        link = self._links.get(peer)
        if link is not None:
            try:
                link.send(message)
            except PayloadTooLarge as error:
                self._refuse(peer, message, error)

    def names(self) -> list[str]:
        return list(self._links)

    def opened(self, link: Link[Out], peer: Hello) -> Callable[[Any], None]:
        old = self._links.pop(peer.name, None)
        if old is not None:
            self._plane.lose(peer.name, ANEW)
            old.close(ANEW)
        self._links[peer.name] = link
        self._plane.join(peer.name)
        return partial(self._plane.receive, peer.name)

    def pressed(self, link: Link[Out], *, is_slow: bool) -> None:
        name = self._name(link)
        if name is not None:
            self._plane.press(name, is_slow=is_slow)

    def closed(self, link: Link[Out], why: str) -> None:
        name = self._name(link)
        if name is not None:
            del self._links[name]
            self._plane.lose(name, why)

    def refused(self, why: str) -> None:
        LOG.warning("no link: %s", why)

    def _name(self, link: Link[Out]) -> str | None:
        return next((name for name, known in self._links.items() if known is link), None)

    def _refuse(self, peer: str, message: Out, error: PayloadTooLarge) -> None:
        LOG.warning("not sent to %s: %s", peer, error.message)
        if self._too_large is not None:
            self._too_large(peer, message, error)
