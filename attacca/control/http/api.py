"""What the admin API says on the wire: the shapes of its answers and requests."""

from typing import Annotated

import msgspec

from attacca.control.core.tokens import NAME
from attacca.model.async_call import Kind, Posting, State
from attacca.model.energy import EnergyView
from attacca.model.function import EventShape, Missed, Network, Scheduling, Settings, Signature
from attacca.model.invocation import Call
from attacca.model.monitor import SandboxUse
from attacca.model.sandbox import DeviceView, FunctionView, MachineLoad
from attacca.model.story import Moment

TOKEN_NAME = rf"^({NAME.pattern})?(?!\n)$"  # the same in Python and in ECMAScript, where OpenAPI reads it


class SandboxRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    revision: str
    phase: str
    memory_mb: int
    busy: int  # invocations in it now
    served: int
    age_s: float
    idle_s: float
    use: SandboxUse | None = None  # of processors and memory; None: it is not known


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One worker; of what it has, its memory is shown."""

    name: str
    memory_mb: int
    used_mb: int
    queued: int
    running: int
    limit: int  # invocations at once, as the concurrency policy has it now
    cores: int
    draining: bool  # or cordoned
    load: MachineLoad | None
    functions: tuple[FunctionView, ...]
    sandboxes: tuple[SandboxRow, ...]
    idle: dict[str, int] | None
    energy: EnergyView | None = None  # None: nobody measures it
    devices: tuple[DeviceView, ...] = ()


class FunctionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One function in a list."""

    function: str
    revision: int
    handler: str
    signature: Signature
    event: EventShape = EventShape.PLAIN
    memory_mb: int
    timeout_s: float
    concurrency: int
    network: Network
    deployed_at: float  # seconds since 1970


class RevisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One kept revision. `changes` says what it changed against the kept one before it."""

    revision: int
    is_current: bool
    handler: str
    signature: Signature
    deployed_at: float
    changes: tuple[str, ...] = ()


class FunctionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one function; its revisions newest first."""

    function: str
    revision: int
    handler: str
    signature: Signature
    settings: Settings  # no value of `env` is told
    has_requirements: bool
    deployed_at: float
    revisions: tuple[RevisionRow, ...]
    statistics: FunctionView | None = None  # None: no worker has seen it
    event: EventShape = EventShape.PLAIN
    lies_on: tuple[str, ...] = ()  # workers apart that have all that its current revision is made of


class RevisionNow(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a rollback."""

    function: str
    revision: int
    handler: str
    replaced: int


class RollbackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    to: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] | None = None  # None: the one before the current


class ScaleNow(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to another scale: what is in force now."""

    function: str
    revision: int
    scheduling: Scheduling
    min_sandboxes: int
    max_sandboxes: int | None
    scaling: dict[str, str | int | float | bool]
    placement: str


class PrewarmRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1


class EvictRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    templates: bool = False


class CordonRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`on`: it is given nothing new, until it is taken back."""

    on: bool = True


class GatewayRow(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    url: str  # where it answers functions; empty: where this is asked


class WorkerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One worker in few words. What it has not told, as it does not answer, is None. `runtimes`: the kinds of code that
    it runs, each with the engine or monitor that makes its sandboxes; empty: the worker itself."""

    name: str
    address: str  # where gateways reach it; empty: it is in this process
    silent: bool
    draining: bool
    memory_mb: int | None = None
    used_mb: int | None = None
    queued: int | None = None
    running: int | None = None
    sandboxes: int | None = None
    load: MachineLoad | None = None
    runtimes: dict[str, str] | None = None
    holds: int | None = None  # functions of which all lies there; None: it is not apart, and has them where they are


class ClusterRow(msgspec.Struct, frozen=True, kw_only=True):
    """All planes there are. `leader`: the URL of the control that says so; `term`: by which it leads."""

    leader: str
    term: int
    functions: int
    gateways: tuple[GatewayRow, ...]
    workers: tuple[WorkerSummary, ...]


class SecretRow(msgspec.Struct, frozen=True, kw_only=True):
    """A secret, without its value. `functions` are those whose current revisions ask for it."""

    name: str
    set_at: float  # seconds since 1970
    functions: tuple[str, ...]


class AsyncRow(msgspec.Struct, frozen=True, kw_only=True):
    """A call whose answer is fetched later. Times in seconds since 1970; 0: not yet."""

    id: str
    function: str
    kind: Kind
    state: State
    at: float
    due: float
    attempts: int
    size: int  # bytes of its request
    why: str  # why it failed last
    callback: Posting
    ended_at: float
    expires_at: float


class AsyncDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One such call. Its request is there as long as it may be tried again, its body as base64."""

    call: AsyncRow
    tries: tuple[Call, ...]
    method: str = ""
    path: str = ""
    query: str = ""
    content_type: str = ""
    body: bytes | None = None
    status: int | None = None  # of the answer; its body as base64
    answer_type: str = ""
    answer: bytes | None = None
    error: str = ""  # where there is no answer but an error: its code, what it says, and where
    message: str = ""
    traceback: str = ""


class Counted(msgspec.Struct, frozen=True):
    """To how many it was done."""

    count: int


class ScheduleRow(msgspec.Struct, frozen=True, kw_only=True):
    """When a function is run by itself. Times in seconds since 1970; `settled`: nothing older is due any more."""

    function: str
    schedule: str
    timezone: str
    policy: Missed  # what becomes of runs that were missed
    next: float | None
    following: tuple[float, ...]
    settled: float | None
    missed: int  # runs that were due while no gateway was there


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The story of an invocation or a sandbox; `call`: what is remembered of the invocation, if it has ended."""

    subject: str
    moments: tuple[Moment, ...]
    call: Call | None = None


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=63, extra_json_schema={"extra": {"pattern": TOKEN_NAME}})] = ""


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    created_at: float


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """`token` is shown this once; only its digest is kept."""

    id: str
    name: str
    created_at: float
    token: str


class StepLine(msgspec.Struct, frozen=True):
    """A line of a deployment's answer while it goes on. `step` is unpack, build, check or log."""

    step: str
    text: str


class DoneBody(msgspec.Struct, frozen=True, kw_only=True):
    function: str
    revision: int
    handler: str
    signature: Signature
    event: EventShape = EventShape.PLAIN
    imports_ms: float
    replaced: int | None
    changes: tuple[str, ...] = ()


class DoneLine(msgspec.Struct, frozen=True):
    """The last line of a deployment that is in force."""

    done: DoneBody


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    code: str
    message: str
    hint: str = msgspec.field(name="try")
    traceback: str = ""


class ErrorLine(msgspec.Struct, frozen=True):
    """Every error's body, and the last line of a deployment that was refused."""

    error: ErrorBody
