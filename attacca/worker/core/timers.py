"""What is to be looked at later: one due time per key, which may be moved or forgotten for next to nothing."""

from enum import IntEnum
from heapq import heappop, heappush


class Timer(IntEnum):
    EXPIRY = 0  # of an idle sandbox
    PREWARM = 1  # of a function
    RESTOCK = 2  # of a revision whose sandboxes failed to start
    KEPT = 3  # a checked template that nobody deployed
    CHECK = 4  # a check that waits for memory
    PATIENCE = 5  # someone waits too long for memory
    BUFFER = 6  # too little memory is free
    KEEPALIVE = 7  # whenever it asked for


Key = tuple[Timer, str]


class Timers:
    """A key that is moved later leaves its old entry in the heap, which goes off, is seen to be early, and is put back.

    So a sandbox that is used a thousand times a second costs one entry, not a thousand.
    """

    __slots__ = ("_armed", "_count", "_due", "_heap")

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._armed: dict[Key, float] = {}  # by key: its earliest entry in the heap
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0

    def __repr__(self) -> str:
        return f"<Timers {len(self._due)} set, {len(self._heap)} entries>"

    def set(self, key: Key, at: float) -> None:
        self._due[key] = at
        armed = self._armed.get(key)
        if armed is None or at < armed:
            self._arm(key, at)

    def clear(self, key: Key) -> None:
        self._due.pop(key, None)

    def is_set(self, key: Key) -> bool:
        return key in self._due

    def next(self) -> float | None:
        """Not later than the earliest due time."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> list[Key]:
        """The keys that are due, the earliest first. They are not set any more."""
        due_keys: list[Key] = []
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
        return due_keys

    def _arm(self, key: Key, at: float) -> None:
        self._armed[key] = at
        self._count += 1
        heappush(self._heap, (at, self._count, key))
