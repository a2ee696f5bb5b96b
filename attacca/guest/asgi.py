"""A sandbox at work on an event loop: ASGI applications, and coroutine handlers that run several at once."""

import asyncio
import contextlib
import importlib
import json
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from time import monotonic
from typing import Any
from urllib.parse import unquote

from attacca.guest import channel as wire
from attacca.guest import deferred, output
from attacca.guest.answers import Stream
from attacca.guest.link import Link
from attacca.guest.load import Loaded, Unfit
from attacca.guest.payload import Asked, Requested, unpack, unpack_request
from attacca.guest.serve import Server, too_large
from attacca.guest.spec import AgentSpec

PIECE_MOST = 256 << 10  # bytes of a frame
NOTHING = Requested("", "", "", b"", b"", b"", more=False)


class Exchange:
    """One request and its answer, as the callables of ASGI see it."""

    def __init__(self, desk: "Desk", number: int, asked: Requested) -> None:
        self.desk, self.number, self.asked = desk, number, asked
        self._bodies = [(asked.body, asked.more)]
        self._moved, self.flowing, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.flowing.set()
        self.began = monotonic()
        self.head: tuple[int, bytes, bytes] | None = None
        self.is_gone = False  # the client is; what is sent goes nowhere
        self._is_head_sent = self._has_whole_body = False

    def scope(self) -> dict[str, Any]:
        asked, name = self.asked, self.desk.server.function.name
        root = f"/function/{name}"  # the path begins with it: frameworks take it off to route, and keep it to redirect
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": asked.scheme,
            "path": root + (unquote(asked.path) if "%" in asked.path else asked.path),
            "raw_path": (root + asked.path).encode("latin-1"),
            "query_string": asked.query,
            "root_path": root,
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in json.loads(asked.headers or b"[]")],
            "client": (asked.client, asked.port) if asked.client else None,
            "server": (name, None),
            "state": dict(self.desk.state),
            "extensions": {"attacca": {"invocation": asked.id, "function": name}},
        }

    def bring(self, body: bytes, *, more: bool) -> None:
        self._bodies.append((body, more))
        self._moved.set()

    def leave(self) -> None:
        """The client has gone."""
        self.is_gone = True
        self._moved.set()
        self.flowing.set()

    def finish(self) -> None:
        self.done.set()
        self._moved.set()

    async def receive(self) -> dict[str, Any]:
        while self._has_whole_body or not self._bodies:
            if self.is_gone or (self._has_whole_body and self.done.is_set()):
                return {"type": "http.disconnect"}
            self._moved.clear()
            await self._moved.wait()
        body, more = self._bodies.pop(0)
        self._has_whole_body = not more
        return {"type": "http.request", "body": body, "more_body": more}

    @property
    def began_to_answer(self) -> bool:
        return self._is_head_sent or self.done.is_set()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            kind, headers = b"", []
            for name, value in message.get("headers", ()):
                if name.lower() == b"content-type":
                    kind = bytes(value)
                else:
                    headers.append([name.decode("latin-1"), value.decode("latin-1")])
            self.head = (message["status"], kind, json.dumps(headers, ensure_ascii=False).encode() if headers else b"")
        elif message["type"] == "http.response.body":
            await self.send_body(bytes(message.get("body", b"")), more=bool(message.get("more_body", False)))

    async def send_body(self, data: bytes, *, more: bool) -> None:
        if self.head is None:
            raise RuntimeError("http.response.body was sent before http.response.start")
        if not more and not self._is_head_sent:
            self._send_whole(data)
            return
        if not self._is_head_sent:
            self._is_head_sent = True
            self._write(wire.RESPONSE_HEAD, b"")
        for at in range(0, len(data), PIECE_MOST):
            await self.flowing.wait()
            self.desk.write(wire.RESPONSE_BODY, self.number, data[at : at + PIECE_MOST])
            await self.desk.writable.wait()
        if not more:
            self.desk.server.close_books(self.number)
            self.desk.write(wire.RESPONSE_END, self.number, wire.RESULT_HEAD.pack(self._took(), 0, 0, 0))
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
        assert self.head is not None
        status, content_type, headers = self.head
        packed = wire.RESULT_HEAD.pack(self._took(), status, len(content_type), len(headers))
        self.desk.write(kind, self.number, packed, content_type, headers, body)

    def _took(self) -> float:
        return (monotonic() - self.began) * 1e3


class Desk:
    """The invocations that are on the channel."""

    def __init__(self, link: wire.Channel, spec: AgentSpec, loaded: Loaded) -> None:
        self.state: dict[str, Any] = {}  # what the application's lifespan shares with its requests
        self.closed, self.writable = asyncio.Event(), asyncio.Event()
        self.writable.set()
        self._exchanges: dict[int, Exchange] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._loop = asyncio.get_running_loop()
        self._link = Link(self._loop, link.reader, link.writer, wire.MAX_FRAME, self._take, self._lost, self._pressed)
        self.server = Server(self.write, spec, loaded)

    def _lost(self, _why: str) -> None:
        self.closed.set()

    def _pressed(self, paused: bool) -> None:  # noqa: FBT001 - as Link says it
        if paused:
            self.writable.clear()
        else:
            self.writable.set()

    def write(self, kind: int, number: int, *parts: bytes) -> None:
        self._link.send(b"".join((wire.HEAD.pack(sum(map(len, parts)), kind, number), *parts)))

    def disown(self) -> None:
        """As `Server` does: a child that the application forks has no channel."""
        self.server._disown()
        self.write = self.server.write  # type: ignore[method-assign]

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if kind == wire.INVOKE:
            self._begin(number, self._answer(number, unpack(payload)), None)
            return
        if kind == wire.REQUEST:
            exchange = Exchange(self, number, unpack_request(payload))
            is_application = self.server.loaded.signature == "asgi"
            self._begin(
                number, self._run(exchange) if is_application else self._answer(number, exchange.asked), exchange
            )
            return
        if kind == wire.STOP and number in self._tasks:
            self._tasks[number].cancel()
        elif number in self._exchanges:
            self._tell(self._exchanges[number], kind, payload)

    def _begin(self, number: int, work: Coroutine[Any, Any, None], exchange: Exchange | None) -> None:
        task = self._tasks[number] = self._loop.create_task(work)
        if exchange is not None:
            self._exchanges[number] = exchange
        task.add_done_callback(lambda _: self._end(number))

    def _end(self, number: int) -> None:
        del self._tasks[number]
        self._exchanges.pop(number, None)

    def _tell(self, exchange: Exchange, kind: int, payload: bytes) -> None:
        match kind:
            case wire.BODY:
                exchange.bring(payload, more=True)
            case wire.BODY_END:
                exchange.bring(payload, more=False)
            case wire.PAUSE:
                exchange.flowing.clear()
            case wire.RESUME:
                exchange.flowing.set()
            case wire.GONE:
                exchange.leave()
            case _:
                pass

    async def _answer(self, number: int, asked: Asked | Requested) -> None:
        output.current.set(number)
        began = monotonic()
        stream = await self.server.answer_later(number, asked)
        if stream is not None:
            exchange = self._exchanges[number] = Exchange(self, number, NOTHING)
            exchange.began = began
            await self._pour(exchange, stream)

    async def _pour(self, exchange: Exchange, stream: Stream) -> None:
        """Send what a handler makes piece by piece, as it makes it."""
        server, writer = self.server, deferred.load("results").Writer(stream.content_type)
        try:
            async for piece in _iterate(stream.pieces):
                data = writer.write(piece)
                exchange.head = exchange.head or (stream.status, writer.content_type, stream.headers)
                await exchange.send_body(data, more=True)
                if exchange.is_gone:
                    break
            if (found := stream.close and stream.close()) and hasattr(found, "__await__"):
                await found
            exchange.head = exchange.head or (stream.status, stream.content_type, stream.headers)
            await exchange.send_body(b"", more=False)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the sandbox lives on
            if exchange.began_to_answer:
                server.report(exchange.number, error)
            server.fail(exchange.number, error, exchange.began)

    async def _run(self, exchange: Exchange) -> None:
        number, server = exchange.number, self.server
        output.current.set(number)
        try:
            await server.loaded.call(exchange.scope(), exchange.receive, exchange.send)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the sandbox lives on
            if exchange.began_to_answer and not isinstance(error, asyncio.CancelledError):
                server.report(number, error)  # Starlette answers 500 by itself, and raises for the server to log
            if not exchange.done.is_set():
                server.fail(number, error, exchange.began)
        else:
            if not exchange.done.is_set():
                await _give_up(exchange)


async def _give_up(exchange: Exchange) -> None:
    """The application returned without finishing its answer, which it may when nobody is there to read it."""
    if exchange.is_gone and exchange.began_to_answer:
        await exchange.send_body(b"", more=False)
        return
    message = "the application returned without finishing its answer"
    exchange.desk.server.refuse(exchange.number, "bad_response", message)


async def _iterate(pieces: Any) -> AsyncIterator[Any]:
    if hasattr(pieces, "__aiter__"):
        async for piece in pieces:
            yield piece
        return
    following = iter(pieces)
    while (piece := await asyncio.to_thread(next, following, NOTHING)) is not NOTHING:
        yield piece


async def _start_up(desk: Desk, application: Any) -> asyncio.Task[None]:
    """Run the application's lifespan as a server would; one that knows no lifespan is left alone.

    Raises:
        Unfit: the application says that it cannot start.
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
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": desk.state}
        try:
            with contextlib.suppress(Exception):  # the specification: an application may raise to say that it has none
                await application(scope, receive, send)
        finally:
            answered.set()

    task = asyncio.get_running_loop().create_task(run())
    await answered.wait()
    if failure:
        raise Unfit(f"the application's start-up failed: {failure[0].strip()}", "mend what its lifespan does first")
    return task


async def _serve(link: wire.Channel, spec: AgentSpec, loaded: Loaded, ready: bytes) -> None:
    desk = Desk(link, spec, loaded)
    output.capture(desk.server.ledger)
    os.register_at_fork(after_in_child=desk.disown)
    lifespan = await _start_up(desk, loaded.call) if loaded.signature == "asgi" else None
    desk.server.close_books(0)
    desk.write(wire.READY, 0, ready)
    await desk.closed.wait()
    if lifespan is not None:
        lifespan.cancel()


def serve_on_loop(link: wire.Channel, spec: AgentSpec, loaded: Loaded, ready: bytes) -> None:
    """The whole life of a sandbox with an event loop; `ready` is sent once the application has started."""
    loop = asyncio.new_event_loop()  # not asyncio.run(): its signal handlers and its tidy end are not for us
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_serve(link, spec, loaded, ready))


REHEARSAL_S = 1.0
REHEARSALS = 12  # after which Python has specialized what runs, and writes no more into its code
FRAMEWORKS = ("fastapi", "starlette")


def warm_up(spec: AgentSpec, loaded: Loaded) -> None:
    """What libraries put off until their first use, done before the fork. Runs nothing of the user's."""
    if "anyio" in sys.modules:
        importlib.import_module("anyio._backends._asyncio")
    build = getattr(loaded.call, "build_middleware_stack", None)  # Starlette, and FastAPI with it
    if callable(build) and getattr(loaded.call, "middleware_stack", ...) is None:
        loaded.call.middleware_stack = build()  # type: ignore[attr-defined]
    _look_at_endpoints(loaded.call)
    stand_in = loaded._replace(call=_stand_in(loaded.call), signature="asgi", is_async=True)
    with contextlib.suppress(Exception):  # it is only a rehearsal
        for _ in range(REHEARSALS):
            asyncio.run(_rehearse(spec, stand_in))


def _look_at_endpoints(application: Any) -> None:
    """FastAPI reads, and tokenizes, the source of each endpoint when that is first called."""
    look = getattr(sys.modules.get("fastapi.routing"), "_extract_endpoint_context", None)
    if callable(look):
        with contextlib.suppress(Exception):  # not of its public interface
            for route in application.routes:
                look(route.endpoint)


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


async def _rehearse(spec: AgentSpec, loaded: Loaded) -> None:
    """One sandbox's life with a stand-in, so that all that is set up at a first time is there to be forked."""
    to_desk, from_desk = os.pipe(), os.pipe()
    desk = Desk(wire.Channel(to_desk[0], from_desk[1]), spec, loaded)
    lifespan = await _start_up(desk, loaded.call)
    headers = json.dumps([("host", "localhost"), ("content-type", "application/json"), ("content-length", "2")])
    parts = (b"rehearsal", b"application/json", b"", b"POST", b"/", b"127.0.0.1", b"http", headers.encode())
    payload = b"".join((wire.REQUEST_HEAD.pack(0, 0, *map(len, parts)), *parts, b"{}"))
    try:
        os.write(to_desk[1], wire.HEAD.pack(len(payload), wire.REQUEST, 1) + payload)
        await asyncio.wait_for(_can_be_read(from_desk[0]), REHEARSAL_S)
    finally:
        os.close(to_desk[1])
        os.close(from_desk[0])
    await desk.closed.wait()
    lifespan.cancel()


async def _can_be_read(descriptor: int) -> None:
    loop, found = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, found.set)
    try:
        await found.wait()
    finally:
        loop.remove_reader(descriptor)
