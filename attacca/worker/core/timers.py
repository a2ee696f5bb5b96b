"""What a worker has to look at later, and the times at which it is due."""

from enum import IntEnum

from attacca.kernel import timers


class Timer(IntEnum):
    EXPIRY = 0  # of an idle sandbox
    PREWARM = 1  # of a function
    RESTOCK = 2  # of a revision whose sandboxes failed to start
    KEPT = 3  # a checked template that nobody deployed
    CHECK = 4  # a check that waits for memory
    PATIENCE = 5  # someone waits too long for memory
    BUFFER = 6  # too little memory is free
    KEEPALIVE = 7  # whenever it asked for
    LATER = 8  # an event that is sent later
    REPLY = 9  # a call that is waited for no longer
    HALT = 10  # an instance that takes too long to stop
    CUT_OFF = 11  # no control is there
    AHEAD = 12  # something was handed ahead


Key = tuple[Timer, str]
Timers = timers.Timers[Key]
