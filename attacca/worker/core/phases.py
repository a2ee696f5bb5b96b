"""The phases of what a worker holds.

A sandbox:

STARTING --ready--> IDLE --take--> BUSY --leave (the last)--> IDLE
BUSY --start_draining--> DRAINING: takes nothing new      STARTING, IDLE, BUSY, DRAINING --kill--> DYING
DYING --ready, leave--> DYING: it was killed in that moment
STARTING, DYING --failed--> GONE              IDLE, BUSY, DRAINING, DYING --gone--> GONE

A template:

MAKING --ready--> READY --retire--> RETIRED --its last sandbox gone--> DROPPING --gone--> GONE
MAKING --retire--> DROPPING           READY with no sandbox --retire--> DROPPING
MAKING, DROPPING --failed--> GONE     READY, RETIRED, DROPPING --gone--> GONE
"""

from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    DYING = "dying"
    GONE = "gone"


class TemplatePhase(StrEnum):
    MAKING = "making"
    READY = "ready"
    RETIRED = "retired"
    DROPPING = "dropping"
    GONE = "gone"


class Position(StrEnum):
    QUEUED = "queued"  # in the policy's queue
    HEAD_OF_LINE = "head_of_line"  # before the queue: it was popped, or its revision is not current any more
    PENDING = "pending"  # waits for a sandbox of its revision that is starting
    AHEAD = "ahead"  # a busy sandbox was handed it, as what it runs next
    RUNNING = "running"


class WaitedFor(StrEnum):
    """What an invocation waited for."""

    SLOT = "slot"  # of the worker's limit
    SANDBOX = "sandbox"  # its function has all that it may have
    ROOM = "room"  # for its sandbox


# Looking a member of an enumeration up costs ten times a name, and this is the road of every invocation.
STARTING: Final = Phase.STARTING
IDLE: Final = Phase.IDLE
BUSY: Final = Phase.BUSY
DRAINING: Final = Phase.DRAINING
DYING: Final = Phase.DYING
GONE: Final = Phase.GONE
QUEUED: Final = Position.QUEUED
AHEAD: Final = Position.AHEAD
RUNNING: Final = Position.RUNNING
SLOT: Final[WaitedFor] = WaitedFor.SLOT
