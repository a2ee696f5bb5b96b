"""Why an invocation had its turn when it had it, in words for those who look at it afterwards."""

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from attacca.worker.core.state import QueuedInvocation

AT_ONCE = "nobody was before it"
ABOVE_LIMIT = "its function runs short enough to pass the limit"
OLD_REVISION = "its revision is not current any more: before the queue"
START_FAILED = "the sandbox it waited for did not start: before the queue"


class Held(StrEnum):
    """What an invocation waited for."""

    SLOT = "slot"  # of the worker's limit
    SANDBOX = "sandbox"  # its function has all that it may have
    ROOM = "room"  # for its sandbox


SLOT: Final[Held] = Held.SLOT


def turn(item: "QueuedInvocation", limit: int, limit_why: str) -> str:
    """Of one that has waited: the queue's reason, what it waited for, and behind how many."""
    behind = f" behind {item.behind}" if item.behind else ""
    match item.held:
        case Held.SLOT:
            return f"{item.turn}; waited{behind} for one of {limit} slots ({limit_why})"
        case Held.SANDBOX:
            return f"{item.turn}; waited{behind} for a sandbox: its function has all that it may have"
        case Held.ROOM:
            return f"{item.turn}; waited{behind} for room for its sandbox"
