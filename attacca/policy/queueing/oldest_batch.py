"""All that waits of one function in a row, and next that of the function whose oldest has waited longest."""

from collections.abc import Callable
from typing import Annotated

import msgspec

from attacca.policy.queueing.lines import Batch, BatchLines
from attacca.policy.queueing.types import Next, Waiting


class OldestBatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ilúvatar's `oldest_batch` for a device, and with `most` 10 its `sized_batch`.

    What arrives of a function while its batch runs joins that batch; so without `most` a function that is called often
    enough keeps the device for good.
    """

    most: Annotated[int, msgspec.Meta(ge=0)] = 0  # in a row, where others wait; 0: all

    def fresh(self) -> "OldestBatchQueue":
        return OldestBatchQueue(self.most)


class OldestBatchQueue:
    is_memoryless = False  # it stays with whom it has served

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines = BatchLines()
        self._last = ""
        self._taken = 0  # of it, in a row

    def __repr__(self) -> str:
        return f"<OldestBatchQueue {self._lines!r}, {self._taken} of {self._last or 'nobody'} in a row>"

    def push(self, now: float, item: Waiting) -> None:
        self._lines.push(item)

    def pop(self, now: float, can_run: Callable[[str], bool]) -> Next | None:
        batches = self._lines.batches
        last = batches.get(self._last)
        if last is not None and (not self._most or self._taken < self._most) and can_run(last.function):
            return self._take(last, "the same batch")
        able = [batch for batch in batches.values() if can_run(batch.function)]
        others = [batch for batch in able if batch.function != self._last] or able
        if not others:
            return None
        return self._take(min(others, key=_first), "of the batch whose first has waited longest")

    def remove(self, invocation: str) -> Waiting | None:
        return self._lines.remove(invocation)

    def ended(self, now: float, function: str, exec_s: float) -> None:
        """It goes by who waits."""

    def __len__(self) -> int:
        return len(self._lines.waiting)

    def count(self, function: str) -> int:
        return self._lines.count(function)

    def _take(self, batch: Batch, why: str) -> Next:
        self._taken = self._taken + 1 if batch.function == self._last else 1
        self._last = batch.function
        return Next(self._lines.take(batch), why)


def _first(batch: Batch) -> int:
    return batch.first
