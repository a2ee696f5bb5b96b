"""The waiting line that every key-ordered policy shares: smallest key first, keys fixed at insertion."""

from bisect import bisect_left, insort
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Protocol

from attacca.policy.queueing.types import Next, Waiting

# Key, running number of the push: two entries never compare their items. Which is which the number says: what is
# compiled makes a tuple anew whenever it hands one on, so `is` would say nothing.
Entry = tuple[float, int, Waiting]


class Order(Protocol):
    """What a key-ordered policy says about one waiting invocation."""

    def key(self, item: Waiting) -> float: ...
    def why(self, item: Waiting) -> str:
        """Asked when the item goes first."""


class HeapQueue:
    """One heap per function, and a sorted list of their heads: a blocked function costs one look, however long its
    line. Withdrawn entries stay in their heap until they come to its head or are half of it."""

    is_memoryless = True
    __slots__ = ("_dead", "_heads", "_lines", "_order", "_pushed", "_waiting")

    def __init__(self, order: Order) -> None:
        self._order = order
        self._pushed = 0
        self._waiting: dict[str, Entry] = {}  # by invocation
        self._lines: dict[str, list[Entry]] = {}  # by function: heaps, never empty, the head alive
        self._heads: list[Entry] = []  # sorted
        self._dead: dict[str, int] = {}  # by function: withdrawn entries still in its heap, if any

    def __repr__(self) -> str:
        return f"<HeapQueue {len(self._waiting)} waiting of {len(self._lines)} functions>"

    def push(self, now: float, item: Waiting) -> None:
        assert item.id not in self._waiting, f"{item.id} waits already"
        self._pushed += 1
        entry = (self._order.key(item), self._pushed, item)
        self._waiting[item.id] = entry
        line = self._lines.get(item.function)
        if line is None:
            self._lines[item.function] = [entry]
            insort(self._heads, entry)
            return
        head = line[0]
        heappush(line, entry)
        if line[0][1] == entry[1]:
            del self._heads[bisect_left(self._heads, head)]
            insort(self._heads, entry)

    def pop(self, now: float, can_run: Callable[[str], bool]) -> Next | None:
        for passed, head in enumerate(self._heads):
            item = head[2]
            if can_run(item.function):
                del self._heads[passed]
                del self._waiting[item.id]
                self._advance(item.function)
                why = self._order.why(item)
                return Next(item, f"{why}; {passed} before it cannot run" if passed else why)
        return None

    def remove(self, invocation: str) -> Waiting | None:
        entry = self._waiting.pop(invocation, None)
        if entry is None:
            return None
        item = entry[2]
        line = self._lines[item.function]
        if line[0][1] == entry[1]:
            del self._heads[bisect_left(self._heads, entry)]
            self._advance(item.function)
            return item
        dead = self._dead.get(item.function, 0) + 1
        if 2 * dead > len(line):
            line[:] = [entry for entry in line if self._is_alive(entry)]
            heapify(line)
            dead = 0
        if dead:
            self._dead[item.function] = dead
        else:
            self._dead.pop(item.function, None)
        return item

    def ended(self, now: float, function: str, exec_s: float) -> None:
        """Keys are fixed at insertion: what has run changes nothing."""

    def __len__(self) -> int:
        return len(self._waiting)

    def count(self, function: str) -> int:
        line = self._lines.get(function)
        return len(line) - self._dead.get(function, 0) if line else 0

    def _advance(self, function: str) -> None:
        """Drop the head of a function's line, which is no longer in `_heads`; the next living one takes its place."""
        line = self._lines[function]
        heappop(line)
        if self._dead:
            self._bury(function, line)
        if line:
            insort(self._heads, line[0])
        else:
            del self._lines[function]

    def _is_alive(self, entry: Entry) -> bool:
        waiting = self._waiting.get(entry[2].id)
        return waiting is not None and waiting[1] == entry[1]

    def _bury(self, function: str, line: list[Entry]) -> None:
        dead = self._dead.pop(function, 0)
        while dead and line and not self._is_alive(line[0]):
            heappop(line)
            dead -= 1
        if dead:
            self._dead[function] = dead
