"""Turns a request's bytes into what a handler is called with, and what it returns into an answer."""

import base64
import json
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from attacca.worker.runtime.process.guest import channel as wire
from attacca.worker.runtime.process.guest import quickjson
from attacca.worker.runtime.process.guest.conversion import Kind
from attacca.worker.runtime.process.guest.load import Parameters

JSON_STARTS = frozenset(b'{["-0123456789tfn \t\r\n')
JSON = b"application/json"
NOT_JSON = (json.JSONDecodeError, UnicodeDecodeError)
SHOWN = 100  # characters of a value that is refused


class BadInput(Exception):
    """The request does not fit the function; the client is told."""


class Unsendable(Exception):
    """The function's result cannot become an answer."""


class Asked(NamedTuple):
    """What a handler is told of its invocation."""

    id: str
    content_type: bytes
    query: bytes
    body: bytes


class Requested(NamedTuple):
    """What an application is told."""

    id: str
    method: str
    path: str
    query: bytes
    headers: bytes  # JSON list of pairs
    body: bytes
    more: bool


def unpack(payload: bytes) -> Asked:
    name, kind, query = wire.INVOKE_HEAD.unpack_from(payload)
    kind += 6 + name  # now where each ends
    query += kind
    return Asked(payload[6 : 6 + name].decode(), payload[6 + name : kind], payload[kind:query], payload[query:])


def unpack_request(payload: bytes) -> Requested:
    more, *sizes = wire.REQUEST_HEAD.unpack_from(payload)
    at, texts = wire.REQUEST_HEAD.size, []
    for size in sizes:
        texts.append(payload[at : at + size])
        at += size
    name, _, query, method, path, headers = texts
    return Requested(
        name.decode(), method.decode("latin-1"), path.decode("latin-1"), query, headers, payload[at:], bool(more)
    )


def decode(asked: Asked) -> Any:
    """The event: JSON where the body is JSON, form fields or query parameters as a dict, else the bytes.

    Raises:
        BadInput: the body is not what its content type says.
    """
    _, kind, query, body = asked
    if not body:
        return dict(_pairs(query)) if query else {}
    if kind == b"application/json":
        return _json_that_says_so(body)
    plain = kind.partition(b";")[0].strip().lower()
    if plain.endswith((b"/json", b"+json")):
        return _json_that_says_so(body)
    if plain in (b"", b"text/plain", b"application/x-www-form-urlencoded"):  # what curl -d and friends send for JSON
        if body[0] in JSON_STARTS:
            try:
                return _json_of(body)
            except NOT_JSON:
                pass
        if plain.endswith(b"urlencoded"):
            return dict(_pairs(body))
    return body


def _json_that_says_so(body: bytes) -> Any:
    try:
        return _json_of(body)
    except NOT_JSON as error:
        raise BadInput(f"the body is not the JSON that its content type says: {error}") from None


def _json_of(body: bytes) -> Any:
    """
    Raises:
        JSONDecodeError, UnicodeDecodeError: it is none.
        BadInput: it is, but more than Python takes.
    """
    try:
        return quickjson.loads(body)
    except NOT_JSON:
        raise
    except RecursionError:
        raise BadInput("the body is JSON with too many levels") from None
    except ValueError as error:
        raise BadInput(f"the body is JSON with a number that is too long: {error}") from None


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)


def fields(event: Any) -> dict[str, Any]:
    """For `main(args)`: always a dict."""
    if isinstance(event, dict):
        return event
    return {"body": event}


def named(event: Any, parameters: Parameters, query: bytes = b"", *, are_texts: bool) -> dict[str, Any]:
    """For named parameters. Beside a body that is no JSON object, the query has the other parameters.
    `are_texts`: of a query or a form, which know nothing else.

    Raises:
        BadInput: one is missing, unknown, or cannot be converted.
    """
    names, required, takes_any, kinds = parameters
    told: dict[str, Any] = event if isinstance(event, dict) else _alone(event, parameters, query)
    missing = [name for name in required if name not in told]
    unknown = [] if takes_any else [name for name in told if name not in names]
    if missing or unknown:
        says = [f"missing {_list(missing)}"] if missing else []
        says += [f"unknown {_list(unknown)}"] if unknown else []
        raise BadInput(f"{', '.join(says)}; the function takes {_list(names) if names else 'nothing'}")
    return _converted(told, kinds) if are_texts and kinds else told


def _alone(event: Any, parameters: Parameters, query: bytes) -> dict[str, Any]:
    """A body that is no JSON object is the one parameter that has to be given; the query has the others."""
    names, required, _, kinds = parameters
    if len(names) != 1 and len(required) != 1:
        raise BadInput(f"send a JSON object with {_list(names)}")
    beside = _converted(dict(_pairs(query)), kinds) if query else {}
    return {**beside, (required or names)[0]: event}


def _converted(told: dict[str, Any], kinds: dict[str, Kind]) -> dict[str, Any]:
    return {name: _convert(name, value, kinds[name]) if name in kinds else value for name, value in told.items()}


def _list(names: Any) -> str:
    return ", ".join(repr(str(name)) for name in names)


def _convert(name: str, value: Any, kind: Kind) -> Any:
    if kind.many is not None:
        several = value if isinstance(value, list) else [value]
        return kind.many(_convert(name, one, kind._replace(many=None)) for one in several)
    if type(value) is list and all(isinstance(one, str) for one in value):
        raise BadInput(f"{name!r} must be given once, not {len(value)} times")
    if not isinstance(value, str):
        return value
    if kind.is_optional and not value:
        return None
    try:
        return kind.make(value)
    except (ValueError, ArithmeticError, TypeError):
        shown = value if len(value) <= SHOWN else value[:SHOWN] + "..."
        raise BadInput(f"{name!r} must be {kind.must_be}, not {shown!r}") from None


class Answer(NamedTuple):
    status: int
    content_type: bytes
    headers: bytes  # JSON list of pairs, or empty
    body: bytes


def encode(result: Any) -> Answer:
    """What the handler returned, as an answer.

    Raises:
        Unsendable: it is nothing that can be sent.
    """
    if type(result) is dict and "statusCode" not in result:
        return Answer(200, JSON, b"", _json(result))
    if isinstance(result, bytes | bytearray | memoryview):
        return Answer(200, b"application/octet-stream", b"", bytes(result))
    if isinstance(result, str):
        return Answer(200, b"text/plain; charset=utf-8", b"", _text(result))
    if isinstance(result, dict) and "statusCode" in result:
        return _proxied(result)
    return Answer(200, JSON, b"", _json(result))


def _text(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise Unsendable(f"the text cannot be sent as UTF-8: {error}") from None


def _json(value: Any) -> bytes:
    try:
        return quickjson.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unsendable(f"the function returned {type(value).__name__}, which is not JSON: {error}") from None


def _unbased(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise Unsendable(f"isBase64Encoded is set, and the body is not base64: {error}") from None


def _fields(pairs: list[list[str]]) -> bytes:
    raw = json.dumps(pairs, ensure_ascii=False)
    try:
        raw.encode("latin-1")
    except UnicodeEncodeError as error:
        raise Unsendable(f"no header can hold {error.object[error.start]!r}: only the letters of latin-1") from None
    return raw.encode()


def _proxied(result: dict[str, Any]) -> Answer:
    """A dict with `statusCode`: the answer that Lambda's HTTP integrations describe."""
    status, body, headers = result["statusCode"], result.get("body", b""), result.get("headers") or {}
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise Unsendable(f"statusCode must be a number from 200 to 599, not {status!r}")
    if not isinstance(headers, dict):
        raise Unsendable(f"headers must be a dict, not a {type(headers).__name__}")
    kind = "application/json"
    if isinstance(body, str):
        kind = "text/plain; charset=utf-8"
        body = _unbased(body) if result.get("isBase64Encoded") else _text(body)
    elif isinstance(body, bytes | bytearray | memoryview):
        kind, body = "application/octet-stream", bytes(body)
    else:
        body = b"" if body is None else _json(body)
    pairs = []
    for name, value in headers.items():
        if str(name).lower() == "content-type":
            kind = str(value)
            continue
        pairs += [[str(name), str(one)] for one in (value if isinstance(value, list) else [value])]
    size = len(kind) + sum(len(name) + len(value) for name, value in pairs)
    if len(pairs) > wire.FIELDS_MOST or size > wire.HEAD_BYTES:
        raise Unsendable(
            f"the answer has {len(pairs)} headers with {size / 1024:.0f} KB;"
            f" at most {wire.FIELDS_MOST} with {wire.HEAD_BYTES >> 10} KB can be sent"
        )
    return Answer(status, kind.encode("latin-1", "replace"), _fields(pairs) if pairs else b"", body)
