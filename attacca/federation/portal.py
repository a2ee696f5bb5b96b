"""A domain's portal on its links: to its own workers as control has them, and one to the portal of each other domain.

Of two domains, the one whose name comes first dials the other.
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from attacca.federation.core.portal import (
    Across,
    Heard,
    PeerCame,
    PeerLost,
    PortalCore,
    PortalEvent,
    Said,
    WorkerCame,
    WorkerLost,
)
from attacca.io.wire.peers import Peers
from attacca.io.wire.tcp import Dialers, Listener, parsed
from attacca.model.events import Carried, Torn
from attacca.model.federation import BetweenPortals, OfPlaces, Portals
from attacca.workflow.core.events import Announce, FarSaid, PortalOpened
from attacca.workflow.driver import Workflows

ENDS = "the domain ends"


class Portal:
    """`open` listens, and says where others reach it."""

    def __init__(
        self,
        workflows: Workflows,
        domain: str,
        peers: Peers[Any],
        listener: Listener,
        dialers: Dialers,
        listen: Callable[[], Awaitable[str]],
    ) -> None:
        self._workflows, self._domain, self._peers = workflows, domain, peers
        self._listener, self._dialers, self._listen = listener, dialers, listen
        self.core = PortalCore(workflows.core.sharing.is_stale, secrets.token_hex(8))
        self.address = ""
        self._dialed: dict[str, str] = {}  # by domain, where
        peers.bind(self._join, self._receiver, self._lose)
        workflows.portal = self

    def __repr__(self) -> str:
        return f"<Portal {self.address}: {self.core!r}>"

    async def open(self) -> None:
        self.address = await self._listen()

    async def close(self) -> None:
        await self._dialers.close(ENDS)
        await self._listener.close(ENDS)

    # What the domain says.

    def carry(self, message: Carried | Torn) -> None:
        self._feed(Said(message))

    def came(self, worker: str) -> None:
        self._feed(WorkerCame(worker))

    def lost(self, worker: str) -> None:
        self._feed(WorkerLost(worker))

    def announce(self, command: Announce) -> None:
        for domain in (command.domain,) if command.domain else self.core.peers:
            self._peers.send(domain, command.message)

    # What the federation says.

    def learn(self, told: Portals) -> None:
        """Where the others are."""
        for domain, where in told.addresses.items():
            pair = parsed(where)
            if domain <= self._domain or pair is None or self._dialed.get(domain) == where:
                continue
            self._dialed[domain] = where
            self._dialers.dial(domain, pair)

    # What other portals say.

    def _join(self, domain: str) -> None:
        self._feed(PeerCame(domain))
        self._workflows.tell(PortalOpened(domain))

    def _lose(self, domain: str, _: str) -> None:
        self._feed(PeerLost(domain))

    def _receiver(self, domain: str) -> Callable[[BetweenPortals], None]:
        def hear(message: BetweenPortals) -> None:
            if isinstance(message, OfPlaces):
                self._workflows.tell(FarSaid(domain, message))
            else:
                self._feed(Heard(domain, message))

        return hear

    def _feed(self, event: PortalEvent) -> None:
        for command in self.core.handle(event):
            if isinstance(command, Across):
                self._peers.send(command.domain, command.message)
            else:
                self._workflows.say(command.peer, command.message)
