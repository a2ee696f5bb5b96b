"""What every link offers to the two planes that it joins.

A link lives from `opened` to `closed`, each of which both sides are told once; when it comes back, it is another one,
and may be so before the older one is found to be closed.
In between, messages arrive one at a time, in the order in which they were sent: the next when the receiver is done
with the one before. What was under way when it broke may be lost; what was sent before an orderly `close` arrives.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import msgspec

VERSION = 6  # of the words in model.messages: both sides must speak the same
MB = 1024 * 1024
CUT = "the connection was cut"
TOO_SLOW = "the peer does not read what it is sent"

Out = TypeVar("Out", contravariant=True)
In = TypeVar("In", contravariant=True)


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first word of each side. `key` shows that whoever speaks was let in by the same hand."""

    plane: str
    name: str
    key: bytes = b""
    version: int = VERSION
    instance: bytes = b""  # of this process; who comes again with another one is somebody else of the same name

    def __repr__(self) -> str:
        return f"Hello({self.plane!r}, {self.name!r}, version={self.version})"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a link holds, and how long it waits."""

    message_bytes: int = 256 * MB  # of one message; one that claims to be larger ends the link
    high_bytes: int = 1 * MB  # unsent: from here on the sender is told that the peer is slow
    most_bytes: int = 1024 * MB  # unsent: from here on the link is given up
    hello_s: float = 5.0  # until the peer has said who it is
    linger_s: float = 2.0  # what was sent before `close` has so long to go out


class Link(Protocol[Out]):
    """One side of it."""

    def send(self, message: Out) -> None:
        """It is on its way when this returns, and may have been received. On a link that is closed it is dropped.

        Raises:
            PayloadTooLarge: the peer would refuse it; the link goes on without.
        """

    def pause(self) -> None:
        """Nothing arrives any more until `resume`; a sender that goes on all the same is told that we are slow."""

    def resume(self) -> None: ...

    def close(self, why: str) -> None:
        """What was sent before still arrives, and then the peer is told why. `closed` may come before this returns."""

    def cut(self) -> None:
        """Without another word, as a broken cable does; what is under way is lost."""


class Receiver(Protocol[In]):
    """Who is joined to somebody: a plane's door. Nothing of it raises."""

    def opened(self, link: Link[Any], peer: Hello) -> Callable[[In], None]:
        """The answer takes what arrives on this link, until it is closed."""

    def pressed(self, link: Link[Any], *, is_slow: bool) -> None:
        """The peer does not read what we send, or has caught up."""

    def closed(self, link: Link[Any], why: str) -> None: ...
    def refused(self, why: str) -> None:
        """There was a connection, or an attempt at one, and no link has come of it."""
