"""Turns a request's bytes into what a handler is called with. What it returns is for `answers`."""

import json
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from attacca.guest import channel as wire
from attacca.guest import quickjson
from attacca.guest.conversion import Kind
from attacca.guest.load import Parameters

JSON_STARTS = frozenset(b'{["-0123456789tfn \t\r\n')
TOO_DEEP = "the body is JSON with too many levels"
NOT_JSON = (json.JSONDecodeError, UnicodeDecodeError)
TRACE = b"traceparent"
SHOWN = 100  # characters of a value that is refused


class BadInput(Exception):
    """The request does not fit the function; the client is told."""


class Asked(NamedTuple):
    """What a handler is told of its invocation."""

    id: str
    content_type: bytes
    query: bytes
    body: bytes
    traceparent: str = ""


class Requested(NamedTuple):
    """What is told to whoever is told of the whole request."""

    id: str
    method: str
    path: str
    query: bytes
    headers: list[bytes]  # names and values in turn
    body: bytes
    more: bool
    content_type: bytes = b""
    client: str = ""  # its address, empty where that is not known
    port: int = 0
    scheme: str = "http"

    @property
    def traceparent(self) -> str:
        names = [name.lower() for name in self.headers[::2]]
        return self.headers[2 * names.index(TRACE) + 1].decode("latin-1") if TRACE in names else ""


def unpack(payload: bytes) -> Asked:
    name, kind, query = wire.INVOKE_HEAD.unpack_from(payload)
    kind += 6 + name  # now where each ends
    query += kind
    told = payload[6 : 6 + name].decode()
    if " " not in told:
        return Asked(told, payload[6 + name : kind], payload[kind:query], payload[query:])
    invocation, _, trace = told.partition(" ")
    return Asked(invocation, payload[6 + name : kind], payload[kind:query], payload[query:], trace)


def unpack_request(payload: bytes) -> Requested:
    more, port, size = wire.REQUEST_HEAD.unpack_from(payload)
    end = 7 + size
    name, kind, query, method, path, client, scheme, *headers = payload[7:end].split(b"\n")
    return Requested(
        name.decode(),
        method.decode("latin-1"),
        path.decode("latin-1"),
        query,
        headers,
        payload[end:],
        more == 1,
        kind,
        client.decode("latin-1"),
        port,
        scheme.decode("latin-1"),
    )


def fields_of(asked: Requested) -> list[tuple[str, str]]:
    """Its headers as texts."""
    texts = b"\n".join(asked.headers).decode("latin-1").split("\n") if asked.headers else []
    return list(zip(texts[::2], texts[1::2], strict=True))


def body_of(asked: Asked | Requested) -> str | bytes:
    """As OpenFaaS gives it: a text, if it is one."""
    try:
        return asked.body.decode()
    except UnicodeDecodeError:
        return asked.body


def alone(asked: Requested) -> Asked:
    """Of a whole request what a plain handler is told."""
    return Asked(asked.id, asked.content_type, asked.query, asked.body, asked.traceparent)


def decode(asked: Asked) -> Any:
    """The event: JSON where the body is JSON, form fields or query parameters as a dict, else the bytes.

    Raises:
        BadInput: the body is not what its content type says.
    """
    _, kind, query, body, _ = asked
    if not body:
        return gathered(query) if query else {}
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
            return gathered(body)
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
        raise BadInput(TOO_DEEP) from None
    except ValueError as error:
        raise BadInput(f"the body is JSON with a number that is too long: {error}") from None


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """Of a query or a form."""
    return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)


def gathered(raw: bytes) -> dict[str, Any]:
    """The same by name: a text, or a list of them where the name stands more than once."""
    found = pairs(raw)
    told: dict[str, Any] = dict(found)
    if len(told) == len(found):
        return told
    lists: dict[str, list[str]] = {}
    for name, value in found:
        lists.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in lists.items()}


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
    beside = _converted(gathered(query), kinds) if query else {}
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
