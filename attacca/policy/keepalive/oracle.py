"""Know every invocation to come: the bound that no real policy passes. Only a simulation can know that."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from math import inf

import msgspec

from attacca.errors import BadConfig
from attacca.policy.keepalive.lru import LruState
from attacca.policy.keepalive.types import Expiry, Idle

EARLY_S = 1e-6  # an end that is foretold a little early is never mistaken for one that is still to come


class Oracle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Belady's rule (IBM Systems Journal 1966) for sandboxes that are in use for a while: when room is needed, the idle
    one that is used again last goes first; of several sizes, the one that would hold most memory for longest until
    then. What is never used again goes at once.

    It is least in cold starts if all sandboxes have one size, nobody waits for memory, and a run takes as long after a
    cold start as after a warm one: then the times at rest that are kept are intervals that must fit beside one another,
    and to drop the one that ends last is optimal (Carlisle and Lloyd, Discrete Applied Mathematics 1995). With several
    sizes the question is NP-hard (Chrobak et al., Algorithmica 2012), and this is a good answer, not a bound.
    """

    def fresh(self) -> "OracleState":
        raise BadConfig("keep-alive policy 'oracle' has to know the future", "simulate it: attacca sim run")


class Course:
    """How many sandboxes of one function run at once on one worker, from its first invocation to its last.

    The `depth`-th idle sandbox, counted from the one that is taken first, is needed again when so many run as run now
    and `depth` more.
    """

    __slots__ = ("_each", "_ends", "_rises", "_starts")

    def __init__(self, runs: Iterable[tuple[float, float]], concurrency: int = 1) -> None:
        """`runs`: when each is due and for how many seconds, ascending. `concurrency`: at once in one sandbox."""
        self._each = concurrency
        self._starts, self._ends = array("d"), array("d")
        self._rises: list[array[int]] = []  # [n]: those invocations, by number, that make it n + 1 sandboxes
        running: list[float] = []  # their ends, a heap
        for number, (at, seconds) in enumerate(runs):
            while running and running[0] <= at:
                self._ends.append(heappop(running))
            heappush(running, max(at, at + seconds - EARLY_S))
            self._starts.append(at)
            if (len(running) - 1) % concurrency == 0:
                level = (len(running) - 1) // concurrency
                if level == len(self._rises):
                    self._rises.append(array("q"))
                self._rises[level].append(number)
        self._ends.extend(sorted(running))

    def __repr__(self) -> str:
        return f"<Course of {len(self._starts)} runs, {len(self._rises)} sandboxes at most>"

    def needed(self, now: float, seen: int, depth: int) -> float:
        """When; inf: never. `seen`: so many of the invocations have certainly arrived."""
        number = max(bisect_left(self._starts, now), seen)
        running = max(number - bisect_right(self._ends, now), 0)
        level = -(-running // self._each) + depth - 1
        if level >= len(self._rises):
            return inf
        rises = self._rises[level]
        place = bisect_left(rises, number)
        return self._starts[rises[place]] if place < len(rises) else inf


NEVER = Course(())


class Foresight:
    """An oracle that was told. `courses`: of each function, on the worker that gets this one."""

    def __init__(self, courses: Mapping[str, Course]) -> None:
        self._courses = courses

    def __repr__(self) -> str:
        return f"<Foresight of {len(self._courses)} functions>"

    def fresh(self) -> "OracleState":
        return OracleState(self._courses)


class OracleState(LruState):
    __slots__ = ("_courses", "_seen")

    def __init__(self, courses: Mapping[str, Course]) -> None:
        self._courses = courses
        self._seen: dict[str, int] = {}  # arrivals by function: of those due at one moment, who came already

    def __repr__(self) -> str:
        return f"<OracleState {sum(self._seen.values())} arrived of {len(self._courses)} functions>"

    def arrived(self, now: float, function: str) -> None:
        self._seen[function] = self._seen.get(function, 0) + 1

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        return Expiry(now, "never called again") if self._needed(now, idle.function, 1) == inf else None

    def victims(self, now: float, idle: Iterable[Idle]) -> list[Idle]:
        """Of several of one function the one that came to rest last is used first."""
        held: dict[str, float] = {}
        depths: dict[str, int] = {}
        ordered = sorted(idle, key=lambda one: (-one.idle_since, one.sandbox))
        for one in ordered:
            depth = depths[one.function] = depths.get(one.function, 0) + 1
            held[one.sandbox] = one.resources.memory_mb * (self._needed(now, one.function, depth) - now)
        return sorted(ordered, key=lambda one: (-held[one.sandbox], one.sandbox))

    def _needed(self, now: float, function: str, depth: int) -> float:
        return self._courses.get(function, NEVER).needed(now, self._seen.get(function, 0), depth)
