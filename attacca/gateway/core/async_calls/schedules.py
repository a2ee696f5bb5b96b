"""Schedules of functions: what is due next, and what was due while nobody was there.

Which of several gateways makes a run is for the journal to say: it moves the schedule's mark with the call, once.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from math import inf

import msgspec

from attacca.gateway.core.catalogue import Functions
from attacca.kernel import cron
from attacca.model.async_call import Mark
from attacca.model.function import Missed, Settings
from attacca.model.invocation import Request

LATE_S = 60.0  # what is later than this was missed


class Due(msgspec.Struct, frozen=True):
    """Runs that are due: the latest at `mark.due`, and how many of them have been missed. `runs`: it is to be made."""

    function: str
    schedule: str
    timezone: str
    mark: Mark
    missed: int
    policy: Missed
    runs: bool


class Schedule:
    """One expression of a function; `settled` and `due` in seconds since 1970."""

    __slots__ = ("due", "expression", "function", "policy", "settled", "timezone")

    def __init__(self, function: str, expression: str, settings: Settings, settled: float) -> None:
        self.function = function
        self.expression = expression
        self.timezone = settings.timezone
        self.policy = settings.missed
        self.settled = settled
        self.due = self._next()

    def __repr__(self) -> str:
        return f"<Schedule {self.name}, due at {self.due:.0f}>"

    @property
    def name(self) -> str:
        return f"{self.function} {self.timezone} {self.expression}"

    def settle(self, until: float) -> None:
        if until > self.settled:
            self.settled = until
            self.due = self._next()

    def _next(self) -> float:
        due = cron.next_due(self.expression, self.timezone, self.settled)
        return inf if due is None else due


class Schedules:
    """Of all functions that a gateway knows; nothing is due before the journal's marks are known."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._marks: dict[str, Mark] | None = None
        self._told: dict[str, Mark] = {}  # by control, of what was settled elsewhere
        self._taken_at = -inf
        self.by_name: dict[str, Schedule] = {}
        self.next_at = inf  # when something is due, in seconds since 1970

    def __repr__(self) -> str:
        return f"<Schedules {len(self.by_name)}, next at {self.next_at:.0f}>"

    def read(self, marks: dict[str, Mark]) -> None:
        self._marks = dict(marks)
        self._take_in(self._told.values())

    def take_over(self, marks: Iterable[Mark], taken_at: float) -> None:
        """They have been another's: what was due until `taken_at` and is not settled was missed, however late."""
        self._told, self._taken_at = {mark.name: mark for mark in marks}, taken_at
        self.by_name = {}
        self._remember()
        if self._marks is not None:
            self._take_in(self._told.values())

    def wrote(self, mark: Mark) -> None:
        """The journal has it."""
        if self._marks is not None:
            before = self._marks.get(mark.name)
            missed = mark.missed + (0 if before is None else before.missed)
            self._marks[mark.name] = mark if before is None else Mark(mark.name, max(before.due, mark.due), missed)

    def marks(self) -> tuple[Mark, ...]:
        """As the journal has them, of the functions that there are."""
        marks = self._marks or {}
        return tuple(marks[name] for name in self.by_name if name in marks)

    def _take_in(self, marks: Iterable[Mark]) -> None:
        assert self._marks is not None
        for mark in marks:
            before = self._marks.get(mark.name)
            if before is None or before.due < mark.due:
                self._marks[mark.name] = mark

    def refresh(self, wall: float) -> list[Mark]:
        """The functions have changed. Marks for the schedules that are new."""
        if self._marks is None:
            return []
        known, self.by_name, fresh = self.by_name, {}, list[Mark]()
        for function in self._functions.by_name.values():
            settings = function.settings
            for expression in settings.schedule:
                name = f"{function.name} {settings.timezone} {expression}"
                before = known.get(name)
                written = self._marks.get(name)
                mark = before.settled if before is not None else None if written is None else written.due
                if mark is None:
                    fresh.append(Mark(name, wall))
                # It may have been another's for a while: before the deployment nothing was missed.
                settled = wall if mark is None else max(mark, min(function.deployed_at, wall))
                self.by_name[name] = Schedule(function.name, expression, settings, settled)
        self._remember()
        return fresh

    def take(self, wall: float) -> list[Due]:
        """What is due, which it then is no longer: first what was missed, then what is not too late."""
        due, late = [], max(wall - LATE_S, min(self._taken_at, wall))
        for schedule in self.by_name.values():
            if schedule.due > wall:
                continue
            if schedule.due < late:
                due.append(self._missed(schedule, late))
            while schedule.due <= wall:
                due.append(_due(schedule, schedule.due, 0, runs=True))
                schedule.settle(schedule.due)
        self._remember()
        return due

    def settled(self, name: str, until: float) -> None:
        """Another gateway has done so."""
        schedule = self.by_name.get(name)
        if schedule is not None:
            schedule.settle(until)
            self._remember()

    def _missed(self, schedule: Schedule, late: float) -> Due:
        latest, count = cron.latest_due(schedule.expression, schedule.timezone, schedule.settled, late)
        schedule.settle(latest)
        return _due(schedule, latest, count, runs=schedule.policy is Missed.ONCE)

    def _remember(self) -> None:
        self.next_at = min((schedule.due for schedule in self.by_name.values()), default=inf)


def request(due: Due) -> Request:
    """What the function is sent."""
    at = datetime.fromtimestamp(due.mark.due, UTC).isoformat().replace("+00:00", "Z")
    told = {"schedule": due.schedule, "timezone": due.timezone, "due": at}
    body = msgspec.json.encode({**told, "missed": due.missed} if due.missed else told)
    fields = ((b"host", b"attacca"), (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    return Request(body, "application/json", headers=(*fields, (b"x-attacca-schedule", due.schedule.encode())))


def _due(schedule: Schedule, at: float, missed: int, *, runs: bool) -> Due:
    mark = Mark(schedule.name, at, missed)
    return Due(schedule.function, schedule.expression, schedule.timezone, mark, missed, schedule.policy, runs)
