"""A cluster in a thread of its own, while a test waits for a server that is another process."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tests.live.patience import PATIENCE_S

T = TypeVar("T")


@contextlib.contextmanager
def aside(make: Callable[[], contextlib.AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """What `make` gives is entered and left there."""
    told: list[Any] = []
    is_there, loop, over = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def main() -> None:
        async with make() as found:
            told.append(found)
            is_there.set()
            await over.wait()

    def work() -> None:
        try:
            loop.run_until_complete(main())
        except BaseException as error:  # noqa: BLE001 - raised by who waits for it
            told.append(error)
        finally:
            is_there.set()
            loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert is_there.wait(PATIENCE_S)
    try:
        if isinstance(told[0], BaseException):
            raise told[0]
        yield told[0]
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(over.set)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    if isinstance(told[-1], BaseException):
        raise told[-1]
