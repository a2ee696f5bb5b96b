"""The three clocks of an invocation, and what they say when they fire. Many deadlines, one wakeup.

All entries of a lane wait equally long, and time does not go backwards, so the first in is the first to expire: lanes
are sorted by insertion alone. Adding and removing are one dict operation each; only the driver's one timer ever looks
at more than that.
"""

from collections.abc import Hashable
from enum import StrEnum
from math import inf
from typing import Generic, TypeVar

from attacca.kernel.timers import Alarm
from attacca.model.function import Settings
from attacca.model.invocation import Failed

T = TypeVar("T", bound=Hashable)


class ClockName(StrEnum):
    """The three clocks, by the name of the setting that sets each."""

    WAIT = "wait_s"
    FIRST_BYTE = "first_byte_s"
    TOTAL = "timeout_s"


class Lane(Generic[T]):
    """Entries that all expire `duration_s` after they were added. Empty lanes are unknown to the Deadlines."""

    __slots__ = ("clock", "duration_s", "entries", "is_listed")

    def __init__(self, clock: ClockName, duration_s: float) -> None:
        self.clock = clock
        self.duration_s = duration_s
        self.entries: dict[T, float] = {}
        self.is_listed = False

    def __repr__(self) -> str:
        return f"<Lane {self.clock.value} = {self.duration_s:g}: {len(self.entries)} wait>"


class Clocks(Generic[T]):
    """The three clocks as one revision sets them; an invocation keeps those it was admitted with."""

    __slots__ = ("first_byte", "total", "wait")

    def __init__(self, settings: Settings) -> None:
        first_byte_s = settings.first_byte_s
        self.wait: Lane[T] = Lane(ClockName.WAIT, settings.wait_s)
        self.first_byte: Lane[T] | None = None if first_byte_s is None else Lane(ClockName.FIRST_BYTE, first_byte_s)
        self.total: Lane[T] = Lane(ClockName.TOTAL, settings.timeout_s)


class Deadlines(Generic[T]):
    __slots__ = ("alarm", "lanes", "next_at")

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm
        self.next_at = inf  # no deadline is earlier; it may be too early when entries have left, never too late
        self.lanes: list[Lane[T]] = []

    def __repr__(self) -> str:
        return f"<Deadlines {sum(len(lane.entries) for lane in self.lanes)} wait, next at {self.next_at:g}>"

    def add(self, now: float, lane: Lane[T], entry: T) -> None:
        at = lane.entries[entry] = now + lane.duration_s
        if not lane.is_listed:
            lane.is_listed = True
            self.lanes.append(lane)
        if at < self.next_at:
            self.next_at = at
            self.alarm.by(at)

    def remove(self, lane: Lane[T] | None, entry: T) -> None:
        """None: there is no such clock."""
        if lane is not None and entry in lane.entries:  # compiled, this and `del` take less than `pop`
            del lane.entries[entry]

    def expired(self, now: float) -> list[tuple[T, Lane[T]]]:
        """Take out all that are due, lane by lane, and find out exactly when the next one is."""
        due = []
        for lane in self.lanes:
            late = []
            for entry, at in lane.entries.items():
                if at > now:
                    break
                late.append(entry)
            for entry in late:
                del lane.entries[entry]
                due.append((entry, lane))
            lane.is_listed = bool(lane.entries)
        self.lanes = [lane for lane in self.lanes if lane.is_listed]
        self.next_at = min((next(iter(lane.entries.values())) for lane in self.lanes), default=inf)
        return due


def timed_out(function: str, clock: ClockName, duration_s: float) -> Failed:
    """Which clock it was, its value, and where it is set."""
    value = f"{duration_s:g}"
    match clock:
        case ClockName.WAIT:
            message = f"no sandbox took {function!r} within {value} s of its arrival (clock wait_s = {value})"
            hint = "raise wait_s in its function.toml; `attacca top` shows who holds sandboxes and memory"
        case ClockName.FIRST_BYTE:
            message = (
                f"{function!r} sent no first byte within {value} s of its hand-over to a sandbox "
                f"(clock first_byte_s = {value})"
            )
            hint = "raise first_byte_s in its function.toml, or make the function answer sooner"
        case ClockName.TOTAL:
            message = (
                f"{function!r} was not done within {value} s of its hand-over to a sandbox (clock timeout_s = {value})"
            )
            hint = "raise timeout_s in its function.toml (`attacca deploy --timeout SECONDS`), or make it do less"
    return Failed("timeout", message, hint)
