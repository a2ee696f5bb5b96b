"""Batches of one function at a time."""

from collections.abc import Sequence

import pytest
from hypothesis import given

from attacca.policy.queueing.oldest_batch import OldestBatch
from attacca.policy.queueing.types import Waiting
from tests.policy.queueing.lines import STEPS, check_alike, order


class DumbBatches:
    def __init__(self, most: int) -> None:
        self.most, self.items, self.last, self.taken = most, list[Waiting](), "", 0

    def pop(self, blocked: str) -> Waiting | None:
        able = [item for item in self.items if item.function not in blocked]
        same = [item for item in able if item.function == self.last]
        goes_on = same and (not self.most or self.taken < self.most)
        others = [item for item in able if item.function != self.last] or able
        chosen = same[0] if goes_on else others[0] if others else None
        if chosen is not None:
            self.taken = self.taken + 1 if chosen.function == self.last else 1
            self.last = chosen.function
            self.items.remove(chosen)
        return chosen


@pytest.mark.parametrize("most", [0, 2])
@given(steps=STEPS)
def test_it_does_what_the_dumb_twin_does(most: int, steps: Sequence[tuple[str, str, int]]) -> None:
    check_alike(OldestBatch(most=most).fresh(), DumbBatches(most), steps)


def test_batches_go_by_their_oldest() -> None:
    assert order(OldestBatch().fresh(), *"abacabc") == "aaabbcc"
    assert order(OldestBatch(most=2).fresh(), *"abacabc") == "aabbcca"


def test_what_it_remembers_in_a_line() -> None:
    queue = OldestBatch().fresh()
    assert order(queue, *"aab") == "aab"
    queue.push(0.0, Waiting("x", "c", 0.0))
    assert repr(queue) == "<OldestBatchQueue <BatchLines 1 waiting of 1 functions>, 1 of b in a row>"
    assert repr(queue._lines.batches["c"]) == "<Batch of c: 1 waiting>"
