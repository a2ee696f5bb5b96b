"""A sandbox at work on an event loop: ASGI applications, and coroutine handlers that run several at once."""

import asyncio
import contextlib
import importlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from time import monotonic
from typing import Any

from attacca.guest import channel as wire
from attacca.guest import deferred, output
from attacca.guest.answers import Stream
from attacca.guest.exchange import Exchange
from attacca.guest.link import Link
from attacca.guest.load import Loaded, Unfit
from attacca.guest.loops import ChannelSelector, is_ordinary, new_loop
from attacca.guest.payload import Asked, Requested, unpack, unpack_request
from attacca.guest.serve import Server
from attacca.guest.spec import AgentSpec

NOTHING = Requested("", "", "", b"", [], b"", more=False)


class Desk:
    """The invocations that are on the channel."""

    def __init__(
        self,
        link: wire.Channel,
        spec: AgentSpec,
        loaded: Loaded,
        selector: ChannelSelector | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """`selector` is what the loop waits with, where that is one of ours; `loop` is the one that runs unless it is
        given."""
        self.state: dict[str, Any] = {}  # what the application's lifespan shares with its requests
        self.closed, self.writable = asyncio.Event(), asyncio.Event()
        self.writable.set()
        self._exchanges: dict[int, Exchange] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._loop = loop or asyncio.get_running_loop()
        self._link = Link(self._loop, link.reader, link.writer, wire.MAX_FRAME, self._take, self._lost, self._pressed)
        if selector is not None:
            selector.serve_first(link.reader, self._link.readable)
        self.server = Server(self.write, spec, loaded)
        self._is_application, self._call = loaded.signature == "asgi", loaded.call

    def __repr__(self) -> str:
        return f"<Desk {len(self._tasks)} tasks, {len(self._exchanges)} exchanges, {self._link}>"

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
        self.server.disown()
        self.write = self.server.write  # type: ignore[method-assign]

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if kind == wire.REQUEST:
            exchange = self._exchanges[number] = Exchange(self, number, unpack_request(payload))
            self._begin(number, self._run(exchange) if self._is_application else self._answer(number, exchange.asked))
        elif kind == wire.INVOKE:
            self._begin(number, self._answer(number, unpack(payload)))
        elif kind == wire.STOP and number in self._tasks:
            task = self._tasks[number]
            task.add_done_callback(lambda _: self._end(number))  # it may never have begun
            task.cancel()
        elif kind == wire.ANSWERED:
            self.server.asker.hear(payload)
        elif number in self._exchanges:
            self._tell(self._exchanges[number], kind, payload)

    def _begin(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        """Whoever works says itself when it is over: a callback would take another turn of the loop."""
        task = self._loop.create_task(work)
        if not task.done():  # the function may have asked for eager ones
            self._tasks[number] = task

    def _end(self, number: int) -> None:
        self._tasks.pop(number, None)
        self._exchanges.pop(number, None)

    def _tell(self, exchange: Exchange, kind: int, payload: bytes) -> None:
        match kind:
            case wire.BODY:
                exchange.bring(payload, more=True)
            case wire.BODY_END:
                exchange.bring(payload, more=False)
            case wire.PAUSE:
                exchange.pause(is_paused=True)
            case wire.RESUME:
                exchange.pause(is_paused=False)
            case wire.GONE:
                exchange.leave()
            case _:
                pass

    async def _answer(self, number: int, asked: Asked | Requested) -> None:
        output.current.set(number)
        began = monotonic()
        try:
            stream = await self.server.answer_later(number, asked)
            if stream is not None:
                exchange = self._exchanges[number] = Exchange(self, number, NOTHING)
                exchange.began = began
                await self._pour(exchange, stream)
        finally:
            self._end(number)

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
            await self._call(exchange.scope(), exchange.receive, exchange.send)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the sandbox lives on
            if exchange.began_to_answer and not isinstance(error, asyncio.CancelledError):
                server.report(number, error)  # Starlette answers 500 by itself, and raises for the server to log
            if not exchange.is_done:
                server.fail(number, error, exchange.began)
        else:
            if not exchange.is_done:
                await _give_up(exchange)
        finally:
            self._end(number)


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


async def _serve(desk: Desk, loaded: Loaded, ready: bytes) -> None:
    os.register_at_fork(after_in_child=desk.disown)
    lifespan = await _start_up(desk, loaded.call) if loaded.signature == "asgi" else None
    desk.server.close_books(0)
    desk.write(wire.READY, 0, ready)
    await desk.closed.wait()
    if lifespan is not None:
        lifespan.cancel()


def prepare(link: wire.Channel, spec: AgentSpec, loaded: Loaded, *, is_now: bool) -> Callable[[bytes], None]:
    """The whole life of a sandbox with an event loop, put together; the words that what is returned takes are sent once
    the application has started. The loop is made now, if that is told and it is one of ours, or only then."""
    made = _furnished(link, spec, loaded) if is_now and is_ordinary() else None

    def serve(ready: bytes) -> None:
        loop, desk = made or _furnished(link, spec, loaded)
        desk.server.ledger.write = desk.write
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_serve(desk, loaded, ready))

    return serve


def _furnished(link: wire.Channel, spec: AgentSpec, loaded: Loaded) -> tuple[asyncio.AbstractEventLoop, Desk]:
    loop, selector = new_loop()  # not asyncio.run(): its signal handlers and its tidy end are not for us
    desk = Desk(link, spec, loaded, selector, loop)
    desk.server.ledger.write = output.unheard
    output.capture(desk.server.ledger)
    return loop, desk


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
            loop, selector = new_loop()
            with asyncio.Runner(loop_factory=lambda loop=loop: loop) as runner:  # type: ignore[misc]
                runner.run(_rehearse(spec, stand_in, selector))


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


async def _rehearse(spec: AgentSpec, loaded: Loaded, selector: ChannelSelector | None) -> None:
    """One sandbox's life with a stand-in, so that all that is set up at a first time is there to be forked."""
    to_desk, from_desk = os.pipe(), os.pipe()
    desk = Desk(wire.Channel(to_desk[0], from_desk[1]), spec, loaded, selector)
    lifespan = await _start_up(desk, loaded.call)
    headers = (b"host", b"localhost", b"content-type", b"application/json", b"content-length", b"2")
    head = wire.lines((b"rehearsal", b"application/json", b"", b"POST", b"/", b"127.0.0.1", b"http", *headers))
    payload = b"".join((wire.REQUEST_HEAD.pack(0, 0, len(head)), head, b"{}"))
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
