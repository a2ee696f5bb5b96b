"""The last hour in steps, from counters that are there anyway: an invocation is not told to anybody for it.

How long they took is read from the latest that are remembered of each function. Where more ended in a step than that,
those stand for all.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from attacca.gateway.core.inflight import Function
from attacca.model.history import FUNCTION_STEP_S, HOUR_S, STEP_S, FunctionNow, Step, bucket, together
from attacca.model.invocation import Start

FUNCTIONS_MOST: Final = 1000  # whose own hour is remembered: those that were called last
LOOKED_MOST: Final = 5000  # durations that a step looks at freely; of further functions it looks at a few
FEW: Final = 10
TURN: Final = 100  # functions that are looked at before others have a turn
COLD: Final = Start.COLD.value
TEMPLATE: Final = Start.TEMPLATE.value
PREWARMED: Final = Start.PREWARMED.value
WARM: Final = Start.WARM.value


class Tally:
    """A step while it is counted."""

    __slots__ = ("cold", "failed", "looked", "prewarmed", "refused", "template", "took", "unborn", "warm")

    def __init__(self) -> None:
        self.warm = self.prewarmed = self.template = self.cold = self.unborn = self.failed = self.refused = 0
        self.looked = 0  # at so many durations
        self.took: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<Tally {self.warm} warm, {self.cold} cold, {self.failed} failed>"

    def add(self, other: "Tally") -> None:
        self.warm += other.warm
        self.prewarmed += other.prewarmed
        self.template += other.template
        self.cold += other.cold
        self.unborn += other.unborn
        self.failed += other.failed
        self.refused += other.refused
        for number, count in other.took.items():
            self.took[number] = self.took.get(number, 0) + count

    def step(self, at: float, waiting: int, running: int) -> Step:
        return Step(
            at=at, warm=self.warm, prewarmed=self.prewarmed, template=self.template, cold=self.cold, unborn=self.unborn,
            failed=self.failed, refused=self.refused, waiting=waiting, running=running,
            took=tuple(sorted(self.took.items())),
        )  # fmt: skip


class Seen:
    """A function's counters as they were at the last step, and its own hour."""

    __slots__ = ("ended", "failed", "number", "open", "refused", "running", "steps", "taken", "tally", "waiting")

    def __init__(self) -> None:
        self.taken = self.open = self.refused = self.failed = self.waiting = self.running = 0
        self.ended: dict[str, int] = {}
        self.steps: deque[Step] = deque(maxlen=int(HOUR_S / FUNCTION_STEP_S))
        self.tally: Tally | None = None  # since its last step

    def __repr__(self) -> str:
        return f"<Seen {self.taken} taken, {self.open} open, {len(self.steps)} steps>"


class History:
    """A step is taken every STEP_S, by `step` or in parts."""

    def __init__(self) -> None:
        self.steps: deque[Step] = deque(maxlen=int(HOUR_S / STEP_S))
        self._seen: dict[str, Seen] = {}
        self._rows: dict[str, FunctionNow] = {}  # as they were told, until their hour is otherwise
        self.count = 0  # steps that were taken

    def __repr__(self) -> str:
        return f"<History {len(self.steps)} steps, {len(self._seen)} functions>"

    def step(self, wall: float, functions: dict[str, Function]) -> None:
        """`wall`: seconds since 1970."""
        for _ in self.parts(wall, functions):
            pass

    def parts(self, wall: float, functions: dict[str, Function]) -> Iterator[None]:
        """The same, with others' turns in between, in which functions may come, go and be called."""
        whole = Tally()
        waiting = running = looked = 0
        for number, (name, function) in enumerate(list(functions.items())):
            if number % TURN == TURN - 1:
                yield
            statistics, seen = function.statistics, self._seen.get(name)
            waiting += function.waiting
            running += function.running
            if seen is None:
                if not (statistics.taken or statistics.refused):
                    continue
                seen = Seen()
            elif seen.taken == statistics.taken and not seen.open and seen.refused == statistics.refused:
                continue
            tally = _count(function, seen, FEW if looked >= LOOKED_MOST else LOOKED_MOST)
            looked += tally.looked
            whole.add(tally)
            if seen.tally is None:
                seen.tally = Tally()
            seen.tally.add(tally)
            seen.waiting, seen.running = function.waiting, function.running
            self._seen.pop(name, None)
            self._seen[name] = seen  # behind those that were called before
            self._rows.pop(name, None)
        self.steps.append(whole.step(wall, waiting, running))
        self.count += 1
        if self.count % int(FUNCTION_STEP_S / STEP_S) == 0:
            yield from self._step_functions(wall, functions)
        self._forget(functions)

    def of(self, function: str) -> tuple[Step, ...]:
        """Its own hour, without the minutes in which nothing ended; empty: all of them together. Of the minute that is
        not over there is what has ended in it until the latest step."""
        if not function:
            return tuple(self.steps)
        seen = self._seen.get(function)
        if seen is None:
            return ()
        if seen.tally is None or not self.steps:
            return tuple(seen.steps)
        return (*seen.steps, seen.tally.step(self.steps[-1].at, seen.waiting, seen.running))

    def now(self, functions: Iterable[Function]) -> tuple[FunctionNow, ...]:
        rows: list[FunctionNow] = []
        for _ in self.rows(functions, rows):
            pass
        return tuple(rows)

    def rows(self, functions: Iterable[Function], rows: list[FunctionNow]) -> Iterator[None]:
        """The same, with others' turns in between. Who is as before has the row that it had."""
        for number, one in enumerate(list(functions)):
            if number % TURN == TURN - 1:
                yield
            statistics, row = one.statistics, self._rows.get(one.name)
            ended, failed = sum(statistics.ended.values()), sum(statistics.errors.values())
            if (
                row is None or row.ended != ended or row.failed != failed or row.running != one.running
                or row.waiting != one.waiting or row.revision != one.number
            ):  # fmt: skip
                seen = self._seen.get(one.name)
                row = self._rows[one.name] = FunctionNow(
                    function=one.name, revision=one.number, waiting=one.waiting, running=one.running, ended=ended,
                    cold=statistics.ended[COLD] + statistics.ended[TEMPLATE], failed=failed,
                    took=() if seen is None else _took(seen),
                )  # fmt: skip
            rows.append(row)

    def _step_functions(self, wall: float, functions: dict[str, Function]) -> Iterator[None]:
        for number, (name, seen) in enumerate(list(self._seen.items())):
            if number % TURN == TURN - 1:
                yield
            function = functions.get(name)
            if seen.tally is not None and function is not None:
                seen.steps.append(seen.tally.step(wall, function.waiting, function.running))
                seen.tally = None
                self._rows.pop(name, None)  # the deque may have let go of its oldest
            while seen.steps and seen.steps[0].at <= wall - HOUR_S:
                seen.steps.popleft()
                self._rows.pop(name, None)

    def _forget(self, functions: dict[str, Function]) -> None:
        """The hour of who was called long ago; not its counters, by which the next step is told apart."""
        for name in [name for name in self._seen if name not in functions]:
            del self._seen[name]
        for name in [name for name in self._rows if name not in functions]:
            del self._rows[name]
        for name, seen in islice(self._seen.items(), max(len(self._seen) - FUNCTIONS_MOST, 0)):
            if seen.steps or seen.tally is not None:
                seen.steps.clear()
                seen.tally = None
                self._rows.pop(name, None)


def _took(seen: Seen) -> tuple[tuple[int, int], ...]:
    now = () if seen.tally is None else tuple(seen.tally.took.items())
    return together((*(step.took for step in seen.steps), now))


def _count(function: Function, seen: Seen, most: int) -> Tally:
    """What came of it since the last step, of which at most so many durations are looked at. Counters of a
    function that was deleted and is there again begin anew."""
    statistics, tally = function.statistics, Tally()
    if statistics.taken < seen.taken:
        seen.taken = seen.refused = seen.failed = 0
        seen.ended = {}
    ended, before = statistics.ended, seen.ended
    tally.warm = ended[WARM] - before.get(WARM, 0)
    tally.prewarmed = ended[PREWARMED] - before.get(PREWARMED, 0)
    tally.template = ended[TEMPLATE] - before.get(TEMPLATE, 0)
    tally.cold = ended[COLD] - before.get(COLD, 0)
    tally.unborn = ended["none"] - before.get("none", 0)
    tally.refused = statistics.refused - seen.refused
    failed = sum(statistics.errors.values()) - statistics.refused
    tally.failed = failed - seen.failed
    count = tally.warm + tally.prewarmed + tally.template + tally.cold + tally.unborn
    latest = list(islice(reversed(function.recent), min(count, most)))
    tally.looked = len(latest)
    for one in latest:
        number = bucket(one.total_ms)
        tally.took[number] = tally.took.get(number, 0) + 1
    if len(latest) < count and latest:
        tally.took = {number: round(some * count / len(latest)) for number, some in tally.took.items()}
    seen.taken, seen.refused, seen.failed = statistics.taken, statistics.refused, failed
    seen.ended = dict(ended)
    seen.open = statistics.taken - sum(ended.values())
    return tally
