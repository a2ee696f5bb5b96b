"""The zygotes of one runtime: one indoors and bare; others once something is to be born of them.

One indoors goes from network to network, in which its children are born, and could not come back to the machine's: so
what wants that is born outdoors. Of a furnished one is born what has libraries, see `furnishing`.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from attacca.errors import IsolationMissing
from attacca.model.function import Revision
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.process.fork_client import ForkClient
from attacca.worker.runtime.process.furnishing import Furnishing
from attacca.worker.runtime.process.zygote_manager import ZygoteManager


class Kind(NamedTuple):
    is_outdoors: bool = False
    is_furnished: bool = False


class Zygotes:
    def __init__(self, make: Callable[..., ZygoteManager], store: CodeStore) -> None:
        """`make` is told `is_first` and `is_furnished`, see `ZygoteManager`."""
        self._make, self._furnishing = make, Furnishing(store)
        self.indoors = make(is_first=True)
        self._others: dict[Kind, ZygoteManager] = {}
        self._opening: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        others = "".join(
            f", {'outdoors' if kind.is_outdoors else 'indoors'}{' and furnished' * kind.is_furnished} {one}"
            for kind, one in self._others.items()
        )
        return f"<Zygotes {self.indoors}{others}>"

    async def open(self) -> None:
        """Wait until the first is there; see `ZygoteManager.open`.

        Raises:
            IsolationMissing: the kernel refused something that it needs.
        """
        await self.indoors.open()

    def clients(self) -> list[ForkClient]:
        """Of those that are there."""
        each = (self.indoors, *self._others.values())
        return [one.fork_client for one in each if one.fork_client is not None]

    def of(self, revision: Revision, *, is_outdoors: bool, is_template: bool = False) -> ZygoteManager:
        """Whose child is to be somebody of this revision. Nobody waits for a furnished one: as long as there is none,
        it is a bare one's. A template always is: what its sandboxes do not need would be theirs, too."""
        if not is_template and self._furnishing.suits(revision):
            furnished = self._other(Kind(is_outdoors, is_furnished=True))
            if furnished.ready.is_set():
                return furnished
        return self._other(Kind(is_outdoors)) if is_outdoors else self.indoors

    def _other(self, kind: Kind) -> ZygoteManager:
        if (found := self._others.get(kind)) is None:
            found = self._others[kind] = self._make(is_first=False, is_furnished=kind.is_furnished)
            task = asyncio.get_running_loop().create_task(self._open(kind, found))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        return found

    async def _open(self, kind: Kind, zygotes: ZygoteManager) -> None:
        """One that cannot be started is tried again for the next child; those that wait hear that it is gone."""
        try:
            await zygotes.open()
        except IsolationMissing:
            del self._others[kind]
            await zygotes.close()

    async def close(self) -> None:
        for task in self._opening:
            task.cancel()
        if self._opening:
            await asyncio.wait(self._opening)
        for one in self._others.values():
            await one.close()
        await self.indoors.close()
