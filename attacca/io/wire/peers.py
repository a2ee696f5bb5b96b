"""The links of one plane, by the names of those at the other ends: what a driver sends to a name goes to its link.

A peer that comes anew, before its older link was found to be broken, has left first.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attacca.errors import PayloadTooLarge
from attacca.io.wire.types import Hello, Link

LOG = logging.getLogger("attacca.wire")
ANEW = "it came anew"

Out = TypeVar("Out")


class Peers(Generic[Out]):
    """A `types.Receiver` for all links of a plane to peers of one kind. Bind it before there are any."""

    def __init__(self) -> None:
        self._links: dict[str, Link[Out]] = {}
        self.hellos: dict[str, Hello] = {}  # by name, of those that are there
        self._news = asyncio.Event()
        self._join: Callable[[str], None]
        self._receiver: Callable[[str], Callable[[Any], None]]
        self._lose: Callable[[str, str], None]
        self._press: Callable[[str, bool], None]

    def __repr__(self) -> str:
        return f"<Peers {', '.join(self._links) or 'none'}>"

    def bind(
        self,
        join: Callable[[str], None],
        receiver: Callable[[str], Callable[[Any], None]],
        lose: Callable[[str, str], None],
        press: Callable[[str, bool], None] | None = None,
    ) -> None:
        """`join`: a peer is there, and can be sent to. `receiver` gives who takes what it says. `lose`: it is gone, and
        why; what was under way may have been lost. `press`: it does not read what it is sent, or has caught up."""
        self._join, self._receiver, self._lose = join, receiver, lose
        self._press = press or _nothing

    def send(self, peer: str, message: Out) -> None:
        """To one that is not there it is dropped: whoever sends is told when a peer is lost."""
        link = self._links.get(peer)
        if link is not None:
            try:
                link.send(message)
            except PayloadTooLarge as error:
                LOG.error("not sent to %s: %s", peer, error.message)

    def names(self) -> list[str]:
        return list(self._links)

    def end(self, peer: str, why: str) -> None:
        """It is sent nothing more, and told why."""
        link = self._links.get(peer)
        if link is not None:
            link.close(why)

    def cut(self, peer: str) -> None:
        """Without another word: it does not listen."""
        link = self._links.get(peer)
        if link is not None:
            link.cut()

    async def until(self, peer: str) -> None:
        """It is there."""
        while peer not in self._links:
            self._news.clear()
            await self._news.wait()

    def opened(self, link: Link[Out], peer: Hello) -> Callable[[Any], None]:
        old = self._links.pop(peer.name, None)
        if old is not None:
            self._lose(peer.name, ANEW)
            old.close(ANEW)
        self._links[peer.name] = link
        self.hellos[peer.name] = peer
        self._news.set()
        self._join(peer.name)
        return self._receiver(peer.name)

    def pressed(self, link: Link[Out], *, is_slow: bool) -> None:
        name = self._name(link)
        if name is not None:
            self._press(name, is_slow)

    def closed(self, link: Link[Out], why: str) -> None:
        name = self._name(link)
        if name is not None:
            del self._links[name], self.hellos[name]
            self._lose(name, why)

    def refused(self, why: str) -> None:
        LOG.warning("no link: %s", why)

    def _name(self, link: Link[Out]) -> str | None:
        return next((name for name, known in self._links.items() if known is link), None)


def _nothing(_: str, __: bool) -> None:  # noqa: FBT001 - mirrors pressed
    """Whoever sends little need not know."""
