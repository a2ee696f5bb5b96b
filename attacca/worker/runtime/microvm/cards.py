"""Networks of micro-VMs with a way out: each has a namespace of its own, a tap in it, and a cable from there.

guest ── tap0 ── the namespace ── cable ──▶ what holds of every sandbox with a way out
"""

import os
from collections.abc import Callable

from attacca.errors import IsolationMissing
from attacca.model.function import Settings
from attacca.worker.host import tap
from attacca.worker.host.nat.ahead import Outlets
from attacca.worker.host.nat.outside import Cable, Nat
from attacca.worker.host.network import Namespace, Networks


class Cards:
    """Opened by the first machine that is to have one. A cable's address is its guest's own, which it is told when it
    is woken: so whatever looks at a sandbox's packets sees who has sent them, and no namespace has rules or connections
    to keep."""

    def __init__(self, nat: Nat) -> None:
        self._nat = nat
        self._networks = Networks(0, tap.make)
        self._outlets = Outlets(self._networks, nat, for_guests=True)
        self._is_open = False

    def __repr__(self) -> str:
        return f"<Cards {self._outlets}>"

    def open(self) -> None:
        self._nat.hold()

    async def close(self) -> None:
        await self._outlets.close()
        await self._networks.close()
        await self._nat.release()

    async def bare(self) -> Namespace:
        """One that leads nowhere, for a machine without a function.

        Raises:
            IsolationMissing: there can be none here.
            OSError: the kernel refuses something.
        """
        self._begin()
        return await self._networks.take()

    async def take(self, settings: Settings, tell: Callable[[str], None]) -> "Card":
        """One that nobody has used, led where the settings say. Raises as `bare` does."""
        self._begin()
        return Card(self._outlets, *await self._outlets.take(settings, tell))

    def _begin(self) -> None:
        if (why := lacking()) is not None:
            raise why
        if not self._is_open:
            self._networks.open()
            self._is_open = True


class Card:
    """Of one machine."""

    def __init__(self, outlets: Outlets, namespace: Namespace, cable: Cable) -> None:
        self._outlets, self.namespace, self._cable = outlets, namespace, cable

    def __repr__(self) -> str:
        return f"<Card {self.address}>"

    @property
    def address(self) -> str:
        """Its guest's."""
        return str(self._cable.address)

    def close(self) -> None:
        self._outlets.give(self.namespace, self._cable)


def lacking() -> IsolationMissing | None:
    """Why this server can give no micro-VM a way out, besides what others lack, too."""
    if os.geteuid() != 0:
        why = 'network = "nat" of a micro-VM needs a server that runs as root'
        return IsolationMissing(why, 'run it as root, write network = "none", or runtime = "process"')
    if not os.access(tap.DEVICE, os.R_OK | os.W_OK):
        return IsolationMissing(f"micro-VMs have a way out by {tap.DEVICE}, which is not here", "modprobe tun")
    return None
