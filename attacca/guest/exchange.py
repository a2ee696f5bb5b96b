"""One request and its answer, as the callables of ASGI see them."""

import asyncio
from time import monotonic
from typing import Any, Protocol
from urllib.parse import unquote

from attacca.guest import channel as wire
from attacca.guest.payload import Requested
from attacca.guest.serve import Server, too_large

PIECE_MOST = 256 << 10  # bytes of a frame


class Doorway(Protocol):
    """Where the application's requests come in, and its answers go out."""

    server: Server
    state: dict[str, Any]
    writable: asyncio.Event

    def write(self, kind: int, number: int, *parts: bytes) -> None: ...


class Exchange:
    """What the application and the worker say to one another of one invocation."""

    __slots__ = (
        "_bodies", "_has_whole_body", "_is_head_sent", "_length", "_moved", "asked", "began", "desk", "head", "is_done",
        "is_gone", "is_paused", "number",
    )  # fmt: skip

    def __init__(self, desk: Doorway, number: int, asked: Requested) -> None:
        self.desk, self.number, self.asked = desk, number, asked
        self.began = monotonic()
        self.head: tuple[int, bytes, bytes] | None = None
        self.is_done = False
        self.is_gone = False  # the client is; what is sent goes nowhere
        self.is_paused = False  # the client reads slowly
        self._bodies = [(asked.body, asked.more)]
        self._is_head_sent = self._has_whole_body = False
        self._length = b""  # that the application says its answer has; of a whole one everybody sees it
        self._moved: asyncio.Event | None = None  # made for the first who waits

    def __repr__(self) -> str:
        state = "done" if self.is_done else "answering" if self._is_head_sent else "running"
        return f"<Exchange {self.number} {state}, {len(self._bodies)} pieces unread>"

    def scope(self) -> dict[str, Any]:
        asked, name = self.asked, self.desk.server.function.name
        root = f"/function/{name}"  # the path begins with it: frameworks take it off to route, and keep it to redirect
        path, headers = asked.path, asked.headers
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": asked.scheme,
            "path": root + (unquote(path) if "%" in path else path),
            "raw_path": (root + path).encode("latin-1"),
            "query_string": asked.query,
            "root_path": root,
            "headers": list(zip(headers[::2], headers[1::2], strict=True)),
            "client": (asked.client, asked.port) if asked.client else None,
            "server": (name, None),
            "state": dict(self.desk.state),
            "extensions": {"attacca": {"invocation": asked.id, "function": name}},
        }

    # What the worker says.

    def bring(self, body: bytes, *, more: bool) -> None:
        self._bodies.append((body, more))
        self._stir()

    def pause(self, *, is_paused: bool) -> None:
        self.is_paused = is_paused
        self._stir()

    def leave(self) -> None:
        """The client has gone."""
        self.is_gone, self.is_paused = True, False
        self._stir()

    def finish(self) -> None:
        self.is_done = True
        self._stir()

    def _stir(self) -> None:
        if self._moved is not None:
            self._moved.set()

    async def _wait(self) -> None:
        """Until something has changed."""
        if self._moved is None:
            self._moved = asyncio.Event()
        self._moved.clear()
        await self._moved.wait()

    # What the application does.

    async def receive(self) -> dict[str, Any]:
        while self._has_whole_body or not self._bodies:
            if self.is_gone or (self._has_whole_body and self.is_done):
                return {"type": "http.disconnect"}
            await self._wait()
        body, more = self._bodies.pop(0)
        self._has_whole_body = not more
        return {"type": "http.request", "body": body, "more_body": more}

    @property
    def began_to_answer(self) -> bool:
        return self._is_head_sent or self.is_done

    async def send(self, message: Any) -> None:
        kind = message["type"]
        if self.is_done:
            raise RuntimeError(f"{kind} was sent after the end of the answer")
        if kind == "http.response.start":
            content_type = b""
            headers: list[bytes] = []
            lengths: list[bytes] = []
            for name, value in message.get("headers", ()):
                small = name.lower()
                if small == b"content-type":
                    content_type = bytes(value)
                elif small == b"content-length":
                    lengths.append(value)
                else:
                    headers += (name, value)
            self._length = lengths[0] if len(lengths) == 1 and lengths[0].isdigit() else b""
            if lengths and not self._length:  # whoever reads it says what is wrong with it
                headers += [part for value in lengths for part in (b"content-length", value)]
            self.head = message["status"], content_type, wire.lines(headers)
        elif kind == "http.response.body":
            body, more = bytes(message.get("body", b"")), bool(message.get("more_body", False))
            if more or self._is_head_sent:
                await self.send_body(body, more=more)
            else:
                self._send_whole(body)

    async def send_body(self, data: bytes, *, more: bool) -> None:
        desk, number = self.desk, self.number
        if not self._is_head_sent:
            if not more:
                self._send_whole(data)
                return
            self._write(wire.RESPONSE_HEAD, b"")
            self._is_head_sent = True
        for at in range(0, len(data), PIECE_MOST):
            while self.is_paused:
                await self._wait()
            desk.write(wire.RESPONSE_BODY, number, data[at : at + PIECE_MOST])
            await desk.writable.wait()
        if not more:
            desk.server.close_books(number)
            desk.write(wire.RESPONSE_END, number, wire.RESULT_HEAD.pack(self._took(), 0, 0, 0))
            self.finish()

    def _send_whole(self, body: bytes) -> None:
        server = self.desk.server
        if len(body) > server.max_body:
            server.refuse(self.number, "response_too_large", too_large(len(body), server.max_body))
        else:
            server.close_books(self.number)
            self._write(wire.RESULT, body)
        self.finish()

    def _write(self, kind: int, body: bytes) -> None:
        if self.head is None:
            raise RuntimeError("http.response.body was sent before http.response.start")
        status, content_type, headers = self.head
        if self._length and (kind != wire.RESULT or self._length != b"%d" % len(body)):
            headers = wire.with_field(headers, b"content-length", self._length)
        packed = wire.RESULT_HEAD.pack(self._took(), status, len(content_type), len(headers))
        self.desk.write(kind, self.number, packed, content_type, headers, body)

    def _took(self) -> float:
        return (monotonic() - self.began) * 1e3
