"""What control and gateways say of asynchronous calls: each lies in the journal of the gateway that has accepted it."""

from enum import StrEnum

import msgspec

from attacca.model.async_call import AsyncCall, Record, State
from attacca.model.invocation import Failed


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
