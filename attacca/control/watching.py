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
            if self._task is None or self._task.done():
                self._seen = await self._look()
                self._number += 1
                self._begin()
            number = -1
            while True:
                if number != self._number:
                    is_next, number = number == self._number - 1, self._number
                    yield self._change if is_next else event(b"overview", msgspec.json.encode(self._seen))
                    continue  # the next may have come before this one was taken
                if self._task is None or self._task.done():  # nobody looks any more
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

    def _begin(self) -> None:
        """Unless another has, while this one looked."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._go_on())
            self._task.add_done_callback(lambda _: self._wake())

    async def _go_on(self) -> None:
        while True:
            await self._sleep(EVERY_S)
            if self._is_ending():
                break
            seen = await self._look()
            change = changed(self._seen, seen)
            if change is None:
                continue
            self._seen, self._change = seen, event(b"change", msgspec.json.encode(change))
            self._number += 1
            self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


def event(name: bytes, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, data)
