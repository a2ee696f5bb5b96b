"""One request of the admin API, carried to its ASGI application and back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import unquote

from attacca.errors import BadResponse, Internal
from attacca.gateway.http import response
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.request import Head
from attacca.gateway.http.response import Fields, Whole

BUFFER = 256 * 1024  # bytes of a request's body that may wait for the application
log = logging.getLogger(__name__)


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


def scope_of(head: Head, path: str, query: str, ends: Ends) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.0" if head.is_old else "1.1",
        "method": head.verb,
        "scheme": "http",
        "path": unquote(path.encode("latin-1").decode("utf-8", "replace"), errors="replace"),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": head.fields,
        "client": ends.theirs,
        "server": ends.ours,
        "state": {"peer_uid": lambda: ends.user()},  # noqa: PLW0108 - a method would be copied with what it belongs to
    }


class Answers(Protocol):
    """The exchange, as the application's answer goes to it."""

    def respond(self, answer: Whole) -> None: ...
    def start_stream(self, status: int, fields: Fields) -> None: ...
    def body(self, data: bytes) -> None: ...
    def end_stream(self, *, is_whole: bool) -> None: ...


class AsgiAdapter:
    """Runs as one task; ends with the answer, or with the client. `resume`: the connection may read on."""

    def __init__(self, answers: Answers, resume: Callable[[], None], app: AsgiApp, scope: Scope) -> None:
        self._answers = answers
        self._resume = resume
        self._app = app
        self._scope = scope
        self._parts: list[bytes] = []
        self._size = 0
        self._has_all = False
        self._is_lost = False
        self._is_answered = False
        self._start: tuple[int, Fields] | None = None
        self._has_head = False
        self._moved = asyncio.Event()  # something arrived, or the client has gone
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def __repr__(self) -> str:
        state = "lost" if self._is_lost else "answered" if self._is_answered else "running"
        return f"<AsgiAdapter {state}, {self._size} bytes wait for the application>"

    # What the exchange says (upload.Sink).

    @property
    def is_full(self) -> bool:
        return self._size > BUFFER

    def feed(self, data: bytes, *, last: bool) -> None:
        if data:
            self._parts.append(data)
            self._size += len(data)
        self._has_all = last
        self._moved.set()

    def open(self) -> None:
        """The application is there from the start."""

    def flow(self, *, paused: bool) -> None:
        """The application pulls."""

    def choke(self, *, paused: bool) -> None:
        if paused:
            self._can_write.clear()
        else:
            self._can_write.set()

    def lost(self) -> None:
        self._is_lost = True
        self._moved.set()
        self._can_write.set()

    # The application's side.

    async def _receive(self) -> Message:
        while not self._parts and not self._is_lost and not self._is_answered:
            if self._has_all and self._size >= 0:
                self._size = -1  # told once that the body is complete; from here on only the end of the client is news
                return {"type": "http.request", "body": b"", "more_body": False}
            self._moved.clear()
            await self._moved.wait()
        if self._is_lost or self._is_answered:
            return {"type": "http.disconnect"}
        body = b"".join(self._parts)
        self._parts.clear()
        self._size = -1 if self._has_all else 0
        self._resume()
        return {"type": "http.request", "body": body, "more_body": not self._has_all}

    async def _send(self, message: Message) -> None:
        if self._is_lost or self._is_answered:
            return
        if message["type"] == "http.response.start":
            self._start = (message["status"], response.clean(message.get("headers", ())))
        elif message["type"] == "http.response.body":
            self._write(message.get("body", b""), more=message.get("more_body", False))
            await self._can_write.wait()

    def _write(self, body: bytes, *, more: bool) -> None:
        if self._start is None:
            raise BadResponse("the application sent a body before a status")
        status, fields = self._start
        if not self._has_head and not more:
            self._end()
            self._answers.respond(Whole(status, fields, body))
            return
        if not self._has_head:
            self._has_head = True
            self._answers.start_stream(status, fields)
        self._answers.body(body)
        if not more:
            self._end()
            self._answers.end_stream(is_whole=True)

    def _end(self) -> None:
        self._is_answered = True
        self._moved.set()

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception:  # whatever it was, the client gets an answer
            log.exception("the admin API failed")
        if self._is_answered or self._is_lost:
            return
        self._is_answered = True
        if self._has_head:
            self._answers.end_stream(is_whole=False)
        else:
            self._answers.respond(response.of_error(Internal("the admin API failed", "the server's log says why")))
