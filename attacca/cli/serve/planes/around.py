"""A worker's links to other workers, over which instances of workflows send each other events.

Each dials those that it sends to, and only sends on such a link; what comes on links that others have dialed is heard.
"""

import logging
import ssl
from collections.abc import Callable

from attacca.cli.serve.planes.door import ENDS
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink, only
from attacca.io.wire.tcp import Dialers, parsed
from attacca.io.wire.types import Hello, Limits
from attacca.kernel.access import is_loopback
from attacca.kernel.chance import Chance
from attacca.model.events import BetweenInstances, Introduced

LOG = logging.getLogger("attacca.worker")


class Around:
    """`joined` hears of each link that can be sent to; `address` says where others dial this worker."""

    def __init__(
        self,
        hello: Hello,
        limits: Limits,
        to_dial: ssl.SSLContext | None,
        chance: Chance,
        address: Callable[[], str],
        joined: Callable[[str], None],
    ) -> None:
        self._peers: Peers[BetweenInstances] = Peers()
        self._is_secured = to_dial is not None
        self._address, self._joined = address, joined
        self._dialers = Dialers(
            lambda worker: StreamLink(
                self._peers, hello, BetweenInstances, limits, has_dialed=True, admit=only(worker)
            ),
            to_dial,
            chance,
        )  # fmt: skip
        self._peers.bind(self._begin, lambda _: lambda __: None, lambda _, __: None)

    def __repr__(self) -> str:
        return f"<Around {len(self._peers.names())} workers>"

    def dial(self, worker: str, where: str) -> None:
        pair = parsed(where)
        if pair is None or not (self._is_secured or is_loopback(pair[0])):
            LOG.error(
                "worker %s at %s cannot be dialed: without --certs links pass through loopback only", worker, where
            )
        else:
            self._dialers.dial(worker, pair)

    def send(self, worker: str, message: BetweenInstances) -> None:
        """To one that is not there it is dropped: it is said again when there is a link."""
        self._peers.send(worker, message)

    async def close(self) -> None:
        await self._dialers.close(ENDS)

    def _begin(self, worker: str) -> None:
        self._peers.send(worker, Introduced(self._address()))
        self._joined(worker)
