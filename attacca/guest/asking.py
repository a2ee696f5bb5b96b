"""A sandbox asks its worker: a question of some kind, about the invocation that asks, and what comes back."""

import json
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attacca.guest import channel as wire
from attacca.guest import output

if TYPE_CHECKING:
    import asyncio

OPEN_MOST = 1000  # questions of one sandbox that wait for their answer
IDS = 1 << 32


class Refused(Exception):
    """The worker has no answer."""


class Asker:
    """Where several run in threads somebody else reads the channel, and whoever waits is woken. On an event loop only
    `ask_later` can be used."""

    def __init__(self, write: wire.Write) -> None:
        self._write = write
        self._pull: Callable[[], None] | None = None
        self._reader = 0  # the thread that may use it
        self._moved = threading.Condition()
        self._count = 0
        self._open: dict[int, tuple[bool, Any] | asyncio.Future[Any] | None] = {}  # by id: its answer, once it is there

    def __repr__(self) -> str:
        return f"<Asker {self._count} asked, {len(self._open)} open>"

    def read_with(self, pull: Callable[[], None]) -> None:
        """In a sandbox that runs one at a time: `pull` reads the next frame, in this thread."""
        self._pull, self._reader = pull, threading.get_ident()

    def disown(self) -> None:
        """A child that the function forks has no channel."""
        self._write = _refuse

    def ask(self, kind: int, data: bytes = b"") -> Any:
        """
        Raises:
            Refused: the worker says why.
        """
        if self._pull is not None and threading.get_ident() != self._reader:
            raise Refused("only the thread that runs the invocation can ask for it")
        asked = self._begin(None)
        try:
            self._say(asked, kind, data)
            if self._pull is None:
                with self._moved:
                    self._moved.wait_for(lambda: self._open[asked] is not None)
            else:
                while self._open[asked] is None:
                    self._pull()
            is_refused, value = self._open[asked]  # type: ignore[misc]
        finally:
            del self._open[asked]
        if is_refused:
            raise Refused(value)
        return value

    async def ask_later(self, kind: int, data: bytes = b"") -> Any:
        """
        Raises:
            Refused: the worker says why.
        """
        import asyncio

        future = asyncio.get_running_loop().create_future()
        asked = self._begin(future)
        try:
            self._say(asked, kind, data)
            return await future
        finally:
            del self._open[asked]

    def _begin(self, future: "asyncio.Future[Any] | None") -> int:
        with self._moved:
            if len(self._open) >= OPEN_MOST:
                raise Refused(f"{OPEN_MOST} questions wait for their answers")
            self._count += 1
            self._open[self._count % IDS] = future
            return self._count % IDS

    def _say(self, asked: int, kind: int, data: bytes) -> None:
        self._write(wire.ASK, output.current.get(), wire.ASK_HEAD.pack(asked, kind), data)

    def hear(self, payload: bytes) -> None:
        """An answer; to what nobody waits for any more it is dropped."""
        asked, is_refused = wire.ANSWERED_HEAD.unpack_from(payload)
        value = json.loads(payload[wire.ANSWERED_HEAD.size :])
        with self._moved:
            if asked not in self._open:
                return
            future = self._open[asked]
            if future is None:
                self._open[asked] = bool(is_refused), value
                self._moved.notify_all()
                return
        if isinstance(future, tuple) or future.done():
            return
        if is_refused:
            future.set_exception(Refused(value))
        else:
            future.set_result(value)


def _refuse(*_: object) -> None:
    raise Refused("a child of a sandbox's process has no channel")


here: list[Asker] = []  # this sandbox's own, once it serves


def ask(kind: int, data: bytes = b"") -> Any:
    """See `Asker.ask`."""
    return here[-1].ask(kind, data)


async def ask_later(kind: int, data: bytes = b"") -> Any:
    """See `Asker.ask_later`."""
    return await here[-1].ask_later(kind, data)
