"""A call whose answer is fetched later: what is durable of it, and what is written of it.

    Accept ─▶ waiting ──Update──▶ waiting (to be tried again) │ done │ dead
                 └─────Cancel───▶ cancelled                     Revive: dead ─▶ waiting

It is open as long as something is to be done for it: an attempt, or its callback. Who owns it does that.
"""

from enum import StrEnum

import msgspec

from attacca.errors import AttaccaError
from attacca.model.invocation import Call, Outcome, Request

TRIES_KEPT = 10  # latest attempts that are remembered of a call


class Kind(StrEnum):
    """Why it is durable."""

    ASYNC = "async"  # it was asked for so
    KEYED = "keyed"  # its client waits for the answer, and may ask again with the same Idempotency-Key
    SCHEDULE = "schedule"  # its time had come


class State(StrEnum):
    WAITING = "waiting"  # for an attempt, or for the end of one
    DONE = "done"
    DEAD = "dead"  # it failed, and is not tried again
    CANCELLED = "cancelled"


class Posting(StrEnum):
    """What becomes of its callback."""

    NONE = "none"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


class AsyncCall(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one, without its request and its answer. Times in seconds since 1970."""

    id: str
    function: str
    kind: Kind = Kind.ASYNC
    at: float  # when it was asked for, or revived: its age counts from here
    due: float = 0.0  # when it is tried next
    size: int = 0  # bytes of its request
    callback: str = ""  # a URL
    key: str = ""  # a digest of function, caller and Idempotency-Key
    fingerprint: str = ""  # a digest of the request, where there is a key
    state: State = State.WAITING
    attempts: int = 0  # that ran and failed, or gave the answer
    tries: tuple[Call, ...] = ()  # the latest of them
    why: str = ""  # why it failed last
    posting: Posting = Posting.NONE
    ended_at: float = 0.0
    expires_at: float = 0.0  # when it is forgotten; 0: it is not over

    @property
    def is_open(self) -> bool:
        return self.state is State.WAITING or self.posting is Posting.WAITING


class Record(msgspec.Struct, frozen=True):
    """All of a call. `request` is None once it is no longer needed, `outcome` until there is one."""

    call: AsyncCall
    request: Request | None = None
    outcome: Outcome | None = None


class Mark(msgspec.Struct, frozen=True):
    """Everything of the schedule `name` is settled that was due until then. `due` in seconds since 1970."""

    name: str
    due: float
    missed: int = 0  # runs of it that were due while nobody was there; the journal adds them up


# What is written.


class Accept(msgspec.Struct, frozen=True):
    """Make it, if no other call has its key. With a mark: only if the schedule is not settled until there, which it
    then is."""

    call: AsyncCall
    request: Request
    mark: Mark | None = None


class Update(msgspec.Struct, frozen=True):
    """It is now so; only if it is open, and the writer's own. The request goes with the end, unless it is dead."""

    call: AsyncCall
    outcome: Outcome | None = None


class Cancel(msgspec.Struct, frozen=True):
    """Whoever owns it, if it still waits. `at`, `expires_at` in seconds since 1970."""

    id: str
    at: float
    expires_at: float


class Revive(msgspec.Struct, frozen=True):
    """A dead one is to be tried anew, by whoever claims it."""

    id: str
    at: float


class Delete(msgspec.Struct, frozen=True):
    """Forget it: one that is over, or with `open` one's own that has not begun."""

    id: str
    open: bool = False


class Advance(msgspec.Struct, frozen=True):
    """Nothing older of this schedule is due any more."""

    mark: Mark


Write = Accept | Update | Cancel | Revive | Delete | Advance


# What came of it.


class Stored(msgspec.Struct, frozen=True):
    """It is durable."""


class Repeated(msgspec.Struct, frozen=True):
    """Another has its key: this one."""

    record: Record


class Gone(msgspec.Struct, frozen=True):
    """It is not as the write wants it; `call` is how it is, if it is there."""

    call: AsyncCall | None = None


class Unwritten(msgspec.Struct, frozen=True):
    """It could not be written."""

    error: AttaccaError


Result = Stored | Repeated | Gone | Unwritten
