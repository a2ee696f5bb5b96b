"""Removes code and bundles that nobody needs: no kept revision, no deployment on its way, no sandbox, no template."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence

from attacca.control.deploy.state import StateDir
from attacca.model.function import Revision

AGAIN_S = 1.0  # how often workers are looked at again that have revisions which are gone


class Collector:
    """`kept`: revisions of the catalogue. `held`: those that a worker has a sandbox, a template or an invocation of."""

    def __init__(
        self, state: StateDir, kept: Callable[[], Sequence[Revision]], held: Callable[[], Collection[Revision]]
    ) -> None:
        self._state = state
        self._kept = kept
        self._held = held
        self._deployments = 0
        self._disk = asyncio.Lock()  # a sweep, or the start of a deployment
        self._later: asyncio.Task[None] | None = None

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
            kept, held = named(self._kept()), named(self._held())
            await asyncio.to_thread(self._state.sweep, kept | held)
        if held - kept and self._later is None:
            self._later = asyncio.create_task(self._collect_later())

    async def close(self) -> None:
        if self._later is not None:
            self._later.cancel()
            await asyncio.gather(self._later, return_exceptions=True)

    async def _collect_later(self) -> None:
        while named(self._held()) - named(self._kept()):
            await asyncio.sleep(AGAIN_S)
            await self.collect()
        self._later = None


def named(revisions: Collection[Revision]) -> set[str]:
    """The directories of their code and bundles."""
    return {name for revision in revisions for name in (revision.code, revision.bundle) if name is not None}
