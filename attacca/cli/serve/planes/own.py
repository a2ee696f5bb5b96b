"""What a plane says to control is its own to say, or its link ends."""

import logging
from collections.abc import Callable

from attacca.control.speakers import foreign
from attacca.io.wire.types import Hello
from attacca.model.messages import ToControl

LOG = logging.getLogger("attacca.control")
Receive = Callable[[ToControl], None]


def own(peer: Hello, receive: Receive, end: Callable[[str, str], None]) -> Receive:
    """`end` takes the name of the peer, and what it is told."""
    plane, name = peer.plane, peer.name

    def take(message: ToControl) -> None:
        why = foreign(plane, name, message)
        if why:
            LOG.warning("the link to %s %r ends: %s", plane, name, why)
            end(name, why)
        else:
            receive(message)

    return take
