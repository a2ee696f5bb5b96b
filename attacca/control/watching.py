"""One look a second at what all planes do, for everybody who watches; nobody looks while nobody does.

Who reads slowly misses what was between: nothing is kept for anybody but what is so now.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from attacca.model.overview import Overview, changed

EVERY_S = 1.0
QUIET_S = 15.0  # then a word that says nothing, so that who is gone is noticed
WATCHERS_MOST = 500
QUIET = b": nothing new\n\n"


class Watching:
    def __init__(
        self,
        look: Callable[[], Awaitable[Overview]],
        sleep: Callable[[float], Awaitable[None]],
        is_ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_ending`: then everybody who watches is sent away."""
        self._look, self._sleep, self._is_ending = look, sleep, is_ending
        self._count = 0  # of watchers
        self._number = 0  # of what was seen
        self._seen = Overview()
        self._is_fresh = False  # it was seen by the task that there is
        self._whole = b""  # as all of it is said; empty: nobody wanted that yet
        self._change = b""  # from what was seen before to what is
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Watching {self._count} watch, {self._number} seen>"

    @property
    def is_full(self) -> bool:
        return self._count >= WATCHERS_MOST

    async def follow(self) -> AsyncIterator[bytes]:
        """Server-sent events: `overview`, which is all of it, then `change` for each that follows upon the last."""
        self._count += 1
        try:
            task = self._task
            if task is None or task.done():
                task = self._begin()
            number = -1
            while True:
                if self._is_fresh and number != self._number:
                    is_next, number = number == self._number - 1, self._number
                    yield self._change if is_next else self._all()
                    continue  # the next may have come before this one was taken
                if task.done():  # nobody looks any more
                    if not task.cancelled():
                        task.result()  # or there is nothing to see
                    return
                moved = self._moved
                try:
                    async with asyncio.timeout(QUIET_S):
                        await moved.wait()
                except TimeoutError:
                    yield QUIET
        finally:
            self._count -= 1
            if self._count == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    def _begin(self) -> asyncio.Task[None]:
        self._is_fresh = False
        self._task = asyncio.get_running_loop().create_task(self._go_on())
        self._task.add_done_callback(lambda _: self._wake())
        return self._task

    def _all(self) -> bytes:
        if not self._whole:
            self._whole = event(b"overview", msgspec.json.encode(self._seen))
        return self._whole

    async def _go_on(self) -> None:
        self._take(await self._look())
        self._is_fresh = True
        self._wake()
        while True:
            await self._sleep(EVERY_S)
            if self._is_ending():
                break
            seen = await self._look()
            change = changed(self._seen, seen)
            if change is None:
                continue
            self._change = event(b"change", msgspec.json.encode(change))
            self._take(seen)
            self._wake()

    def _take(self, seen: Overview) -> None:
        self._seen, self._whole = seen, b""
        self._number += 1

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


def event(name: bytes, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, data)
