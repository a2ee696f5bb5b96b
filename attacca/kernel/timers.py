"""What is to be looked at later: one due time per key, which may be moved or forgotten for next to nothing."""

from collections.abc import Hashable
from heapq import heappop, heappush
from math import inf
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Alarm:
    """When a machine wants to be woken: `at`, or at no time if that is inf. Too early does no harm, too late does.

    It is looked at after every event, so it is kept rather than asked for.
    """

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = inf

    def __repr__(self) -> str:
        return f"<Alarm {self.at:g}>"

    def by(self, at: float) -> None:
        """Not later than that."""
        if at < self.at:
            self.at = at


class Timers(Alarm, Generic[K]):
    """A key that is moved later leaves its old entry in the heap, which goes off, is seen to be early, and is put back.

    So a sandbox that is used a thousand times a second costs one entry, not a thousand.
    """

    __slots__ = ("_armed", "_count", "_due", "_heap")

    def __init__(self) -> None:
        super().__init__()
        self._due: dict[K, float] = {}
        self._armed: dict[K, float] = {}  # by key: its earliest entry in the heap
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0

    def __repr__(self) -> str:
        return f"<Timers {len(self._due)} set, {len(self._heap)} entries>"

    def set(self, key: K, at: float) -> None:
        self._due[key] = at
        armed = self._armed.get(key)
        if armed is None or at < armed:
            self._arm(key, at)

    def clear(self, key: K) -> None:
        if key in self._due:
            del self._due[key]

    def is_set(self, key: K) -> bool:
        return key in self._due

    def pop_due(self, now: float) -> list[K]:
        """The keys that are due, the earliest first. They are not set any more."""
        due_keys: list[K] = []
        while self._heap and self._heap[0][0] <= now:
            at, _, key = heappop(self._heap)
            if self._armed.get(key) != at:
                continue
            del self._armed[key]
            due = self._due.get(key)
            if due is None:
                continue
            if due > now:
                self._arm(key, due)
            else:
                del self._due[key]
                due_keys.append(key)
        self.at = self._heap[0][0] if self._heap else inf
        return due_keys

    def _arm(self, key: K, at: float) -> None:
        self._armed[key] = at
        self._count += 1
        heappush(self._heap, (at, self._count, key))
        if at < self.at:
            self.at = at
