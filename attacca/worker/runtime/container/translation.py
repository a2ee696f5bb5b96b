"""Between a request and what a program takes that is no server of HTTP: an event as JSON in, a result as JSON out."""

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

import msgspec

from attacca.guest import answers, events
from attacca.guest import channel as wire
from attacca.guest.context import Function
from attacca.guest.payload import Asked, BadInput, Requested, decode, fields
from attacca.model.function import EventShape, Revision
from attacca.model.invocation import Failed, FunctionError, Invocation, Ok, Outcome

SHOWN = 200  # characters of an answer that cannot be read
OBJECT = "it is to answer POST /invoke with a JSON object that has user_result or user_error"
NO_JSON = "the body is no JSON and no text, and the program takes events as JSON"
SENDABLE = "let it answer with JSON, or with an object that has statusCode, headers and body"
NAMELESS = "Error"


def event_of(invocation: Invocation, revision: Revision, *, is_object: bool = False) -> bytes:
    """`is_object`: what is none becomes one, with it as its body.

    Raises:
        BadInput: the body is not what its content type says, or cannot be JSON.
    """
    request = invocation.request
    shape = revision.settings.event or EventShape.PLAIN
    query, kind = request.query.encode("latin-1", "replace"), request.content_type.encode("latin-1", "replace")
    if shape is EventShape.PLAIN:
        event = decode(Asked(invocation.id, kind, query, request.body))
    else:
        asked = Requested(
            invocation.id, request.method, request.path, query, list(chain.from_iterable(request.headers)),
            request.body, False, kind, request.client, request.port, request.scheme,  # noqa: FBT003 - a Requested's
        )  # fmt: skip
        event = events.shape(shape, None, function_of(revision))(asked)
    try:
        return json.dumps(fields(event) if is_object else event).encode()
    except TypeError:
        raise BadInput(NO_JSON) from None


def function_of(revision: Revision) -> Function:
    settings = revision.settings
    return Function(revision.function, revision.number, settings.memory_mb, settings.timeout_s)


def outcome_of(result: Any, revision: Revision) -> Outcome:
    """Of what a handler returned, or of the exception that it said it ended with."""
    if isinstance(result, Exception):
        notes = getattr(result, "__notes__", ())
        return FunctionError(type(result).__name__, str(result), "\n".join(map(str, notes)))
    shape = revision.settings.event or EventShape.PLAIN
    encode: Callable[[Any], Any] = answers.encode_gateway if shape.startswith("api-gateway") else answers.encode
    try:
        answer = encode(result)
        headers = tuple(wire.fields(answer.headers))
    except answers.Unsendable as error:
        return Failed("bad_response", str(error), SENDABLE)
    return Ok(answer.body, answer.content_type.decode("latin-1"), answer.status, headers)


class AgentAnswer(msgspec.Struct, frozen=True):
    """What Ilúvatar's agent says of a call."""

    user_result: str | None = None  # itself JSON
    user_error: Any = None
    platform_error: Any = None


class AgentStatus(msgspec.Struct, frozen=True):
    """What it says of itself over its socket."""

    Status: str = ""
    user_error: Any = None


def refused(told: bytes) -> str | None:
    """Why it cannot take requests; None: it can."""
    try:
        status = msgspec.json.decode(told, type=AgentStatus)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return repr(told[:SHOWN].decode("utf-8", "replace"))
    return None if status.Status == "OK" else f"{status.Status}: {status.user_error or 'it does not say why'}"


_agent_answer = msgspec.json.Decoder(AgentAnswer).decode


def unwrapped(answer: Ok) -> Outcome:
    """Of Ilúvatar's agent: what the function returned, or that it raised."""
    try:
        told = _agent_answer(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        said = answer.body[:SHOWN].decode("utf-8", "replace")
        return Failed("bad_response", f"its agent answered {answer.status}: {said!r}", OBJECT)
    if told.user_error is not None:
        text = told.user_error if isinstance(told.user_error, str) else json.dumps(told.user_error)
        return FunctionError(NAMELESS, text.strip().rpartition("\n")[2], text)
    if told.platform_error is not None:
        return Failed("bad_response", f"its agent failed: {told.platform_error}", OBJECT)
    if told.user_result is None:
        return Failed("bad_response", "its agent answered neither user_result nor user_error", OBJECT)
    return Ok(told.user_result.encode(errors="replace"))
