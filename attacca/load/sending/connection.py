"""Connections that carry one request at a time, as lean as Python allows, and a pool of them that grows."""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from httptools import HttpParserError, HttpResponseParser

SPARE: Final = 16  # idle connections below which more are opened
LINKS_MOST: Final = 4000
REDIAL_S: Final = 0.2  # after a connection was refused
ERROR_BODY: Final = 600  # bytes of it that go along with an error's head
START: Final = 1 << 18  # bytes of an answer, in which its head is, that are kept as they come
LOST, NO_ANSWER, NOT_SENT, UNREACHABLE = "connection_lost", "no_answer", "not_sent", "unreachable"

now = time.monotonic  # noqa: TID251 - the one clock that all processes of a run share

# What became of a request: its token, sent, received, status, head (of an error: with its body), error, bytes of body.
Answered = Callable[[Any, float, float, int, bytes, str, int], None]


class Link(asyncio.Protocol):
    """One connection. Busy from `send` until the last byte of the answer, or until it is lost."""

    __slots__ = ("_fd", "_is_whole", "_parser", "_pool", "_sent", "_size", "_start", "_transport", "token")

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._parser = HttpResponseParser(self)
        self._start = b""  # of the answer: its head, and of its body what came with it
        self._size = 0  # of the answer, so far
        self._is_whole = False
        self._sent = 0.0
        self.token: Any = None

    def __repr__(self) -> str:
        return f"<Link busy={self.token is not None}, {self._size} B received>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._fd = transport.get_extra_info("socket").fileno()
        self._pool.opened(self)

    def send(self, request: bytes, token: Any) -> None:
        """Straight to the socket: the loop would only write at the end of its turn."""
        self.token, self._sent = token, now()
        try:
            written = os.write(self._fd, request)
        except BlockingIOError:
            written = 0
        except OSError:
            self._transport.abort()
            return
        if written < len(request):
            self._transport.write(request[written:])

    def on_message_complete(self) -> None:
        self._is_whole = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self._transport.abort()  # and what it was asked is lost
            return
        if len(self._start) < START:
            self._start = self._start + data if self._start else data
        self._size += len(data)
        if self._is_whole:
            self._answer()

    def _answer(self) -> None:
        received = now()
        parser, start, size = self._parser, self._start, self._size
        token, self.token, self._start, self._size, self._is_whole = self.token, None, b"", 0, False
        end, status, stays = start.find(b"\r\n\r\n") + 4, parser.get_status_code(), parser.should_keep_alive()
        head = start[: end + ERROR_BODY] if size <= end + ERROR_BODY or status >= 400 else start[:end]
        if not stays:
            self._transport.close()
        self._pool.answered(token, self._sent, received, status, head, "", size - end)
        if stays:
            self._pool.rest(self)

    def connection_lost(self, _: Exception | None) -> None:
        token, self.token = self.token, None
        del self._parser  # it holds us, and nothing here is collected
        self._pool.lost(self)
        if token is not None:
            self._pool.answered(token, self._sent, now(), 0, b"", self._pool.loss, 0)

    def close(self) -> None:
        self._transport.abort()


class Pool:
    """Requests go to idle connections, the last used first; without one they wait for it, and one more is opened."""

    def __init__(self, host: str, port: int, answered: Answered) -> None:
        self.answered = answered
        self._host, self._port = host, port
        self._idle: list[Link] = []
        self._waiting: deque[tuple[bytes, Any]] = deque()
        self._links: dict[Link, None] = {}
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def __repr__(self) -> str:
        return (
            f"<Pool {len(self._links)} links, {len(self._idle)} idle, {self._opening} opening, "
            f"{len(self._waiting)} waiting>"
        )

    @property
    def loss(self) -> str:
        return NO_ANSWER if self._is_closed else LOST

    async def open(self, count: int) -> None:
        """Raises OSError when nobody listens."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            await loop.create_connection(lambda: Link(self), self._host, self._port)

    def send(self, request: bytes, token: Any) -> None:
        idle = self._idle
        if idle:
            idle.pop().send(request, token)
        else:
            self._waiting.append((request, token))
        if len(idle) + self._opening < SPARE + len(self._waiting):
            self._grow()

    def _grow(self) -> None:
        if len(self._links) + self._opening >= LINKS_MOST or self._is_closed:
            return
        self._opening += 1
        task = asyncio.get_running_loop().create_task(self._open_one())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open_one(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: Link(self), self._host, self._port)
        except OSError:
            self._fail_waiting()
            await asyncio.sleep(REDIAL_S)
        finally:
            self._opening -= 1

    def _fail_waiting(self) -> None:
        """Nobody listens any more, and no connection is left on which they could go out."""
        if not self._links:
            self.refuse(UNREACHABLE)

    def refuse(self, error: str) -> None:
        """What still waits for a connection is answered with this error."""
        waiting, self._waiting = self._waiting, deque()
        for _, token in waiting:
            at = now()
            self.answered(token, at, at, 0, b"", error, 0)

    def opened(self, link: Link) -> None:
        if self._is_closed:
            link.close()
            return
        self._links[link] = None
        self.rest(link)

    def rest(self, link: Link) -> None:
        if self._waiting:
            link.send(*self._waiting.popleft())
        else:
            self._idle.append(link)

    def lost(self, link: Link) -> None:
        self._links.pop(link, None)
        with contextlib.suppress(ValueError):
            self._idle.remove(link)

    def give_up(self) -> None:
        """What has no answer yet gets none."""
        self._is_closed = True
        self.refuse(NOT_SENT)
        for link in list(self._links):
            link.close()
        for task in list(self._tasks):
            task.cancel()
