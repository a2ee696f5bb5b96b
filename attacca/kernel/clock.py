"""Where time enters the system: drivers hold a Clock, cores are handed `now`."""

import random
import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds that never go backwards. The origin means nothing."""

    def wall(self) -> float:
        """Seconds since 1970, UTC, for people and files; never compared with `now()`."""


class SystemClock:
    """The machine's clock, pushed far from zero so that a stray time.monotonic() shows up at once."""

    def __init__(self) -> None:
        self._offset_s = random.uniform(1e4, 2e5)

    def now(self) -> float:
        return self._offset_s + time.monotonic()

    def wall(self) -> float:
        return time.time()


class ManualClock:
    """A clock that stands still until it is told to move; for tests and the simulator."""

    def __init__(self, now: float = 0.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time
