"""What a user's code can say to us through a descriptor that it should leave alone, and how much of it is believed.

Everything is decoded once, here, into what is typed and bounded; what does not fit raises one of NONSENSE.
"""

import math
import struct
from typing import Annotated, Any, Literal

import msgspec

from attacca.guest import channel as wire
from attacca.guest.channel import FIELDS_MOST, HEAD_BYTES
from attacca.model.function import EventShape, Signature
from attacca.model.invocation import Making

NONSENSE = (
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    RecursionError,
    AttributeError,
    struct.error,
    msgspec.MsgspecError,
)
FOREVER_MS = 1e9
NOTES_MOST = 100
LINES_BYTES = HEAD_BYTES + 2 * FIELDS_MOST  # with what separates them
TOO_MANY = ((b"x-too-many", b""),) * (FIELDS_MOST + 1)

Short = Annotated[str, msgspec.Meta(max_length=1_000)]
Text = Annotated[str, msgspec.Meta(max_length=100_000)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, lt=FOREVER_MS)]
Failure = Literal["bad_function", "out_of_memory", "timeout"]
Breakage = Literal["out_of_memory", "bad_request", "bad_response", "response_too_large"]


class Ready(msgspec.Struct, frozen=True):
    """A sandbox has its code."""

    sandbox_ms: Milliseconds
    code_ms: Milliseconds
    imports_ms: Milliseconds
    network_ms: Milliseconds = 0.0
    readiness_ms: Milliseconds = 0.0


class Imported(msgspec.Struct, frozen=True):
    """A template has its code."""

    sandbox_ms: Milliseconds
    code_ms: Milliseconds
    imports_ms: Milliseconds
    handler: Short
    signature: Signature
    event: EventShape
    memory_kb: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
    unfit: Short = ""
    notes: Annotated[tuple[Short, ...], msgspec.Meta(max_length=NOTES_MOST)] = ()
    logs: Text = ""
    network_ms: Milliseconds = 0.0
    readiness_ms: Milliseconds = 0.0


def parts(told: Ready | Imported) -> Making:
    return Making(told.sandbox_ms, told.network_ms, 0.0, told.code_ms, told.imports_ms, told.readiness_ms)


def making(told: Ready | Imported, whole_ms: float) -> Making:
    """With what it cannot see itself: the order, the fork, the wait."""
    seen = parts(told)
    return msgspec.structs.replace(seen, sandbox=max(whole_ms - seen.whole + seen.sandbox, 0.0))


class NotImported(msgspec.Struct, frozen=True):
    """Neither has, nor will have."""

    code: Failure
    message: Text
    hint: Text = ""
    traceback: Text = ""
    logs: Text = ""


class Raised(msgspec.Struct, frozen=True):
    """A handler raised."""

    type: Short
    message: Text
    traceback: Text
    run_ms: Milliseconds


class Broken(msgspec.Struct, frozen=True):
    """There is no answer that could be sent."""

    code: Breakage
    message: Text


ready = msgspec.json.Decoder(Ready).decode
imported = msgspec.json.Decoder(Imported).decode
not_imported = msgspec.json.Decoder(NotImported).decode
raised = msgspec.json.Decoder(Raised).decode
broken = msgspec.json.Decoder(Broken).decode


def milliseconds(told: Any) -> float:
    """
    Raises:
        NONSENSE: it is no number.
    """
    took = float(told)
    return took if math.isfinite(took) and 0.0 <= took < FOREVER_MS else 0.0


class HeadTooLarge(Exception):
    """An answer's head is more than a client would take; the answer is bad, the sandbox is not."""


def fields(raw: bytes, content_type: bytes = b"") -> tuple[tuple[bytes, bytes], ...]:
    """The fields of an answer's head, from lines of names and values.

    Raises:
        HeadTooLarge: they are more, or longer, than is allowed, `content_type` among them.
        NONSENSE: they are none.
    """
    if len(raw) > LINES_BYTES:
        raise HeadTooLarge(f"the answer's head is over {HEAD_BYTES >> 10} KB")
    found = wire.fields(raw)
    size = len(content_type) + sum(len(name) + len(value) for name, value in found)
    if size > HEAD_BYTES:
        raise HeadTooLarge(f"the answer's head has {size / 1024:.0f} KB; at most {HEAD_BYTES >> 10} can be sent")
    if len(found) > FIELDS_MOST:
        raise HeadTooLarge(f"the answer has {len(found)} header fields; at most {FIELDS_MOST} can be sent")
    return tuple(found)
