"""W3C Trace Context: how a trace passes through, and which names its spans have.

What an invocation is called says which trace is its own and what its spans are called, so that nothing has to be kept
of those that nobody will look at.
"""

import hashlib
import re
import zlib

import msgspec

FIELD = b"traceparent"
PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
MOST = 256  # characters of a field that is looked at
SAMPLED = 1
RUN = "run"  # the span that a function goes on with
NUMBERS = 1 << 32
NAMING = hashlib.blake2b(digest_size=20, person=b"attacca trace")


class TraceParent(msgspec.Struct, frozen=True, gc=False):
    """`trace` has 32 hexadecimal digits, `span` 16; `flags` is one byte."""

    trace: str
    span: str
    flags: int = 0

    @property
    def is_sampled(self) -> bool:
        return bool(self.flags & SAMPLED)

    def __str__(self) -> str:
        return f"00-{self.trace}-{self.span}-{self.flags & SAMPLED:02x}"


def parsed(field: str) -> TraceParent | None:
    """None: it is none, and a new trace begins. A later version may have more behind a dash, of ours nothing may."""
    found = PARENT.fullmatch(field.strip(" \t")) if len(field) <= MOST else None
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if trace == "0" * 32 or span == "0" * 16:
        return None
    return TraceParent(trace, span, int(flags, 16))


def number_of(invocation: str) -> int:
    """By which it is chosen, or not: less than `NUMBERS`, as if at random. Nothing else is asked of every invocation,
    so it is made of little: a check sum, stirred so that names that follow each other come to numbers that do not."""
    mixed = zlib.crc32(invocation.encode("utf-8", "replace")) * 0x1B873593 & 0xFFFFFFFF
    return mixed ^ mixed >> 15


def named(invocation: str) -> str:
    """The trace that it begins, if it continues none, 32 digits, and the span that its function goes on with, 16.
    A trace is chosen by the last 14 of its digits, which begin with the invocation's number."""
    hashed = NAMING.copy()
    hashed.update(invocation.encode("utf-8", "replace"))
    digits = hashed.hexdigest()
    return f"{digits[:18]}{number_of(invocation):08x}{digits[18:]}"


def trace_of(invocation: str) -> str:
    """The trace that it begins, if it continues none."""
    return named(invocation)[:32]


def goes_on(invocation: str) -> str:
    """What the function of one that nobody has chosen goes on with, as a field."""
    names = named(invocation)
    return f"00-{names[:32]}-{names[32:]}-00"


def span_of(invocation: str, what: str = "") -> str:
    """One of its spans; without `what` that of all of it."""
    if what == RUN:
        return named(invocation)[32:]
    text = f"{invocation}\n{what}".encode(errors="replace")
    return hashlib.blake2b(text, digest_size=8, person=b"attacca span").hexdigest()


def is_chosen(trace: str, rate: float) -> bool:
    """Whether a trace is among so large a share of all: the same wherever it is asked, as OpenTelemetry has it."""
    return int(trace[-14:-6], 16) < bound_of(rate)


def bound_of(rate: float) -> int:
    """What the number of an invocation that is among so large a share of all is less than."""
    return int(rate * NUMBERS)


class Exemplar(msgspec.Struct, frozen=True, gc=False):
    """An invocation that was traced, and how long it took. `at`: when it had ended, in seconds since 1970."""

    trace: str
    seconds: float
    at: float


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A part of a trace. Times in seconds since 1970."""

    trace: str
    span: str
    parent: str = ""  # empty: it is the first
    name: str
    is_server: bool = False  # it answers somebody
    began: float
    ended: float
    error: str = ""  # what went wrong; empty: nothing
    attributes: tuple[tuple[str, str | int | float | bool], ...] = ()
