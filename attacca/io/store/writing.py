"""What a core has ordered to be written, as its driver carries it out: of one key one after the other."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from attacca.errors import AttaccaError
from attacca.io.store.types import Store


class Write(Protocol):
    @property
    def key(self) -> str: ...


W = TypeVar("W", bound=Write)


class Writing(Generic[W]):
    """`value` says what a write puts there; None: its key is erased. `done` hears of each write that it was made, with
    the version of what was put, or why not."""

    def __init__(
        self,
        store: Store,
        value: Callable[[W], bytes | None],
        done: Callable[[W, int | AttaccaError], None],
    ) -> None:
        self._store, self._value, self._done = store, value, done
        self._waiting: dict[str, deque[W]] = {}  # by key: the first is on its way
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Writing {len(self)} keys>"

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, write: W) -> None:
        waiting = self._waiting.setdefault(write.key, deque())
        waiting.append(write)
        if len(waiting) == 1:
            self._begin(write)

    async def close(self) -> None:
        """What is not written by now is given up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, write: W) -> None:
        task = asyncio.get_running_loop().create_task(self._write(write))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, write: W) -> None:
        value, outcome = self._value(write), 0
        told: int | AttaccaError
        try:
            if value is None:
                await self._store.delete(write.key)
            else:
                outcome = (await self._store.put_if(write.key, value, None)).version
            told = outcome
        except AttaccaError as error:
            told = error
        waiting = self._waiting[write.key]
        waiting.popleft()
        if waiting:
            self._begin(waiting[0])
        else:
            del self._waiting[write.key]
        self._done(write, told)
