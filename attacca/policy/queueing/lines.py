"""A line of its own for each function, for policies that serve what waits of one function in a row."""

from bisect import bisect_left
from collections import deque

from attacca.policy.queueing.types import Waiting

Entry = tuple[int, Waiting]  # with the running number of its push


class Batch:
    """What waits of one function."""

    __slots__ = ("function", "items")

    def __init__(self, function: str) -> None:
        self.function = function
        self.items: deque[Entry] = deque()

    def __repr__(self) -> str:
        return f"<Batch of {self.function}: {len(self.items)} waiting>"

    @property
    def first(self) -> int:
        """When its oldest came: there must be one."""
        return self.items[0][0]


class BatchLines:
    """Functions that nobody waits for have no line."""

    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.waiting: dict[str, Entry] = {}  # by invocation
        self._pushed = 0

    def __repr__(self) -> str:
        return f"<BatchLines {len(self.waiting)} waiting of {len(self.batches)} functions>"

    def push(self, item: Waiting) -> None:
        assert item.id not in self.waiting, f"{item.id} waits already"
        self._pushed += 1
        entry = self.waiting[item.id] = (self._pushed, item)
        batch = self.batches.get(item.function)
        if batch is None:
            batch = self.batches[item.function] = Batch(item.function)
        batch.items.append(entry)

    def take(self, batch: Batch) -> Waiting:
        _, item = batch.items.popleft()
        self._forget(item)
        return item

    def remove(self, invocation: str) -> Waiting | None:
        entry = self.waiting.get(invocation)
        if entry is None:
            return None
        number, item = entry
        items = self.batches[item.function].items
        del items[bisect_left(items, number, key=_number)]
        self._forget(item)
        return item

    def count(self, function: str) -> int:
        batch = self.batches.get(function)
        return len(batch.items) if batch is not None else 0

    def _forget(self, item: Waiting) -> None:
        del self.waiting[item.id]
        if not self.batches[item.function].items:
            del self.batches[item.function]


def _number(entry: Entry) -> int:
    return entry[0]
