"""Orders that take their time, each a task whose end is an event."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from attacca.control.core.events import Event
from attacca.errors import AttaccaError, Cancelled, Internal

LOG = logging.getLogger("attacca.control")
Failure = Callable[[AttaccaError], Event]  # what is when it fails


class Orders:
    """`feed` is told what came of each."""

    def __init__(self, feed: Callable[[Event], None]) -> None:
        self._feed = feed
        self._tasks: set[asyncio.Task[Event]] = set()

    def __repr__(self) -> str:
        return f"<Orders {len(self._tasks)} under way>"

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, work: Coroutine[Any, Any, Event], failed: Failure) -> "asyncio.Task[Event]":
        def end(task: "asyncio.Task[Event]") -> None:
            self._tasks.discard(task)
            self._feed(failed(Cancelled("it was stopped")) if task.cancelled() else _result(task, failed))

        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(end)
        return task


def _result(task: "asyncio.Task[Event]", failed: Failure) -> Event:
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, AttaccaError):
        return failed(error)
    LOG.error("bug in the control plane", exc_info=error)
    return failed(Internal("the server failed on this request", "see the server's log"))
