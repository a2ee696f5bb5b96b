"""A sandbox at work: takes invocations from its channel, calls the handler, sends what came of it."""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from attacca.worker.runtime.process.guest import channel as wire
from attacca.worker.runtime.process.guest import output
from attacca.worker.runtime.process.guest.context import Context, Function
from attacca.worker.runtime.process.guest.load import Loaded
from attacca.worker.runtime.process.guest.orders import Order
from attacca.worker.runtime.process.guest.payload import (
    Asked,
    BadInput,
    Unsendable,
    decode,
    encode,
    fields,
    named,
    unpack,
)

if TYPE_CHECKING:
    import asyncio

TRACEBACK_CHARS = 16_384
GUEST = os.path.dirname(__file__)


class Server:
    """Calls one handler, whichever signature it has."""

    def __init__(self, write: wire.Write, order: Order, loaded: Loaded) -> None:
        self.write, self.loaded = write, loaded
        self.call, self.is_async = loaded.call, loaded.is_async
        self.function = Function(order["function"], order["revision"], order["memory_mb"], order["timeout_s"])
        self.max_body = order["max_body"]
        self.ledger = output.Ledger(write, order["max_log"])
        self.arguments = self._arguments_for(loaded)
        self._loop: asyncio.AbstractEventLoop | None = None

    def _arguments_for(self, loaded: Loaded) -> Callable[[Asked], tuple[tuple[Any, ...], dict[str, Any]]]:
        function, parameters = self.function, loaded.parameters
        match loaded.signature:
            case "event_context":
                return lambda asked: ((decode(asked), Context(function, asked.id)), {})
            case "args":
                return lambda asked: ((fields(decode(asked)),), {})
            case "named":
                assert parameters is not None

                def by_name(asked: Asked) -> tuple[tuple[Any, ...], dict[str, Any]]:
                    are_texts = not asked.body or b"urlencoded" in asked.content_type
                    return (), named(decode(asked), parameters, asked.query, are_texts=are_texts)

                return by_name
            case _:  # an application is not called with arguments of ours
                return lambda _: ((), {})

    def serve_one_by_one(self, channel: wire.Channel) -> None:
        """The whole life of a sandbox whose handler runs alone: read, call, answer.

        Raises:
            Closed: the worker is gone.
        """
        os.register_at_fork(after_in_child=self._disown)
        while True:
            kind, number, payload = channel.read()
            if kind == wire.INVOKE:
                self.answer(number, unpack(payload))
                reap()

    def serve_in_threads(self, channel: wire.Channel, count: int) -> None:
        """The same for a handler that may run `count` times at once.

        Raises:
            Closed: the worker is gone.
        """
        from concurrent.futures import ThreadPoolExecutor  # here, because most functions do without

        os.register_at_fork(after_in_child=self._disown)
        with ThreadPoolExecutor(count, "invocation") as pool:
            while True:
                kind, number, payload = channel.read()
                if kind == wire.INVOKE:
                    pool.submit(self.answer, number, unpack(payload))

    def _disown(self) -> None:
        """A child that the handler forks is no sandbox: it prints past the channel, and ends where it would answer."""
        self.ledger.write = _print
        self.write = _end
        self.fail = _leave  # type: ignore[assignment,method-assign]

    def answer(self, number: int, asked: Asked) -> None:
        output.current.set(number)
        began = monotonic()
        try:
            positional, keywords = self.arguments(asked)
            began = monotonic()
            result = self.call(*positional, **keywords)
            if self.is_async:
                result = self._run_to_end(result)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the sandbox lives on
            self.fail(number, error, began)
        else:
            self.finish(number, result, began)

    async def answer_later(self, number: int, asked: Asked) -> None:
        """The same for a coroutine handler on a loop that runs several."""
        began = monotonic()
        try:
            positional, keywords = self.arguments(asked)
            began = monotonic()
            result = await self.call(*positional, **keywords)
        except BaseException as error:  # noqa: BLE001 - as in answer()
            self.fail(number, error, began)
        else:
            self.finish(number, result, began)

    def _run_to_end(self, coroutine: Any) -> Any:
        if self._loop is None:
            import asyncio  # here, because most functions do without

            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(coroutine)

    def finish(self, number: int, result: Any, began: float) -> None:
        took = (monotonic() - began) * 1e3
        try:
            status, content_type, headers, body = encode(result)
        except Unsendable as error:
            self.refuse(number, "bad_response", str(error))
            return
        except Exception as error:  # noqa: BLE001 - what the user's own classes raise while they are written out
            self.refuse(number, "bad_response", f"the answer cannot be written: {type(error).__name__}: {said(error)}")
            return
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


def _print(_kind: int, _number: int, *parts: bytes) -> None:
    with contextlib.suppress(OSError):  # the handler may have closed it
        os.write(1, parts[-1])


def _end(_kind: int, _number: int, *_: bytes) -> None:
    os._exit(0)


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
    """An exception as data, without our own frames in its traceback."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(GUEST):
        tb = tb.tb_next
    text = "".join(traceback.format_exception(type(error), error, tb))
    if len(text) > TRACEBACK_CHARS:
        text = f"{text[: TRACEBACK_CHARS // 2]}\n...\n{text[-TRACEBACK_CHARS // 2 :]}"
    return {"type": type(error).__name__, "message": said(error)[:4096], "traceback": text}


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
