"""A sandbox at work: takes invocations from its channel, calls the handler, sends what came of it."""

import contextlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from attacca.guest import asking, deferred, output
from attacca.guest import channel as wire
from attacca.guest.answers import (
    Answer,
    Awaited,
    Stream,
    Unsendable,
    encode,
    encode_action,
    encode_gateway,
    encode_handle,
    encode_response,
)
from attacca.guest.context import Context, Function
from attacca.guest.load import Loaded
from attacca.guest.payload import (
    TOO_DEEP,
    Asked,
    BadInput,
    Requested,
    alone,
    body_of,
    decode,
    fields,
    named,
    unpack,
    unpack_request,
)
from attacca.guest.spec import AgentSpec

if TYPE_CHECKING:
    import asyncio

    from attacca.guest.pieces import Line

Arguments = Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]  # of what was asked
TRACEBACK_CHARS = 16_384
OURS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
DECODER = json.decoder.__file__


def adapted(loaded: Loaded) -> Loaded:
    """What takes a request of a framework's is served as an application of that framework's. A template asks too, so
    that what is needed for it is there before the fork."""
    found: Loaded = deferred.load("web").application(loaded) if loaded.signature == "request" else loaded
    if found.signature == "wsgi":
        deferred.load("wsgi")
    elif found.event != "plain":
        deferred.load("events")
    return found


class Server:
    """Calls one handler, whichever signature it has."""

    def __init__(self, write: wire.Write, spec: AgentSpec, loaded: Loaded) -> None:
        self.write, self.loaded = write, loaded
        self.call, self.is_async = loaded.call, loaded.is_async
        self.function = Function(
            spec["function"], spec["revision"], spec["memory_mb"], spec["timeout_s"], is_traced=spec["is_traced"]
        )
        self.max_body = spec["max_body"]
        self.is_shared = spec["concurrency"] > 1
        self.ledger = output.Ledger(write, spec["max_log"])
        self.arguments = arguments_for(loaded, self.function)
        self.encode = encoder_for(loaded)
        self.asker = asking.Asker(write)
        asking.here[:] = [self.asker]
        self.lines: dict[int, Line] = {}  # those running that hear what else is said of them
        self._pull: Callable[[], None] | None = None
        self._has_more: Callable[[], bool] | None = None
        self.loops: list[asyncio.AbstractEventLoop] = []  # one for each thread that needed one
        self._here = threading.local()

    def __repr__(self) -> str:
        return f"<Server {self.function.name}, {len(self.lines)} lines, {len(self.loops)} loops, {self.asker}>"

    def one_by_one(self, channel: wire.Channel) -> Callable[[], None]:
        """The whole life of a sandbox whose handler runs alone: read, call, answer. It raises Closed when the worker is
        gone."""
        pull = self._pull = lambda: self._hear(*channel.read())
        self._has_more = lambda: channel.has_more
        self.asker.read_with(pull)
        read, answer, respond = channel.read, self.answer, self.responder()
        invoke, request = wire.INVOKE, wire.REQUEST

        def serve() -> None:
            if sys.version_info >= (3, 14):  # before, a main thread has one when it is asked for
                lend_loops()
            while True:
                kind, number, payload = read()
                if kind == invoke:
                    answer(number, unpack(payload))
                elif kind == request:
                    respond(number, unpack_request(payload))
                else:  # to one that has ended
                    continue
                reap()

        return serve

    def in_threads(self, channel: wire.Channel, count: int) -> Callable[[], None]:
        """The same for a handler that may run `count` times at once."""
        respond, is_application = self.responder(), self.loaded.signature == "wsgi"

        def serve() -> None:
            from concurrent.futures import ThreadPoolExecutor  # here, because most functions do without

            lend_loops()
            with ThreadPoolExecutor(count, "invocation") as pool:
                while True:
                    kind, number, payload = channel.read()
                    if kind == wire.INVOKE:
                        pool.submit(self.answer, number, unpack(payload))
                    elif kind == wire.REQUEST:
                        if is_application:
                            self.line(number)  # now: what else is said of it may be read before a thread takes it
                        pool.submit(respond, number, unpack_request(payload))
                    else:
                        self._hear(kind, number, payload)

        return serve

    def responder(self) -> Callable[[int, Requested], None]:
        if self.loaded.signature != "wsgi":
            return self.answer
        respond: Callable[[int, Requested], None] = deferred.load("wsgi").Application(self).answer
        return respond

    def _hear(self, kind: int, number: int, payload: bytes) -> None:
        if kind == wire.ANSWERED:
            self.asker.hear(payload)
        elif kind == wire.INVOKE:
            self.write(wire.BOUNCED, number)
        elif (line := self.lines.get(number)) is not None:
            line.hear(kind, payload)

    def line(self, number: int) -> "Line":
        """From here on what is said of this invocation is heard; whoever answers it takes it out of `lines`."""
        found = self.lines.get(number)
        if found is None:
            found = self.lines[number] = deferred.load("pieces").Line(self._pull, self._has_more)
        return found

    def disown(self) -> None:
        """A child that the handler forks is no sandbox: it prints past the channel, and ends where it would answer."""
        self.ledger.write = output.print_past
        self.asker.disown()
        self.write = output.end
        self.fail = _leave  # type: ignore[assignment,method-assign]

    def answer(self, number: int, asked: Asked | Requested) -> None:
        output.current.set(number)
        began = monotonic()
        try:
            positional, keywords = self.arguments(asked)
            began = monotonic()
            result = self.call(*positional, **keywords)
            if self.is_async:
                result = self.run_to_end(result)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the sandbox lives on
            self.fail(number, error, began)
        else:
            rest = self.finish(number, result, began)
            if rest is not None:
                self._go_on(number, rest, began)

    def _go_on(self, number: int, rest: Stream | Awaited | None, began: float) -> None:
        while isinstance(rest, Awaited):
            try:
                result = self.run_to_end(rest.awaitable)
            except BaseException as error:  # noqa: BLE001 - as in answer()
                self.fail(number, error, began)
                return
            rest = self.finish(number, result, began)
        if rest is not None:
            try:
                deferred.load("pieces").pour(self, self.line(number), number, rest, began)
            finally:
                del self.lines[number]

    async def answer_later(self, number: int, asked: Asked | Requested) -> Stream | None:
        """The same for a coroutine handler on a loop that runs several; a stream is left to whoever has the loop."""
        began = monotonic()
        try:
            positional, keywords = self.arguments(asked)
            began = monotonic()
            result = self.call(*positional, **keywords)
            if hasattr(result, "__await__"):
                result = await result
        except BaseException as error:  # noqa: BLE001 - as in answer()
            self.fail(number, error, began)
            return None
        rest = self.finish(number, result, began)
        while isinstance(rest, Awaited):
            try:
                result = await rest.awaitable
            except BaseException as error:  # noqa: BLE001 - as in answer()
                self.fail(number, error, began)
                return None
            rest = self.finish(number, result, began)
        return rest

    def run_to_end(self, result: Any) -> Any:
        """What an awaitable comes to; anything else is that already."""
        if not hasattr(result, "__await__"):
            return result
        loop = getattr(self._here, "loop", None)
        if loop is None:
            import asyncio  # here, because most functions do without

            loop = self._here.loop = asyncio.new_event_loop()
            self.loops.append(loop)
        return loop.run_until_complete(_awaited(result))

    def finish(self, number: int, result: Any, began: float) -> Stream | Awaited | None:
        """Answer with it, or return what has to be done before."""
        took = (monotonic() - began) * 1e3
        try:
            found = self.encode(result)
        except Unsendable as error:
            self.refuse(number, "bad_response", str(error))
            return None
        except Exception as error:  # noqa: BLE001 - what the user's own classes raise while they are written out
            self.refuse(number, "bad_response", f"the answer cannot be written: {type(error).__name__}: {said(error)}")
            return None
        if type(found) is not Answer:
            return found  # type: ignore[return-value]
        status, content_type, headers, body = found
        self.send(number, took, status, content_type, headers, body)
        return None

    def send(self, number: int, took: float, status: int, content_type: bytes, headers: bytes, body: bytes) -> None:
        """A whole answer."""
        if len(body) > self.max_body:
            self.refuse(number, "response_too_large", too_large(len(body), self.max_body))
            return
        self.close_books(number)
        head = wire.RESULT_HEAD.pack(took, status, len(content_type), len(headers))
        self.write(wire.RESULT, number, head, content_type, headers, body)

    def fail(self, number: int, error: BaseException, began: float) -> None:
        if isinstance(error, BadInput):
            self.refuse(number, "bad_request", str(error))
            return
        if isinstance(error, Unsendable):
            self.refuse(number, "bad_response", str(error))
            return
        if isinstance(error, RecursionError) and is_of_json(error):
            self.refuse(number, "bad_request", TOO_DEEP)
            return
        self.close_books(number)
        took = (monotonic() - began) * 1e3
        self.write(wire.ERROR, number, json.dumps({**describe(error), "run_ms": took}).encode())

    def refuse(self, number: int, code: str, message: str) -> None:
        self.close_books(number)
        self.write(wire.BROKEN, number, json.dumps({"code": code, "message": message}).encode())

    def report(self, number: int, error: BaseException) -> None:
        """What no answer can carry any more is in the log."""
        output.flush()
        self.ledger.emit(number, "error", describe(error)["traceback"])
        self.close_books(number)

    def close_books(self, number: int) -> None:
        """What it printed goes before its answer."""
        if output.STDOUT.pending or output.STDERR.pending:
            output.flush()
        if self.ledger.written:
            self.ledger.written.pop(number, None)


def encoder_for(loaded: Loaded) -> Callable[[Any], Answer | Stream | Awaited]:
    """How what the handler returns becomes an answer."""
    if loaded.signature == "event_context" and loaded.handler.endswith(":handle"):
        return encode_handle
    if loaded.event.startswith("api-gateway"):
        return encode_gateway
    match loaded.signature, loaded.event:
        case "request", _:
            return encode_response
        case "args", "http":
            return encode_action
        case _:
            return encode


def arguments_for(loaded: Loaded, function: Function) -> Arguments:
    """What the handler is called with, from what was asked."""
    parameters, shape = loaded.parameters, loaded.event
    event = decode if shape == "plain" else deferred.load("events").shape(shape, loaded.call, function)
    match loaded.signature:
        case "event_context":
            return lambda asked: ((event(asked), Context(function, asked.id, asked.traceparent)), {})
        case "event":
            return lambda asked: ((event(asked),), {})
        case "args" if shape == "http":
            action = deferred.load("events").action
            return lambda asked: ((action(asked),), {})
        case "args":
            return lambda asked: ((fields(event(asked)),), {})
        case "text":
            body = deferred.load("events").watched if shape == "http" else body_of
            return lambda asked: ((body(asked),), {})
        case "request":
            request = deferred.load("web").Request
            return lambda asked: ((request(asked, function.name),), {})
        case "named":
            assert parameters is not None

            def by_name(asked: Asked | Requested) -> tuple[tuple[Any, ...], dict[str, Any]]:
                if isinstance(asked, Requested):
                    asked = alone(asked)
                are_texts = not asked.body or b"urlencoded" in asked.content_type
                return (), named(decode(asked), parameters, asked.query, are_texts=are_texts)

            return by_name
        case _:  # an application is not called with arguments of ours
            return lambda _: ((), {})


async def _awaited(result: Any) -> Any:
    return await result


def lend_loops() -> None:
    if "asyncio" in sys.modules:
        deferred.load("loops").lend()


def _leave(_number: int, error: BaseException, _began: float) -> None:
    """As a program ends that does not handle this."""
    status = 1
    if isinstance(error, SystemExit):
        told = error.code
        status = told if isinstance(told, int) else 0 if told is None else 1
    with contextlib.suppress(Exception):  # the handler may have closed it
        if not isinstance(error, SystemExit):
            print(describe(error)["traceback"], end="", file=sys.stderr)
        output.flush()
    os._exit(status & 0xFF)


def too_large(size: int, limit: int) -> str:
    return f"the answer has {size / 1e6:.1f} MB; at most {limit / 1e6:.0f} MB can be sent whole"


def describe(error: BaseException) -> dict[str, str]:
    """An exception as data, without our own frames in its traceback; or with what it has in the place of one."""
    told = getattr(error, "__told__", None)
    if isinstance(told, str):
        return {"type": type(error).__name__, "message": said(error)[:4096], "traceback": told[:TRACEBACK_CHARS]}
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(OURS):
        tb = tb.tb_next
    text = "".join(traceback.format_exception(type(error), error, tb))
    if len(text) > TRACEBACK_CHARS:
        text = f"{text[: TRACEBACK_CHARS // 2]}\n...\n{text[-TRACEBACK_CHARS // 2 :]}"
    return {"type": type(error).__name__, "message": said(error)[:4096], "traceback": text}


def is_of_json(error: BaseException) -> bool:
    """Did it arise where JSON was read? That is what the client sent, whoever reads it."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb is not None and tb.tb_frame.f_code.co_filename == DECODER


def said(error: BaseException) -> str:
    """Its text, also if its own way to make one fails."""
    try:
        return str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # noqa: BLE001 - `__str__` is the user's code too
        return "<exception str() failed>"  # as Python's own tracebacks have it


def reap() -> None:
    """Bury orphans: as pid 1 of our namespace we inherit what the handler's own children leave behind."""
    if "subprocess" not in sys.modules or os.getpid() != 1:
        return
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
