"""Turns what a handler returns into an answer: at once what nearly all return, by way of `results` what some do."""

import base64
from collections.abc import Iterable
from typing import Any, NamedTuple

from attacca.guest import channel as wire
from attacca.guest import deferred, quickjson

JSON, TEXT, BYTES = b"application/json", b"text/plain; charset=utf-8", b"application/octet-stream"
BINARY = (bytes, bytearray, memoryview)
SEVERAL = (list, tuple)
HANDLED = frozenset({"statusCode", "headers", "body", "isBase64Encoded"})
AT_ONCE = (dict, list, int, float, type(None))


class Unsendable(Exception):
    """The function's result cannot become an answer."""


class Answer(NamedTuple):
    status: int
    content_type: bytes
    headers: bytes  # lines of names and values
    body: bytes


class Stream(NamedTuple):
    """An answer that is made piece by piece."""

    status: int
    content_type: bytes  # empty: that of the first piece
    headers: bytes
    pieces: Any  # what to iterate over, with `for` or `async for`
    close: Any = None  # to be called at the end


class Awaited(NamedTuple):
    """Not a result yet."""

    awaitable: Any


def encode(result: Any) -> Answer | Stream | Awaited:
    """What the handler returned, as an answer.

    Raises:
        Unsendable: it is nothing that can be sent.
    """
    if type(result) is dict and "statusCode" not in result:
        return Answer(200, JSON, b"", as_json(result))
    if isinstance(result, BINARY):
        return Answer(200, BYTES, b"", bytes(result))
    if isinstance(result, str):
        return Answer(200, TEXT, b"", as_text(result))
    if isinstance(result, dict) and "statusCode" in result:
        return proxied(result)
    if isinstance(result, AT_ONCE):
        return Answer(200, JSON, b"", as_json(result))
    found: Answer | Stream | Awaited = deferred.load("results").encode(result)
    return found


def encode_action(result: Any) -> Answer | Stream | Awaited:
    """The same for `main(args)` that is told of the request: there an answer needs no status."""
    if isinstance(result, dict) and "body" in result and result.keys() <= {"statusCode", "headers", "body"}:
        return deferred.load("results").action(result)  # type: ignore[no-any-return]
    return encode(result)


def encode_handle(result: Any) -> Answer | Stream | Awaited:
    """The same for `handle(event, context)`, OpenFaaS's and Scaleway's, where an answer needs no status either."""
    if isinstance(result, dict) and "body" in result and result.keys() <= HANDLED:
        return proxied({"statusCode": 200, **result})
    return encode(result)


def encode_gateway(result: Any) -> Answer | Stream | Awaited:
    """The same behind Amazon's gateways, where a text that does not say what it is is JSON."""
    if isinstance(result, str):
        return Answer(200, JSON, b"", as_text(result))
    if isinstance(result, dict) and "statusCode" in result:
        return proxied(result, "application/json")
    return encode(result)


def encode_response(result: Any) -> Answer | Stream | Awaited:
    """The same for `f(request)`, which may answer as Flask's views do."""
    if isinstance(result, tuple):
        return deferred.load("results").flask_like(result)  # type: ignore[no-any-return]
    return encode(result)


def as_text(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise Unsendable(f"the text cannot be sent as UTF-8: {error}") from None


def as_json(value: Any) -> bytes:
    try:
        return quickjson.dumps(value)
    except (TypeError, ValueError, RecursionError):
        kind = type(value).__name__
    try:
        raw: bytes = deferred.load("values").dumps(value)  # keys, and numbers with many digits
        return raw
    except (TypeError, ValueError, RecursionError) as error:
        raise Unsendable(f"the function returned {kind}, which is not JSON: {error}") from None


def proxied(result: dict[str, Any], text_kind: str = "text/plain; charset=utf-8") -> Answer | Stream:
    """A dict with `statusCode`: the answer that Lambda's HTTP integrations describe.

    Raises:
        Unsendable: it is none.
    """
    status, body, headers = status_of(result["statusCode"]), result.get("body", b""), result.get("headers") or ()
    kind, pieces, close = "application/json", None, None
    if isinstance(body, str):
        kind = text_kind
        body = unbased(body) if result.get("isBase64Encoded") else as_text(body)
    elif isinstance(body, BINARY):
        kind, body = "application/octet-stream", bytes(body)
    elif isinstance(body, AT_ONCE):
        body = b"" if body is None else as_json(body)
    else:
        kind, body, pieces, close = _inside(encode(body))
    pairs = pairs_of(headers)
    if "multiValueHeaders" in result:
        pairs += [pair for pair in pairs_of(result["multiValueHeaders"] or ()) if pair not in pairs]
    if "cookies" in result:
        pairs += [("set-cookie", cookie) for cookie in cookies_of(result["cookies"] or ())]
    content_type, raw = head_of(pairs, kind)
    if pieces is not None:
        return Stream(status, content_type, raw, pieces, close)
    return Answer(status, content_type, raw, body)


def _inside(whole: Answer | Stream | Awaited) -> tuple[str, bytes, Any, Any]:
    """Of a body that is an answer by itself: its content type, and what it consists of."""
    if isinstance(whole, Awaited):
        raise Unsendable("the body is a coroutine that nobody awaited")
    if isinstance(whole, Stream):
        return "", b"", whole.pieces, whole.close
    return whole.content_type.decode("latin-1"), whole.body, None, None


def status_of(status: Any) -> int:
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise Unsendable(f"statusCode must be a number from 200 to 599, not {status!r}")
    return int(status)


def unbased(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise Unsendable(f"isBase64Encoded is set, and the body is not base64: {error}") from None


# Heads.


def pairs_of(headers: Any) -> list[tuple[str, str]]:
    """Names and values, whether they come as a dict, with lists in it or without, or as pairs.

    Raises:
        Unsendable: they come otherwise.
    """
    items = headers.items() if hasattr(headers, "items") else headers
    found = []
    try:
        for name, value in items:
            if type(name) is type(value) is str:
                found.append((name, value))
                continue
            values = value if isinstance(value, SEVERAL) else (value,)
            found += [(_said(name), _said(one)) for one in values if one is not None]
    except (TypeError, ValueError):
        raise Unsendable(f"headers must be a dict, or a list of pairs, not {headers!r:.100}") from None
    return found


def cookies_of(cookies: Any) -> Iterable[str]:
    if isinstance(cookies, str):
        return (cookies,)
    if isinstance(cookies, dict):
        return [f"{name}={value}" for name, value in cookies.items()]
    return [_said(cookie) for cookie in cookies]


def _said(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return bytes(value).decode("latin-1") if isinstance(value, bytes | bytearray) else str(value)


def head_of(pairs: list[tuple[str, str]], kind: str = "") -> tuple[bytes, bytes]:
    """The content type, which may stand among the pairs, and the others as they are sent to the worker.

    Raises:
        Unsendable: they are too many, too long, or nothing that HTTP can carry.
    """
    others = []
    for name, value in pairs:
        if name.lower() == "content-type":
            kind = value
        else:
            others.append((name, value))
    size = len(kind) + sum(len(name) + len(value) for name, value in others)
    if len(others) > wire.FIELDS_MOST or size > wire.HEAD_BYTES:
        raise Unsendable(
            f"the answer has {len(others)} headers with {size / 1024:.0f} KB;"
            f" at most {wire.FIELDS_MOST} with {wire.HEAD_BYTES >> 10} KB can be sent"
        )
    try:
        raw = wire.lines([text.encode("latin-1") for pair in others for text in pair])
        return kind.encode("latin-1"), raw
    except UnicodeEncodeError as error:
        letter = error.object[error.start]
        name = next(name for name, value in (*others, ("content-type", kind)) if letter in name or letter in value)
        raise Unsendable(
            f"the header {name!r} holds {letter!r}, and headers can only hold the letters of latin-1; encode it, as"
            " filename*=UTF-8''%C4%8D.pdf does for the name of a file (urllib.parse.quote), or leave it out"
        ) from None
