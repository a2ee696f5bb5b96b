"""Answers as bytes: one formatting for the warm road, and the general case for everything else."""

import re
from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from attacca.errors import AttaccaError, BadResponse, MethodNotAllowed, QueueFull, Unauthorized, envelope
from attacca.gateway.core.inflight import STATUS, Inflight
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome, Timing

Fields = list[tuple[bytes, bytes]]
Headers = tuple[tuple[bytes, bytes], ...]

WARM_PREFIX = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ndate: %b\r\nx-attacca-start: warm\r\ncontent-length: "
WARM = (
    b"%b%d\r\nx-attacca-invocation-id: %b\r\nserver-timing: queued;dur=%.3f, placed;dur=%.3f, sandbox;dur=0, "
    b"code;dur=0, imports;dur=0, run;dur=%.3f, total;dur=%.3f\r\n\r\n%b"
)
WARM_AT_ONCE = WARM.replace(b"queued;dur=%.3f, placed;dur=%.3f", b"queued;dur=0, placed;dur=0")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
JSON = b"application/json"
RETRY_SOON_S = 1
REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {499: b"Client Closed Request"}
BODILESS = (204, 304)

# Those of the connection, not of the answer; and those that only the gateway may set.
DROPPED = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"x-attacca-invocation-id", b"x-attacca-start", b"x-attacca-sandbox", b"x-attacca-arrived"),
        *(b"x-attacca-waiting", b"x-attacca-attempts", b"x-attacca-call-id", b"idempotency-replayed"),
        b"service-worker-allowed",  # a function's page would see what the dashboard's asks for and is told
    )
)
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
HEAD_MOST = 64 * 1024  # bytes of the function's own fields, with what separates them
FIELDS_MOST = 200  # and how many there may be beside the content type
SEPARATORS = 4  # bytes: a colon, a space, the end of the line
CONTENT_TYPES_KEPT, CONTENT_TYPE_LENGTH = 256, 256
_content_types: dict[str, bytes] = {"application/json": JSON}


def content_type(text: str) -> bytes:
    """As bytes, once it is known to be harmless.

    Raises:
        BadResponse: it would break out of its header, or is longer than a head may be.
    """
    known = _content_types.get(text)
    if known is None:
        if len(text) > HEAD_MOST:
            raise _too_much(f"{len(text) // 1024} KB")
        known = text.encode("latin-1", "replace")
        if VALUE.fullmatch(known) is None:
            raise _bad_header(b"content-type")
        if len(text) <= CONTENT_TYPE_LENGTH:
            if len(_content_types) >= CONTENT_TYPES_KEPT:
                _content_types.clear()
            _content_types[text] = known
    return known


def clean(headers: Sequence[tuple[bytes, bytes]], content_type: str = "") -> Fields:
    """A function's headers with lower-case names, without those that are not its own to set. `content_type` counts with
    them, but is not one of them.

    Raises:
        BadResponse: they are too many or too long, or a name or value would break out of its header.
    """
    count = len(headers)
    if count > FIELDS_MOST + 1 or (count > FIELDS_MOST and not _has_type(headers)):
        raise _too_much(f"{count} fields")
    size = sum(len(name) + len(value) + SEPARATORS for name, value in headers) + len(content_type)
    if size > HEAD_MOST:
        raise _too_much(f"{size // 1024} KB")
    kept = []
    for name, value in headers:
        if NAME.fullmatch(name) is None:
            raise _bad_header(name)
        if VALUE.fullmatch(value) is None:
            raise _bad_header(name)
        name = name.lower()  # noqa: PLW2901 - the same name, as we spell it
        if name not in DROPPED:
            kept.append((name, value))
    return kept


def _has_type(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"content-type" for name, _ in headers)


def _bad_header(name: bytes) -> BadResponse:
    shown = name[:60].decode("latin-1")
    return BadResponse(
        f"the function set a header that HTTP does not allow: {shown!r}",
        "a header's name is letters, digits and dashes; its value has no line breaks",
    )


def _too_much(found: str) -> BadResponse:
    return BadResponse(
        f"the head of the function's answer has {found}",
        f"set at most {FIELDS_MOST} headers with {HEAD_MOST // 1024} KB together, and put the rest into the body",
    )


def check_status(status: int) -> None:
    """Raises BadResponse for a status that an answer cannot have."""
    if not 200 <= status <= 599:
        raise BadResponse(f"the function answered with status {status}", "an answer's status is from 200 to 599")


def declared_length(fields: Fields) -> int | None:
    """The function's own Content-Length.

    Raises:
        BadResponse: there are two, or it is no number.
    """
    found = [value for name, value in fields if name == b"content-length"]
    if not found:
        return None
    if len(found) > 1 or not found[0].isdigit() or len(found[0]) > 18:
        raise BadResponse("the function's Content-Length is not one number", "leave Content-Length out")
    return int(found[0])


def head(status: int, fields: Fields) -> bytes:
    lines = [b"HTTP/1.1 %d %b" % (status, REASONS.get(status, b"Unknown"))]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def trace(taken: Inflight) -> Fields:
    """Which invocation this was, when it came, how it started, and where its time went."""
    fields = [
        (b"x-attacca-invocation-id", taken.id.encode()),
        (b"x-attacca-arrived", b"%d" % (taken.at * 1e6)),
        (b"x-attacca-waiting", b"%d" % taken.waiting),
    ]
    if taken.attempts > 1:
        fields.append((b"x-attacca-attempts", b"%d" % taken.attempts))
    spent = taken.timing
    if taken.start is None:
        return [*fields, (b"server-timing", b"queued;dur=%.3f, total;dur=%.3f" % (taken.total_ms, taken.total_ms))]
    timing = b"queued;dur=%.3f, placed;dur=%.3f, " % (spent.queued, spent.placed) + made(spent)
    if taken.is_done:
        timing += b", run;dur=%.3f, total;dur=%.3f" % (taken.run_ms, taken.total_ms)
    sandbox = (b"x-attacca-sandbox", taken.sandbox.encode())
    return [*fields, (b"x-attacca-start", taken.start.encode()), sandbox, (b"server-timing", timing)]


def made(spent: Timing) -> bytes:
    """Of `server-timing`: sandbox, code and imports always, the other parts of a start where they took something."""
    network, image, readiness = (
        b"" if not took else b"%b;dur=%.3f" % (name, took)
        for name, took in ((b"network", spent.network), (b"image", spent.image), (b"readiness", spent.readiness))
    )
    sandbox, code = b"sandbox;dur=%.3f" % spent.sandbox, b"code;dur=%.3f" % spent.code
    return b", ".join(filter(None, (sandbox, network, image, code, b"imports;dur=%.3f" % spent.imports, readiness)))


class Whole(msgspec.Struct, frozen=True):
    """An answer that is all there."""

    status: int
    fields: Fields
    body: bytes


def of_error(error: AttaccaError) -> Whole:
    fields = [(b"content-type", JSON)]
    if isinstance(error, QueueFull):
        fields.append((b"retry-after", b"%d" % error.retry_after_s))
    elif error.status == 503:
        fields.append((b"retry-after", b"%d" % RETRY_SOON_S))
    elif isinstance(error, Unauthorized):
        fields.append((b"www-authenticate", b"Bearer"))
    elif isinstance(error, MethodNotAllowed):
        fields.append((b"allow", b"GET, HEAD"))
    return Whole(error.status, fields, _json(envelope(error)))


def of_outcome(outcome: Outcome) -> Whole:
    """
    Raises:
        BadResponse: the function answered with what HTTP does not allow.
    """
    match outcome:
        case Ok():
            return _of_ok(outcome)
        case FunctionError(type=kind, message=message, traceback=traceback):
            hint = "the traceback shows where; `attacca logs NAME` shows what it printed"
            said = {"code": "function_error", "message": message, "try": hint, "type": kind, "traceback": traceback}
            return Whole(500, [(b"content-type", JSON)], _json({"error": said}))
        case Failed(code=code, message=message, hint=hint, traceback=traceback):
            said = {"code": code, "message": message, "try": hint}
            if traceback:
                said["traceback"] = traceback
            fields = [(b"content-type", JSON)]
            status = STATUS.get(code, 500)
            if status in (429, 503):
                fields.append((b"retry-after", b"%d" % RETRY_SOON_S))
            return Whole(status, fields, _json({"error": said}))


def _of_ok(outcome: Ok) -> Whole:
    check_status(outcome.status)
    if outcome.streamed:
        raise BadResponse("the function's answer has no beginning", "answer with a status before the body")
    fields = clean(outcome.headers, outcome.content_type)
    declared_length(fields)
    if outcome.content_type and not any(name == b"content-type" for name, _ in fields):
        fields.insert(0, (b"content-type", content_type(outcome.content_type)))
    return Whole(outcome.status, fields, outcome.body)


def _json(value: dict[str, dict[str, str]]) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair in what a function said
        safe = {key: text.encode("utf-8", "replace").decode() for key, text in value["error"].items()}
        return msgspec.json.encode({"error": safe})


def whole(answer: Whole, date: bytes, *, keep: bool, is_old: bool, is_head: bool) -> tuple[bytes, bytes]:
    """An answer's head and body, apart, as a long body is not to be copied. `is_old`: for HTTP/1.0, where staying open
    has to be said."""
    status, body = answer.status, answer.body
    fields = [field for field in answer.fields if field[0] != b"content-length"]
    if status not in BODILESS:
        length = b"%d" % len(body)
        if is_head and not body:
            length = next((value for name, value in answer.fields if name == b"content-length"), length)
        fields.append((b"content-length", length))
    if not any(name == b"date" for name, _ in fields):
        fields.append((b"date", date))
    if not keep:
        fields.append((b"connection", b"close"))
    elif is_old:
        fields.append((b"connection", b"keep-alive"))
    return head(status, fields), b"" if is_head or status in BODILESS else body
