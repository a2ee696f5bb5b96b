"""The lease of whoever minds the schedules, taken in the store for gateways that have a journal of their own."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from attacca.control.core.minding import Minder, minded
from attacca.errors import AttaccaError
from attacca.io.store.types import ABSENT, Store
from attacca.model.async_call import Mark
from attacca.model.journals import MINDING_S, AskMinding, MindingTold

LOG = logging.getLogger("attacca.control")
LEASE, MINDER = "schedules", "minder"


class Minders:
    """`send` takes the name of a gateway and what it is told. It hears nothing when the store cannot be asked."""

    def __init__(self, store: Store, wall: Callable[[], float], send: Callable[[str, MindingTold], None]) -> None:
        self._store, self._wall, self._send = store, wall, send
        self._one_by_one = asyncio.Lock()
        self._answers: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Minders {len(self._answers)} asked>"

    async def close(self) -> None:
        for task in list(self._answers):
            task.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)

    def hear(self, gateway: str, asked: AskMinding) -> None:
        answer = asyncio.get_running_loop().create_task(self._answer(gateway, asked))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    async def marks(self) -> dict[str, Mark]:
        """As they were told last.

        Raises:
            StateUnavailable: the store cannot be read.
        """
        entry = await self._store.get(MINDER)
        return {} if entry is None else {mark.name: mark for mark in _read(entry.value).marks}

    async def _answer(self, gateway: str, asked: AskMinding) -> None:
        try:
            async with self._one_by_one:
                told = await self._decide(asked)
        except AttaccaError as error:
            LOG.warning("gateway %s cannot be told whether it minds the schedules: %s", gateway, error.message)
        else:
            if told.is_yours and told.fence != asked.fence:
                LOG.info("gateway %s minds the schedules", gateway)
            self._send(gateway, told)

    async def _decide(self, asked: AskMinding) -> MindingTold:
        lease = await self._store.lease(LEASE, asked.journal, MINDING_S)
        if lease is None:
            return MindingTold(asked.id, is_yours=False)
        entry = await self._store.get(MINDER)
        before = None if entry is None else _read(entry.value)
        minder = minded(before, asked, lease.fence, self._wall())
        if minder != before:
            version = ABSENT if entry is None else entry.version
            await self._store.put_if(MINDER, msgspec.json.encode(minder), version)
        is_known = asked.fence == lease.fence
        marks = () if is_known else minder.marks
        return MindingTold(asked.id, is_yours=True, fence=lease.fence, taken_at=minder.taken_at, marks=marks)


def _read(value: bytes) -> Minder:
    return msgspec.json.decode(value, type=Minder)
