"""What control and gateways say of asynchronous calls: each lies in the journal of the gateway that has accepted it."""

from enum import StrEnum

import msgspec

from attacca.model.async_call import AsyncCall, Mark, Record, State
from attacca.model.invocation import Failed

MINDING_S = 60.0  # how long a gateway minds the schedules that has not asked again


class AskAsync(msgspec.Struct, frozen=True, tag=True):
    """Which asynchronous calls are in your journal? The latest, at most `limit`; None or empty: whatever they are."""

    id: str
    state: State | None
    function: str
    limit: int


class AsyncTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskAsync of that id."""

    id: str
    calls: tuple[AsyncCall, ...]


class CallVerb(StrEnum):
    FIND = "find"
    CANCEL = "cancel"
    RETRY = "retry"  # one that is dead
    DELETE = "delete"  # one that is over


class AskCall(msgspec.Struct, frozen=True, tag=True):
    """What is this asynchronous call, or do that to it. Control passes it on to the gateway that has it."""

    id: str
    call: str
    verb: CallVerb


class CallTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskCall of that id. `record`: as it was found; None: nobody has it, or it was not asked for.
    `error`: why it was not done; its code is not_found, conflict or state_unavailable."""

    id: str
    record: Record | None = None
    is_running: bool = False
    error: Failed | None = None


class AskMinding(msgspec.Struct, frozen=True, tag=True):
    """May the gateways of this journal mind the schedules, or go on? `fence`: of when they last might; 0: never.
    `marks`: what they have settled."""

    id: str
    journal: str
    fence: int = 0
    marks: tuple[Mark, ...] = ()


class MindingTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskMinding of that id, for MINDING_S from when it was asked. `marks`: where to begin, if the
    fence is news. `taken_at`: when they took over from another journal, in seconds since 1970; 0: from none."""

    id: str
    is_yours: bool
    fence: int = 0
    taken_at: float = 0.0
    marks: tuple[Mark, ...] = ()
