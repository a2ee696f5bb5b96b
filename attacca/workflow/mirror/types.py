"""What a mirror hangs on: a database with Redis's kinds of values, real or in memory."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from attacca.workflow.mirror.writes import Write

SERIES_MOST = 10_000  # values of a list, or of a sorted set
VALUE_MOST = 32_768  # bytes of an intent's value, behind which it is cut off
INTENTS = "intents"
INTENT = "intent:"  # how the keys of intents begin


class Popped(NamedTuple):
    """An intent's key, without the prefix of the mirror, and its value, where it has one."""

    key: bytes
    value: bytes | None


class Glass(Protocol):
    """Each method raises StateUnavailable where the database cannot be reached or does not answer in time, and
    BadConfig where it lets nobody in."""

    async def begin(self, run: str) -> Mapping[str, str]:
        """From now on it is `run` that writes. Tells which keys are ours from before, and of what kind each is."""

    async def write(self, run: str, writes: Sequence[Write], keep_s: float) -> int | None:
        """All of it at once; what is measured is kept for `keep_s`. Answers how many were refused because somebody
        else has a value of another kind there. None: another run writes, or it was emptied; nothing is written."""

    async def pop(self) -> Popped | None:
        """The first of the intents, whose value goes with it."""

    async def take(self, key: bytes) -> bytes | None:
        """The value of an intent that came before it; it is gone then."""

    async def close(self) -> None: ...
