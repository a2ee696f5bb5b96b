"""What a few handlers return: pieces, responses of web frameworks, a body with a status, something to be awaited."""

import base64
from typing import Any

from attacca.guest.answers import (
    BYTES,
    JSON,
    TEXT,
    Answer,
    Awaited,
    Stream,
    Unsendable,
    as_json,
    as_text,
    head_of,
    pairs_of,
    proxied,
    status_of,
)
from attacca.guest.answers import encode as encode_any

NDJSON = b"application/x-ndjson"
PIECE = 65_536  # bytes read of a file at a time
BODIES = ("get_data", "get_body", "content", "body")  # how responses call theirs: werkzeug, Azure, Django, Starlette
BINARY_TYPES = ("image/", "audio/", "video/", "font/", "application/octet-stream", "application/pdf", "application/zip")


def encode(result: Any) -> Answer | Stream | Awaited:
    """
    Raises:
        Unsendable: it is nothing that can be sent.
    """
    kind = type(result)
    if hasattr(kind, "__await__"):
        return Awaited(result)
    if isinstance(result, tuple) and len(result) == 3 and _is_status(result[1]) and _are_headers(result[2]):
        return with_head(result[0], result[1], result[2])
    if hasattr(result, "status_code") and hasattr(result, "headers") and not isinstance(result, type):
        return _response(result)
    if callable(getattr(result, "read", None)) and not hasattr(kind, "model_dump"):
        return Stream(200, b"", b"", _read(result), getattr(result, "close", None))
    if hasattr(kind, "__next__") or hasattr(kind, "__anext__") or hasattr(kind, "__aiter__"):
        return Stream(200, b"", b"", result, getattr(result, "aclose", None) or getattr(result, "close", None))
    return Answer(200, JSON, b"", as_json(result))


def _is_status(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599


def _are_headers(value: Any) -> bool:
    return isinstance(value, dict) or (hasattr(value, "items") and hasattr(value, "get"))


def flask_like(result: Any) -> Answer | Stream | Awaited:
    """By Flask's rule: (body, status), (body, headers) and (body, status, headers) are bodies with a head."""
    if not isinstance(result, tuple) or len(result) not in (2, 3):
        return encode_any(result)
    body, *rest = result
    if len(rest) == 2:
        return with_head(body, *rest)
    if isinstance(rest[0], dict | list) or _are_headers(rest[0]):
        return with_head(body, None, rest[0])
    return with_head(body, rest[0], ())


def with_head(body: Any, status: Any, headers: Any) -> Answer | Stream | Awaited:
    """A body with a head; a status of its own gives way to `status`."""
    if isinstance(status, str):  # "404 NOT FOUND"
        status = status.partition(" ")[0]
    whole = encode_any(body)
    if isinstance(whole, Awaited):
        raise Unsendable("the body is a coroutine that nobody awaited")
    kind, raw = head_of(pairs_of(headers or ()), whole.content_type.decode("latin-1"))
    found = whole.status if status is None else status_of(status)
    return whole._replace(status=found, content_type=kind, headers=raw or whole.headers)


def action(result: dict[str, Any]) -> Answer | Stream:
    """The dict that OpenWhisk and DigitalOcean make an answer of, with or without a status; what is binary is a text in
    base64."""
    headers = result.get("headers") or {}
    kind = next((str(value) for name, value in pairs_of(headers) if name.lower() == "content-type"), "").lower()
    body, whole = result["body"], {"statusCode": 200, **result}
    if isinstance(body, str) and kind.startswith(BINARY_TYPES) and "svg" not in kind:
        try:
            whole["body"] = base64.b64decode(body, validate=True)
        except ValueError:
            whole["body"] = as_text(body)
    return proxied(whole)


# Responses, of whichever framework.


def _response(response: Any) -> Answer | Stream:
    headers = response.headers
    dropped = ("content-length", "content-encoding") if hasattr(response, "raise_for_status") else ("content-length",)
    pairs = [
        pair for pair in _multi(headers) if pair[0].lower() not in dropped
    ]  # a client library has decoded the body
    pairs += [("set-cookie", morsel.OutputString()) for morsel in _morsels(response)]
    status = status_of(response.status_code)
    pieces = getattr(response, "body_iterator", None)  # Starlette
    if pieces is None and (getattr(response, "is_streamed", False) or getattr(response, "streaming", False)):
        pieces = getattr(response, "streaming_content", None) or getattr(response, "response", None)  # Django, werkzeug
    default = getattr(response, "mimetype", None) or getattr(response, "media_type", None) or ""
    kind, raw = head_of(pairs, str(default))
    if pieces is not None:
        return Stream(status, kind, raw, pieces, getattr(response, "close", None))
    return Answer(status, kind, raw, _body_of(response))


def _multi(headers: Any) -> list[tuple[str, str]]:
    if callable(items := getattr(headers, "multi_items", None)):
        return pairs_of(items())
    return pairs_of(headers)


def _morsels(response: Any) -> list[Any]:
    """Django keeps cookies apart from the other headers."""
    cookies: Any = getattr(response, "cookies", None)
    return [one for one in cookies.values() if hasattr(one, "OutputString")] if hasattr(cookies, "values") else []


def _body_of(response: Any) -> bytes:
    for name in BODIES:
        body = getattr(response, name, None)
        if callable(body):
            body = body()
        if isinstance(body, bytes | bytearray | memoryview | str):
            return as_text(body) if isinstance(body, str) else bytes(body)
    raise Unsendable(f"the function returned a {type(response).__name__}, whose body cannot be found")


# Pieces.


def _read(file: Any) -> Any:
    while data := file.read(PIECE):
        yield data


class Writer:
    """Makes bytes of pieces; the first one says what they all are."""

    def __init__(self, content_type: bytes) -> None:
        self.content_type = content_type
        self._is_lines = content_type.startswith(NDJSON)

    def __repr__(self) -> str:
        return f"<Writer of {self.content_type.decode() or 'nothing yet'}>"

    def write(self, piece: Any) -> bytes:
        """
        Raises:
            Unsendable: it is nothing that can be sent.
        """
        is_raw = isinstance(piece, bytes | bytearray | memoryview)
        if not self.content_type:
            self._is_lines = not (is_raw or isinstance(piece, str))
            self.content_type = NDJSON if self._is_lines else BYTES if is_raw else TEXT
        if is_raw:
            return bytes(piece)
        if isinstance(piece, str) and not self._is_lines:
            return as_text(piece)
        return as_json(piece) + b"\n"
