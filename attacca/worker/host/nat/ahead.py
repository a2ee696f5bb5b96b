"""Networks that have a cable already, which leads nowhere yet: made ahead of need from the first that is wanted on."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from attacca.errors import AttaccaError
from attacca.model.function import Settings
from attacca.worker.host.nat.outside import Cable, Nat
from attacca.worker.host.network import Namespace, Networks

Both = tuple[Namespace, Cable]


class Outlets:
    """As many as `nat.ahead` says wait. Neither `networks` nor `nat` is its own; `for_guests`: each address is that of
    who is at the tap within, and not the network's own."""

    def __init__(self, networks: Networks, nat: Nat, *, for_guests: bool = False) -> None:
        self._networks, self._nat, self._for_guests = networks, nat, for_guests
        self._ready: deque[Both] = deque()
        self._filling: asyncio.Task[None] | None = None
        self._is_closing = False

    def __repr__(self) -> str:
        return f"<Outlets {len(self._ready)} ready>"

    async def close(self) -> None:
        self._is_closing = True
        if self._filling is not None:
            await asyncio.wait([self._filling])
        while self._ready:
            self.give(*self._ready.popleft())

    def give(self, network: Namespace, cable: Cable) -> None:
        """It is used no more."""
        self._nat.unplug(cable)
        network.close()

    async def take(self, settings: Settings, tell: Callable[[str], None]) -> Both:
        """One that nobody has used, led where the settings say.

        Raises:
            IsolationMissing: there is no way out.
            OSError: the kernel refuses something.
        """
        network, cable = self._ready.popleft() if self._ready else await self._make()
        try:
            await self._nat.lead(cable, settings, tell)
        except BaseException:
            self.give(network, cable)
            raise
        if self._filling is None or self._filling.done():
            self._filling = asyncio.get_running_loop().create_task(self._fill())
        return network, cable

    async def _make(self) -> Both:
        network = await self._networks.take()
        try:
            return network, await self._nat.wire(network.descriptor, is_guests=self._for_guests)
        except BaseException:
            network.close()
            raise

    async def _fill(self) -> None:
        with contextlib.suppress(AttaccaError, OSError):  # whoever wants one will hear of it
            while len(self._ready) < self._nat.options.ahead and not self._is_closing:
                self._ready.append(await self._make())
