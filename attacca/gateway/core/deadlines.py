"""Many deadlines, one wakeup: lanes of equal duration are sorted by insertion alone.

All entries of a lane wait equally long, and time does not go backwards, so the first in is the first to expire.
Adding and removing are one dict operation each; only the driver's one timer ever looks at more than that.
"""

from enum import StrEnum
from math import inf

import msgspec


class ClockName(StrEnum):
    """The three clocks, by the name of the setting that sets each."""

    WAIT = "wait_s"
    FIRST_BYTE = "first_byte_s"
    TOTAL = "timeout_s"


class Lane:
    """Entries that all expire `duration_s` after they were added. Empty lanes are unknown to the Deadlines."""

    __slots__ = ("clock", "duration_s", "entries", "is_listed")

    def __init__(self, clock: ClockName, duration_s: float) -> None:
        self.clock = clock
        self.duration_s = duration_s
        self.entries: dict[str, float] = {}
        self.is_listed = False


class Expired(msgspec.Struct, frozen=True):
    id: str
    clock: ClockName
    duration_s: float


class Deadlines:
    __slots__ = ("_lanes", "next_at")

    def __init__(self) -> None:
        self.next_at = inf  # no deadline is earlier; it may be too early when entries have left, never too late
        self._lanes: list[Lane] = []

    def add(self, now: float, lane: Lane, entry: str) -> None:
        at = lane.entries[entry] = now + lane.duration_s
        if not lane.is_listed:
            lane.is_listed = True
            self._lanes.append(lane)
        if at < self.next_at:
            self.next_at = at

    def remove(self, lane: Lane, entry: str) -> None:
        lane.entries.pop(entry, None)

    def expired(self, now: float) -> list[Expired]:
        """Take out all that are due, lane by lane, and find out exactly when the next one is."""
        due: list[Expired] = []
        for lane in self._lanes:
            late = []
            for entry, at in lane.entries.items():
                if at > now:
                    break
                late.append(entry)
            for entry in late:
                del lane.entries[entry]
                due.append(Expired(entry, lane.clock, lane.duration_s))
            lane.is_listed = bool(lane.entries)
        self._lanes = [lane for lane in self._lanes if lane.is_listed]
        self.next_at = min((next(iter(lane.entries.values())) for lane in self._lanes), default=inf)
        return due
