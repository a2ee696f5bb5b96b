"""The zygotes of one runtime: one indoors, and one outdoors once something wants the machine's own network.

The first goes from network to network, in which its children are born, and could not come back to the machine's.
"""

import asyncio
from collections.abc import Callable

from attacca.errors import IsolationMissing
from attacca.worker.runtime.process.fork_client import ForkClient
from attacca.worker.runtime.process.zygote_manager import ZygoteManager


class Zygotes:
    def __init__(self, make: Callable[..., ZygoteManager]) -> None:
        """`make` is told `is_first`, see `ZygoteManager`."""
        self._make = make
        self.indoors = make(is_first=True)
        self._outdoors: ZygoteManager | None = None
        self._opening: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Zygotes {self.indoors}, outdoors {self._outdoors}>"

    async def open(self) -> None:
        """Wait until the first is there; see `ZygoteManager.open`.

        Raises:
            IsolationMissing: the kernel refused something that it needs.
        """
        await self.indoors.open()

    def clients(self) -> list[ForkClient]:
        """Of those that are there."""
        both = self.indoors.fork_client, None if self._outdoors is None else self._outdoors.fork_client
        return [one for one in both if one is not None]

    def ask(self, work: Callable[[ForkClient], None], *, outdoors: bool) -> None:
        """See `ZygoteManager.ask`."""
        if not outdoors:
            self.indoors.ask(work)
            return
        if self._outdoors is None:
            self._outdoors = self._make(is_first=False)
            self._opening = asyncio.get_running_loop().create_task(self._open(self._outdoors))
        self._outdoors.ask(work)

    async def _open(self, zygotes: ZygoteManager) -> None:
        """One that cannot be started is tried again for the next child; those that wait hear that it is gone."""
        try:
            await zygotes.open()
        except IsolationMissing:
            self._outdoors = None
            await zygotes.close()

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._outdoors is not None:
            await self._outdoors.close()
        await self.indoors.close()
