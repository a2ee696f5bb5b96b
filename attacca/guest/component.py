"""A function of Python as a component of WebAssembly: what componentize-py makes one of, and what then runs there.

It is imported where files are, and called where there are none: what a call imports has to have been imported by then.
An instance handles one request, which its environment describes as CGI does (RFC 3875).
"""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from attacca.guest import deferred
from attacca.guest.answers import Answer, Awaited, Stream, Unsendable
from attacca.guest.context import Function
from attacca.guest.load import Unfit, load
from attacca.guest.payload import Asked, BadInput, Requested
from attacca.guest.serve import arguments_for, encoder_for

APPLICATIONS = ("asgi", "wsgi", "request", "events")
HINT = "define `def handler(event, context)`, or deploy it without --runtime wasm"
NO_LOOP = "it waits for what only an event loop has, and a component has none"
TOLD_WRONG = 400
PIECE = 1 << 20  # bytes that are handed over at once


class Failure(Exception):
    """Its text is the kind of the error, what it says, and its traceback."""


class Teller(Protocol):
    """What is said of an answer beside what `handle` returns."""

    def head(self, status: int, headers: list[tuple[str, str]]) -> None:
        """Where they are not the usual ones."""

    def write(self, piece: bytes) -> None:
        """A part that comes before what is returned."""


class Component:
    def __init__(self, handler: str, event: str, here: str, timeout_s: float, teller: Teller) -> None:
        """
        Raises:
            Unfit: there is nothing to call, or it is an application.
        """
        self.loaded, self._teller, self._timeout_s = load(handler, "", event, here), teller, timeout_s
        if self.loaded.signature in APPLICATIONS:
            raise Unfit(f"{self.loaded.handler} is an application or an event function, and no component is", HINT)
        self._encode = encoder_for(self.loaded)
        self._arguments()  # what it needs is imported now
        for name in ("results", "values", "events"):
            deferred.load(name)

    def __repr__(self) -> str:
        return f"<Component {self.loaded.handler}, {self.loaded.signature}>"

    def handle(self, body: bytes) -> bytes:
        """
        Raises:
            Failure: whatever the handler raised.
        """
        if (random := sys.modules.get("random")) is not None:  # its state is that of the build
            random.seed()
        try:
            return self._rest(self._answered(self._called(body)))
        except BadInput as error:
            self._teller.head(TOLD_WRONG, [("content-type", "text/plain; charset=utf-8")])
            return str(error).encode()
        except BaseException as error:  # noqa: BLE001 - it would trap, and nobody be told why
            frames = error.__traceback__
            while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
                frames = frames.tb_next
            trace = "".join(traceback.format_exception(type(error), error, frames))
            raise Failure(f"{type(error).__name__}: {error}\n\n{trace}") from None

    def _rest(self, body: bytes) -> bytes:
        """What is left of it when all but the last piece is written."""
        for at in range(0, len(body) - PIECE, PIECE):
            self._teller.write(body[at : at + PIECE])
        return body[-(len(body) % PIECE or PIECE) :]

    def _called(self, body: bytes) -> Any:
        shape = self.loaded.event
        asked = asked_of(os.environ, body) if shape == "plain" else requested_of(os.environ, body)
        positional, keywords = self._arguments()(asked)
        return self.loaded.call(*positional, **keywords)

    def _arguments(self) -> Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]:
        told = os.environ
        memory_mb, number = told.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""), told.get("ATTACCA_REVISION", "")
        function = Function(told.get("ATTACCA_FUNCTION", ""), _number(number), _number(memory_mb), self._timeout_s)
        return arguments_for(self.loaded, function)

    def _answered(self, result: Any) -> bytes:
        found: Answer | Stream | Awaited = self._encode(finished(result))
        while isinstance(found, Awaited):
            found = self._encode(finished(found.awaitable))
        if isinstance(found, Stream):
            pieces = [one.encode() if isinstance(one, str) else bytes(one) for one in found.pieces]
            kind = found.content_type or b"application/octet-stream"
            found = Answer(found.status, kind, found.headers, b"".join(pieces))
        if found.status != 200 or found.headers or not is_usual(found.content_type, found.body):
            texts = found.headers.decode("latin-1").split("\n") if found.headers else []
            fields = list(zip(texts[::2], texts[1::2], strict=False))
            kinds = [("content-type", found.content_type.decode("latin-1"))] if found.content_type else []
            self._teller.head(found.status, [*kinds, *fields])
        return found.body


def is_usual(kind: bytes, body: bytes) -> bool:
    """Is it what anybody would take it for?"""
    if kind == b"application/json":
        return body[:1] in (b"{", b"[")
    return kind.startswith(b"text/plain") and body[:1] not in (b"{", b"[")


def finished(result: Any) -> Any:
    """What a coroutine comes to that waits for nothing.

    Raises:
        Unsendable: it waits.
    """
    if not hasattr(result, "__await__"):
        return result
    steps = result.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    steps.close()
    raise Unsendable(NO_LOOP)


def asked_of(told: Any, body: bytes) -> Asked:
    kind, query = told.get("CONTENT_TYPE", ""), told.get("QUERY_STRING", "")
    return Asked(told.get("ATTACCA_INVOCATION", ""), kind.encode("latin-1", "replace"), query.encode(), body)


def requested_of(told: Any, body: bytes) -> Requested:
    plain = asked_of(told, body)
    fields = [(name[5:], value) for name, value in told.items() if name.startswith("HTTP_")]
    fields += [(name, told[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if name in told]
    raw = [
        text.encode("latin-1", "replace") for name, value in fields for text in (name.lower().replace("_", "-"), value)
    ]
    method, path = told.get("REQUEST_METHOD", "POST"), told.get("PATH_INFO", "/")
    client = told.get("REMOTE_ADDR", "")
    return Requested(
        plain.id, method, path, plain.query, raw, body, more=False, content_type=plain.content_type, client=client
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
