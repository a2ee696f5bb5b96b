"""Removes code and bundles that no kept revision needs: never under a deployment, never under a running sandbox."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence

from attacca.control.state import StateDir
from attacca.model.function import Revision

AGAIN_S = 1.0  # how often sandboxes of revisions that are gone are looked for


class Collector:
    def __init__(
        self, state: StateDir, kept: Callable[[], Sequence[Revision]], running: Callable[[], Collection[str]]
    ) -> None:
        self._state = state
        self._kept = kept
        self._running = running
        self._retired: dict[str, Revision] = {}  # gone from the catalogue, perhaps not from the sandboxes
        self._deployments = 0
        self._disk = asyncio.Lock()  # a sweep, or the start of a deployment
        self._later: asyncio.Task[None] | None = None

    def retire(self, revisions: Iterable[Revision]) -> None:
        self._retired.update((revision.id, revision) for revision in revisions)

    @contextlib.asynccontextmanager
    async def held_off(self) -> AsyncIterator[None]:
        """While a deployment is on its way, nothing is removed: it may count on what it has found."""
        async with self._disk:
            self._deployments += 1
        try:
            yield
        finally:
            self._deployments -= 1

    async def collect(self) -> None:
        """Now, or, when a deployment is on its way, when the last of them ends and calls this."""
        async with self._disk:
            if self._deployments:
                return
            running = self._running()
            self._retired = {name: revision for name, revision in self._retired.items() if name in running}
            needed = [*self._kept(), *self._retired.values()]
            code = {revision.code for revision in needed}
            bundles = {revision.bundle for revision in needed if revision.bundle is not None}
            await asyncio.to_thread(self._state.sweep, code, bundles)
        if self._retired and self._later is None:
            self._later = asyncio.create_task(self._collect_later())

    async def close(self) -> None:
        if self._later is not None:
            self._later.cancel()
            await asyncio.gather(self._later, return_exceptions=True)

    async def _collect_later(self) -> None:
        while self._retired:
            await asyncio.sleep(AGAIN_S)
            await self.collect()
        self._later = None
