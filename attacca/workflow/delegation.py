"""Shows those who orchestrate from outside what the domain is now, and what changes of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from attacca.model.sandbox import WorkerView
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.state import Change, DomainState, changes, domain_state

EVERY_S = 0.25  # between two looks for changes, while somebody wants to hear of them


class Delegation:
    """`providers`: the classes of resources that each node can host."""

    def __init__(self, core: DomainCore, domain: str, providers: Iterable[str]) -> None:
        self._core, self._domain, self._providers = core, domain, tuple(providers)
        self._views: dict[str, WorkerView] = {}
        self._ended = asyncio.Event()
        self._listeners = 0

    def __repr__(self) -> str:
        return f"<Delegation of {self._domain}, {self._listeners} listeners>"

    def see(self, view: WorkerView) -> None:
        """What a node says of itself."""
        self._views[view.name] = view

    def lose(self, node: str) -> None:
        self._views.pop(node, None)

    def close(self) -> None:
        """Whoever listens has heard all."""
        self._ended.set()

    def state(self) -> DomainState:
        return domain_state(self._core, self._domain, self._views, self._providers)

    async def changes(self) -> AsyncIterator[list[Change]]:
        """All there is, and then what changes, as it changes."""
        before: DomainState | None = None
        self._listeners += 1
        try:
            while not self._ended.is_set():
                now = self.state()
                told, before = changes(before, now), now
                if told:
                    yield told
                await self._rest()
        finally:
            self._listeners -= 1

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(EVERY_S):
                await self._ended.wait()
        except TimeoutError:
            pass
