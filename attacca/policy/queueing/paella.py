"""The shortest expected execution first, unless a function has been passed over too often."""

from collections.abc import Callable
from typing import Annotated

import msgspec

from attacca.policy.queueing.lines import Batch, BatchLines
from attacca.policy.queueing.types import Next, Waiting

KNOWN_MOST = 4096  # functions whose deficit is remembered while nobody waits for them


class Paella(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Paella (Ng, Demoulin, Liu: SOSP'23), as Ilúvatar has it for a device.

    Each function has a deficit. Of n that have somebody waiting, the one that is served loses 1 - 1/n of it, and each
    other one gains 1/n. Who has `deficit` or more comes first, the largest of them before the others; else who is
    expected to run shortest. A deficit is forgotten when its function has nobody waiting and none to its credit.
    """

    deficit: Annotated[float, msgspec.Meta(gt=0)] = 25.0

    def fresh(self) -> "PaellaQueue":
        return PaellaQueue(self.deficit)


class PaellaQueue:
    is_memoryless = True  # alone, a function loses and gains nothing

    def __init__(self, deficit: float) -> None:
        self._most = deficit
        self._lines = BatchLines()
        self._deficits: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<PaellaQueue {self._lines!r}, {len(self._deficits)} deficits>"

    def push(self, now: float, item: Waiting) -> None:
        self._lines.push(item)

    def pop(self, now: float, can_run: Callable[[str], bool]) -> Next | None:
        able = [batch for batch in self._lines.batches.values() if can_run(batch.function)]
        if not able:
            return None
        passed = [batch for batch in able if self._deficits.get(batch.function, 0.0) >= self._most]
        if passed:
            return self._take(min(passed, key=self._most_passed), "passed over too often")
        return self._take(min(able, key=_shortest), "the shortest expected execution")

    def remove(self, invocation: str) -> Waiting | None:
        return self._lines.remove(invocation)

    def ended(self, now: float, function: str, exec_s: float) -> None:
        """It goes by who waits."""

    def __len__(self) -> int:
        return len(self._lines.waiting)

    def count(self, function: str) -> int:
        return self._lines.count(function)

    def _most_passed(self, batch: Batch) -> tuple[float, int]:
        return -self._deficits[batch.function], batch.first

    def _take(self, chosen: Batch, why: str) -> Next:
        batches = self._lines.batches
        count = len(batches)
        if count > 1:
            for name in batches:
                change = 1 / count - (1 if name == chosen.function else 0)
                self._deficits[name] = self._deficits.get(name, 0.0) + change
        item = self._lines.take(chosen)
        if chosen.function not in batches and self._deficits.get(chosen.function, 1.0) <= 0:
            del self._deficits[chosen.function]
        if len(self._deficits) > KNOWN_MOST:
            self._deficits = {name: one for name, one in self._deficits.items() if name in batches}
        return Next(item, why)


def _shortest(batch: Batch) -> tuple[float, int]:
    return batch.items[0][1].exec_s, batch.first
