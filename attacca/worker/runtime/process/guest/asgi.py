"""A sandbox at work on an event loop: ASGI applications, and coroutine handlers that run several at once."""

import asyncio
import contextlib
import importlib
import json
import socket
import sys
from collections.abc import Coroutine
from time import monotonic
from typing import Any, cast
from urllib.parse import unquote

from attacca.worker.runtime.process.guest import channel as wire
from attacca.worker.runtime.process.guest import output
from attacca.worker.runtime.process.guest.load import Loaded
from attacca.worker.runtime.process.guest.orders import Order
from attacca.worker.runtime.process.guest.payload import Requested, unpack, unpack_request
from attacca.worker.runtime.process.guest.serve import Server, too_large


class Exchange:
    """One request and its answer, as the callables of ASGI see it."""

    def __init__(self, link: "Link", number: int, asked: Requested) -> None:
        self.link, self.number, self.asked = link, number, asked
        self.incoming: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.incoming.put_nowait((asked.body, asked.more))
        self.flowing, self.done = asyncio.Event(), asyncio.Event()
        self.flowing.set()
        self.began = monotonic()
        self._head: tuple[int, bytes, bytes] | None = None
        self._is_head_sent = self._has_whole_body = False

    def scope(self) -> dict[str, Any]:
        asked, name = self.asked, self.link.server.function.name
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": "http",
            "path": unquote(asked.path) if "%" in asked.path else asked.path,
            "raw_path": asked.path.encode("latin-1"),
            "query_string": asked.query,
            "root_path": f"/function/{name}",
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in json.loads(asked.headers or b"[]")],
            "client": None,
            "server": (name, None),
            "state": dict(self.link.state),
            "extensions": {"attacca": {"invocation": asked.id, "function": name}},
        }

    async def receive(self) -> dict[str, Any]:
        if self._has_whole_body:
            await self.done.wait()
            return {"type": "http.disconnect"}
        body, more = await self.incoming.get()
        self._has_whole_body = not more
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            kind, headers = b"", []
            for name, value in message.get("headers", ()):
                if name.lower() == b"content-type":
                    kind = bytes(value)
                else:
                    headers.append([name.decode("latin-1"), value.decode("latin-1")])
            self._head = (message["status"], kind, json.dumps(headers).encode() if headers else b"")
        elif message["type"] == "http.response.body":
            await self._send_body(bytes(message.get("body", b"")), more=bool(message.get("more_body", False)))

    async def _send_body(self, data: bytes, *, more: bool) -> None:
        if self._head is None:
            raise RuntimeError("http.response.body was sent before http.response.start")
        if not more and not self._is_head_sent:
            self._send_whole(data)
            return
        if not self._is_head_sent:
            self._is_head_sent = True
            self._write(wire.RESPONSE_HEAD, b"")
        if data:
            await self.flowing.wait()
            self.link.write(wire.RESPONSE_BODY, self.number, data)
            await self.link.writable.wait()
        if not more:
            self.link.server.close_books(self.number)
            self.link.write(wire.RESPONSE_END, self.number, wire.RESULT_HEAD.pack(self._took(), 0, 0, 0))
            self.done.set()

    def _send_whole(self, body: bytes) -> None:
        server = self.link.server
        if len(body) > server.max_body:
            server.refuse(self.number, "response_too_large", too_large(len(body), server.max_body))
        else:
            server.close_books(self.number)
            self._write(wire.RESULT, body)
        self.done.set()

    def _write(self, kind: int, body: bytes) -> None:
        assert self._head is not None
        status, content_type, headers = self._head
        packed = wire.RESULT_HEAD.pack(self._took(), status, len(content_type), len(headers))
        self.link.write(kind, self.number, packed, content_type, headers, body)

    def _took(self) -> float:
        return (monotonic() - self.began) * 1e3


class Link(asyncio.Protocol):
    """The channel on the event loop, and the invocations that are on it."""

    transport: asyncio.Transport
    server: Server

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}  # what the application's lifespan shares with its requests
        self.closed, self.writable = asyncio.Event(), asyncio.Event()
        self.writable.set()
        self._exchanges: dict[int, Exchange] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # which uvloop's are not by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def write(self, kind: int, number: int, *parts: bytes) -> None:
        self.transport.write(b"".join((wire.HEAD.pack(sum(map(len, parts)), kind, number), *parts)))

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        at = 0
        while len(buffer) - at >= 9:
            size, kind, number = wire.HEAD.unpack_from(buffer, at)
            if len(buffer) - at - 9 < size:
                break
            self._take(kind, number, buffer[at + 9 : at + 9 + size])
            at += 9 + size
        self._buffer = buffer[at:]

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if kind == wire.INVOKE:
            self._begin(number, self._answer(number, payload), None)
            return
        if kind == wire.REQUEST:
            exchange = Exchange(self, number, unpack_request(payload))
            self._begin(number, self._run(exchange), exchange)
            return
        if kind == wire.STOP and number in self._tasks:
            self._tasks[number].cancel()
        elif number in self._exchanges:
            self._tell(self._exchanges[number], kind, payload)

    def _begin(self, number: int, work: Coroutine[Any, Any, None], exchange: Exchange | None) -> None:
        task = self._tasks[number] = asyncio.get_running_loop().create_task(work)
        if exchange is not None:
            self._exchanges[number] = exchange
        task.add_done_callback(lambda _: self._end(number))

    def _end(self, number: int) -> None:
        del self._tasks[number]
        self._exchanges.pop(number, None)

    def _tell(self, exchange: Exchange, kind: int, payload: bytes) -> None:
        match kind:
            case wire.BODY:
                exchange.incoming.put_nowait((payload, True))
            case wire.BODY_END:
                exchange.incoming.put_nowait((payload, False))
            case wire.PAUSE:
                exchange.flowing.clear()
            case wire.RESUME:
                exchange.flowing.set()
            case _:
                pass

    async def _answer(self, number: int, payload: bytes) -> None:
        output.current.set(number)
        await self.server.answer_later(number, unpack(payload))

    async def _run(self, exchange: Exchange) -> None:
        number, server = exchange.number, self.server
        output.current.set(number)
        try:
            await server.loaded.call(exchange.scope(), exchange.receive, exchange.send)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the sandbox lives on
            if not exchange.done.is_set():
                server.fail(number, error, exchange.began)
        else:
            if not exchange.done.is_set():
                server.refuse(number, "bad_response", "the application returned without finishing its answer")


async def _start_up(link: Link, application: Any) -> asyncio.Task[None]:
    """Run the application's lifespan as a server would; one that knows no lifespan is left alone.

    Raises:
        RuntimeError: the application says that it cannot start.
    """
    answered = asyncio.Event()
    questions = [{"type": "lifespan.startup"}]
    failure: list[str] = []

    async def receive() -> dict[str, str]:
        if not questions:
            await asyncio.Event().wait()
        return questions.pop()

    async def send(message: Any) -> None:
        if message["type"] == "lifespan.startup.failed":
            failure.append(message.get("message", ""))
        answered.set()

    async def run() -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": link.state}
        with contextlib.suppress(Exception):  # the specification: an application may raise to say that it has none
            await application(scope, receive, send)
        answered.set()

    task = asyncio.get_running_loop().create_task(run())
    await answered.wait()
    if failure:
        raise RuntimeError(f"the application's start-up failed: {failure[0]}")
    return task


async def _serve(sock: socket.socket, order: Order, loaded: Loaded, ready: bytes) -> None:
    link = Link()
    await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=sock)
    link.server = Server(link.write, order, loaded)
    output.capture(link.server.ledger)
    lifespan = await _start_up(link, loaded.call) if loaded.signature == "asgi" else None
    link.server.close_books(0)
    link.write(wire.READY, 0, ready)
    await link.closed.wait()
    if lifespan is not None:
        lifespan.cancel()


def serve_on_loop(sock: socket.socket, order: Order, loaded: Loaded, ready: bytes) -> None:
    """The whole life of a sandbox with an event loop; `ready` is sent once the application has started."""
    sock.settimeout(0)
    loop = asyncio.new_event_loop()  # not asyncio.run(): its signal handlers and its tidy end are not for us
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_serve(sock, order, loaded, ready))


REHEARSAL_S = 1.0
FRAMEWORKS = ("fastapi", "starlette")


def warm_up(order: Order, loaded: Loaded) -> None:
    """What libraries put off until their first use, done before the fork. Runs nothing of the user's."""
    if "anyio" in sys.modules:
        importlib.import_module("anyio._backends._asyncio")
    build = getattr(loaded.call, "build_middleware_stack", None)  # Starlette, and FastAPI with it
    if callable(build) and getattr(loaded.call, "middleware_stack", ...) is None:
        loaded.call.middleware_stack = build()  # type: ignore[attr-defined]
    with contextlib.suppress(Exception):  # it is only a rehearsal
        asyncio.run(_rehearse(order, loaded._replace(call=_stand_in(loaded.call), signature="asgi", is_async=True)))


def _stand_in(application: Any) -> Any:
    """An application of the same framework with nothing in it but an echo."""
    kind = type(application)
    if kind.__module__.partition(".")[0] not in FRAMEWORKS:
        return _nothing
    empty: Any = kind()
    if hasattr(empty, "post"):

        async def echo(body: dict[str, Any]) -> dict[str, Any]:
            return body

        empty.post("/")(echo)
    return empty


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b""})


async def _rehearse(order: Order, loaded: Loaded) -> None:
    """One sandbox's life with a stand-in, so that all that is set up at a first time is there to be forked."""
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(0)
        link = Link()
        await asyncio.get_running_loop().create_unix_connection(lambda: link, sock=theirs)
        link.server = Server(link.write, order, loaded)
        lifespan = await _start_up(link, loaded.call)
        headers = json.dumps([("host", "localhost"), ("content-type", "application/json"), ("content-length", "2")])
        parts = (b"rehearsal", b"application/json", b"", b"POST", b"/", headers.encode())
        payload = b"".join((wire.REQUEST_HEAD.pack(0, *map(len, parts)), *parts, b"{}"))
        ours.send(wire.HEAD.pack(len(payload), wire.REQUEST, 1) + payload)
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(ours, 65536), REHEARSAL_S)
    await link.closed.wait()
    lifespan.cancel()
