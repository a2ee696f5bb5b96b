"""What a queueing policy is told, and what it answers: who is next on this worker."""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec

from attacca.kernel import protocol


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """One waiting invocation and what was known of its function when it arrived. Unknown quantities are 0.

    Times in seconds; `exec_s`, `warm_s`, `prewarmed_s`, `cold_s` and `gap_s` are moving averages. `idle` is the best
    sandbox at hand then: "warm", "prewarmed" or "" for none.
    """

    id: str
    function: str
    arrived: float
    exec_s: float = 0.0
    warm_s: float = 0.0
    prewarmed_s: float = 0.0
    cold_s: float = 0.0
    gap_s: float = 0.0
    idle: str = ""
    running: int = 0  # invocations of the function that were running then


class Next(NamedTuple):
    item: Waiting
    why: str


class Queue(Protocol):
    """The waiting invocations of one worker. Ties go to the earlier push."""

    @property
    def is_memoryless(self) -> bool:
        """One that is pushed when nobody waits, and popped at once, leaves no trace: then the worker may spare both."""

    def push(self, now: float, item: Waiting) -> None: ...
    def pop(self, now: float, can_run: Callable[[str], bool]) -> Next | None:
        """Take out the first whose function can run now; None when there is none."""

    def remove(self, invocation: str) -> Waiting | None:
        """Take out one that was withdrawn; None when it does not wait here."""

    def ended(self, now: float, function: str, exec_s: float) -> None:
        """One that was popped has run for `exec_s`, or failed to (0)."""

    def __len__(self) -> int: ...
    def count(self, function: str) -> int: ...


class Queueing(Protocol):
    """A policy: frozen parameters that make a queue."""

    def fresh(self) -> Queue: ...


# Seconds of execution before one of the function that comes now would be taken, if only one ran at once; None: of all
# that wait. It is for who decides on what such an invocation runs.
MAY_HAVE: Final[protocol.Wanted] = {"wait_s": ("now", "function")}


QUEUE: Final[protocol.Wanted] = {
    "is_memoryless": None,
    "push": ("now", "item"),
    "pop": ("now", "can_run"),
    "remove": ("invocation",),
    "ended": ("now", "function", "exec_s"),
    "__len__": (),
    "count": ("function",),
}


def begin(policy: Queueing) -> Queue:
    """A queue, which has all that it will be asked for.

    Raises:
        BadConfig: it has not.
    """
    whose = f"queueing policy {type(policy).__name__}"
    hint = "attacca/policy/queueing/types.py says what each is for; HeapQueue has them all"
    protocol.check(policy, {"fresh": ()}, {}, whose, hint)
    queue = policy.fresh()
    protocol.check(queue, QUEUE, MAY_HAVE, whose, hint)
    return queue
