"""The words of the machine of asynchronous calls: what can happen to it, and what it orders."""

import msgspec

from attacca.errors import AttaccaError
from attacca.gateway.core.events import Drain, Tick
from attacca.model.async_call import AsyncCall, Mark, Result, Write
from attacca.model.function import Missed
from attacca.model.invocation import Call, Outcome, Request

# What happens.


class CallAsked(msgspec.Struct, frozen=True):
    """Somebody wants a call made durable and run; `client` is told what comes of that, and is nothing to the core."""

    call: AsyncCall
    request: Request
    client: object


class CancelAsked(msgspec.Struct, frozen=True):
    """`at` in seconds since 1970."""

    id: str
    at: float
    client: object


class Written(msgspec.Struct, frozen=True):
    """The journal says what came of a write."""

    write: Write
    result: Result


class Tried(msgspec.Struct, frozen=True):
    """An attempt is over. `call`: what is remembered of its invocation; None: the gateway did not admit it."""

    id: str
    outcome: Outcome
    call: Call | None


class Vanished(msgspec.Struct, frozen=True):
    """The journal has nothing to be done for it any more: it was cancelled, or is another's."""

    id: str


class Posted(msgspec.Struct, frozen=True):
    """A callback was taken, or, with a reason, was not."""

    id: str
    why: str = ""
    is_final: bool = False  # it never will be


class Claimed(msgspec.Struct, frozen=True):
    """These are ours now: their owner is gone."""

    calls: tuple[AsyncCall, ...]


class MarksRead(msgspec.Struct, frozen=True):
    """Until when each schedule is settled, as the journal has it."""

    marks: dict[str, Mark]


class WallClock(msgspec.Struct, frozen=True):
    """So late it is, in seconds since 1970. Said now and then, as that clock may be set, and functions change."""

    at: float


class Minded(msgspec.Struct, frozen=True):
    """Schedules are minded here until then, on the core's own clock. `marks`: begin there, what was due until
    `taken_at` (in seconds since 1970) and is not settled having been missed; None: go on."""

    until: float
    marks: tuple[Mark, ...] | None = None
    taken_at: float = 0.0


Event = (
    CallAsked | CancelAsked | Written | Tried | Vanished | Posted | Claimed | MarksRead | WallClock | Minded | Drain
    | Tick
)  # fmt: skip


# What is to be done.


class Commit(msgspec.Struct, frozen=True):
    """Have the journal write this, and say Written."""

    write: Write


class Accepted(msgspec.Struct, frozen=True):
    """Tell the client that its call will be made; `is_repeat`: that it is one from before."""

    client: object
    call: AsyncCall
    is_repeat: bool = False


class Answered(msgspec.Struct, frozen=True):
    """Tell the client, who has waited for it, what came of its call; `is_repeat`: of one from before."""

    client: object
    call: AsyncCall
    outcome: Outcome
    is_repeat: bool = False


class Rejected(msgspec.Struct, frozen=True):
    client: object
    error: AttaccaError


class Cancelled(msgspec.Struct, frozen=True):
    """Tell the client that its call is."""

    client: object
    id: str


class Try(msgspec.Struct, frozen=True):
    """Invoke the function with the call's request, and say Tried. The name of the invocation is `invocation`."""

    call: AsyncCall
    invocation: str


class Abort(msgspec.Struct, frozen=True):
    """An attempt that runs is not wanted any more."""

    id: str


class Settled(msgspec.Struct, frozen=True):
    """It is over, and durably so: who waits for that can look."""

    id: str


class Post(msgspec.Struct, frozen=True):
    """Send its answer to its callback, and say Posted."""

    call: AsyncCall


class Claim(msgspec.Struct, frozen=True):
    """Have the journal keep what is ours, take over what nobody keeps, and say Claimed; with `first` say MarksRead."""

    limit: int
    first: bool = False


class Sweep(msgspec.Struct, frozen=True):
    """Have the journal forget what has expired. `at` in seconds since 1970."""

    at: float


class MissedRuns(msgspec.Struct, frozen=True):
    """So many runs of a schedule were due while nobody was there, the latest at `due`, in seconds since 1970."""

    function: str
    schedule: str
    count: int
    due: float
    missed: Missed


Command = (
    Commit | Accepted | Answered | Rejected | Cancelled | Try | Abort | Settled | Post | Claim | Sweep | MissedRuns
)
