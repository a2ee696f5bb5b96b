from collections import Counter

import pytest

from attacca.model.resources import NOTHING, Resources
from attacca.policy.placement.types import Placed
from attacca.policy.placement.weighted_random import WeightedRandom
from tests.policy.placement.machines import SMALL, Facts, made

FREE_MB = {"a": 1000, "b": 500, "c": 250, "d": 250}


@pytest.mark.long
def test_each_is_as_likely_as_it_has_memory_free() -> None:
    """Also where hardly anybody is taken at the first draw, so that all are looked at."""
    huge = Facts("huge", Resources(10**9), Resources(10**9))
    for others in ([], [huge]):
        fleet = [Facts(name, Resources(1000), Resources(1000 - free)) for name, free in FREE_MB.items()]
        placer = made(WeightedRandom(), fleet + others, seed=2)
        answers = [placer.place(0.0, SMALL) for _ in range(1000)]
        found = Counter(answer.worker for answer in answers if isinstance(answer, Placed))
        assert sum((found[name] - free / 2) ** 2 / (free / 2) for name, free in FREE_MB.items()) < 16.3  # p = 0.001
        assert found.total() == 1000


def test_it_says_what_it_has_drawn() -> None:
    placer = made(WeightedRandom(), [Facts("a", Resources(300), NOTHING)])
    assert placer.place(0.0, SMALL) == Placed("a", "drawn by lot: 300 MB free")
