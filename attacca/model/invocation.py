"""One request to a function, what became of it, and where its time went."""

from enum import StrEnum

import msgspec


class Start(StrEnum):
    """How the sandbox that ran an invocation came to be."""

    COLD = "cold"
    TEMPLATE = "template"
    PREWARMED = "prewarmed"
    WARM = "warm"


class Request(msgspec.Struct, frozen=True, gc=False):
    """What the client sent. `more` means that the body goes on in `messages.Body`."""

    body: bytes = b""
    content_type: str = ""
    method: str = "POST"
    path: str = "/"  # below the function's own address, percent-decoded by whoever needs it
    query: str = ""  # without the question mark
    headers: tuple[tuple[bytes, bytes], ...] = ()  # lower-case names, in the order sent
    more: bool = False
    client: str = ""  # its address, told like `headers` only to who is told of the whole request
    port: int = 0
    scheme: str = "http"
    trace: str = ""  # W3C's traceparent: the client's, and on its way to a sandbox what the function may go on with


class Invocation(msgspec.Struct, frozen=True, gc=False):
    """An admitted request on its way to a sandbox. `revision` is a `Revision.id`."""

    id: str
    function: str
    revision: str
    request: Request


class Timing(msgspec.Struct, frozen=True, gc=False):
    """Where an invocation's time went, in milliseconds, in the order in which it passes.

    queued: waiting for its turn. placed: deciding where it runs. sandbox: making the isolated process.
    code: bringing the code into it. imports: running the module's top level. run: the handler itself.
    """

    queued: float = 0.0
    placed: float = 0.0
    sandbox: float = 0.0
    code: float = 0.0
    imports: float = 0.0
    run: float = 0.0


class Ok(msgspec.Struct, frozen=True, tag="ok", tag_field="outcome", gc=False):
    """The function answered. `streamed` means that head and body went ahead in ResponseHead and ResponseBody."""

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    streamed: bool = False


class FunctionError(msgspec.Struct, frozen=True, tag="function_error", tag_field="outcome"):
    """The user's code raised; the sandbox lives on."""

    type: str
    message: str
    traceback: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed", tag_field="outcome"):
    """The platform could not finish it. `code` is one of `errors.py`: timeout, out_of_memory, sandbox_lost,
    start_failed, response_too_large, bad_response, no_capacity, cancelled, draining."""

    code: str
    message: str
    hint: str = ""
    traceback: str = ""


Outcome = Ok | FunctionError | Failed


class Why(msgspec.Struct, frozen=True, gc=False):
    """The reason of each decision on an invocation, in the words of the policy that made it; empty: it was not made."""

    start: str = ""  # why its sandbox was there, or had to be made: keep-alive
    turn: str = ""  # why it had its turn then, and what it waited for: queueing and concurrency
    place: str = ""  # why on this worker: balancing


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """The trace that an invocation belongs to, by its names in W3C Trace Context. `span`: of ours the one of all of it,
    or the client's where ours are not told to anybody. `is_sent`: handed on for the collector. `page`: where a person
    can look at it; empty: nobody has said."""

    trace: str
    span: str
    is_sent: bool = False
    page: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of an ended invocation; a line of `attacca calls`."""

    id: str
    function: str
    revision: int
    at: float  # arrival, seconds since 1970
    status: int
    outcome: str  # "ok" or an error code
    start: Start | None  # None: it never reached a sandbox
    why: str  # why the start was cold, or why it failed
    sandbox: str
    timing: Timing
    total_ms: float
    reasons: Why = Why()
    worker: str = ""  # that had it last
    gateway: str = ""  # by name, where there are several processes
    energy_j: float | None = None  # that it took; None: nobody measures it, or it is not known yet
    energy_error_j: float | None = None  # so far off that may be
    traced: Traced | None = None  # told where it is asked for alone; None: it has no trace
