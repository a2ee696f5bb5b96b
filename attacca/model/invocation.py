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


class Making(msgspec.Struct, frozen=True, gc=False):
    """Where the making of a sandbox or a template went, in milliseconds, in the order in which it passes. Each runtime
    says what it can tell apart; `sandbox` has the rest, so that the sum is the whole.

    sandbox: making the isolated process. network: its network. image: bringing what an image or a machine is made of,
    and unpacking it. code: bringing the code. imports: running the module's top level. readiness: from then on, or
    since its program was started, until it takes invocations.
    """

    sandbox: float = 0.0
    network: float = 0.0
    image: float = 0.0
    code: float = 0.0
    imports: float = 0.0
    readiness: float = 0.0

    @property
    def whole(self) -> float:
        return self.sandbox + self.network + self.image + self.code + self.imports + self.readiness

    def knowing(self, network: float = 0.0, image: float = 0.0, code: float = 0.0, readiness: float = 0.0) -> "Making":
        """What these took besides is known now, and was part of `sandbox`, as far as that goes."""
        network = min(network, left := self.sandbox)
        image = min(image, left := left - network)
        code = min(code, left := left - image)
        readiness = min(readiness, left := left - code)
        return Making(
            left - readiness, self.network + network, self.image + image, self.code + code, self.imports,
            self.readiness + readiness,
        )  # fmt: skip

    def after(self, before: "Making") -> "Making":
        """With what passed before it."""
        return Making(
            before.sandbox + self.sandbox, before.network + self.network, before.image + self.image,
            before.code + self.code, before.imports + self.imports, before.readiness + self.readiness,
        )  # fmt: skip

    def within(self, left_ms: float) -> "Making":
        """Its last so many milliseconds: what came earlier is cut."""
        readiness = min(self.readiness, left_ms)
        imports = min(self.imports, left := left_ms - readiness)
        code = min(self.code, left := left - imports)
        image = min(self.image, left := left - code)
        network = min(self.network, left := left - image)
        return Making(min(self.sandbox, left - network), network, image, code, imports, readiness)


class Timing(msgspec.Struct, frozen=True, gc=False):
    """Where an invocation's time went, in milliseconds, in the order in which it passes.

    queued: waiting for its turn. placed: deciding where it runs. Then what the making of its sandbox took, in the parts
    of a `Making`. run: the handler itself.
    """

    queued: float = 0.0
    placed: float = 0.0
    sandbox: float = 0.0
    network: float = 0.0
    image: float = 0.0
    code: float = 0.0
    imports: float = 0.0
    readiness: float = 0.0
    run: float = 0.0

    @property
    def making(self) -> Making:
        return Making(self.sandbox, self.network, self.image, self.code, self.imports, self.readiness)


def timed(made: Making, queued: float = 0.0, placed: float = 0.0, run: float = 0.0) -> Timing:
    return Timing(
        queued, placed, made.sandbox, made.network, made.image, made.code, made.imports, made.readiness, run
    )  # fmt: skip


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
