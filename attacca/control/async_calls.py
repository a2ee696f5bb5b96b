"""The journal that the admin API sees: what lies beside control, and what gateways elsewhere have in theirs."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from attacca.control.driver import Control
from attacca.control.views import Views
from attacca.errors import Conflict, NotFound, StateUnavailable
from attacca.io.journal.types import Journal, Told
from attacca.model.async_call import AsyncCall, Delete, Gone, Mark, Record, Result, Revive, State, Stored, Unwritten
from attacca.model.journals import CallVerb

MORE = StateUnavailable("the gateway that has the call does not answer", "attacca status")


class Calls(Protocol):
    """What the admin API needs of a journal."""

    def write(self, write: Revive | Delete, told: Told) -> None: ...
    async def find(self, call: str) -> Record | None: ...
    async def latest(self, state: State | None, function: str | None, limit: int) -> list[AsyncCall]: ...
    async def marks(self) -> dict[str, Mark]: ...


class Gathered:
    """`leading`: None where it does not lead. One gateway's machine may have control's journal: then both tell the
    same."""

    def __init__(self, journal: Journal, leading: Callable[[], Control | None]) -> None:
        self._journal, self._leading = journal, leading
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Gathered {self._journal!r}, {len(self._tasks)} asked of others>"

    def _views(self) -> Views | None:
        control = self._leading()
        return None if control is None else control.views

    async def latest(self, state: State | None, function: str | None, limit: int) -> list[AsyncCall]:
        """The latest first."""
        views = self._views()
        by_id = {} if views is None else {one.id: one for one in await views.async_calls(state, function, limit)}
        by_id |= {one.id: one for one in await self._journal.latest(state, function, limit)}
        return sorted(by_id.values(), key=lambda one: one.at, reverse=True)[:limit]

    async def find(self, call: str) -> Record | None:
        record, views = await self._journal.find(call), self._views()
        if record is not None or views is None:
            return record
        return (await views.order(call, CallVerb.FIND)).record

    async def marks(self) -> dict[str, Mark]:
        return await self._journal.marks()

    def write(self, write: Revive | Delete, told: Told) -> None:
        """What is not here is written where it is."""

        def heard(result: Result) -> None:
            views = self._views()
            if views is None or result != Gone(None):
                told(result)
                return
            task = asyncio.get_running_loop().create_task(self._elsewhere(views, write, told))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._journal.write(write, heard)

    async def _elsewhere(self, views: Views, write: Revive | Delete, told: Told) -> None:
        answer = await views.order(write.id, CallVerb.RETRY if isinstance(write, Revive) else CallVerb.DELETE)
        if answer.error is None:
            told(Stored())
        elif answer.error.code == NotFound.code:
            told(Gone(None))
        elif answer.error.code == Conflict.code and answer.record is not None:
            told(Gone(answer.record.call))
        else:
            told(Unwritten(MORE))
