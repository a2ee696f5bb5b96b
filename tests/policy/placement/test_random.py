from collections import Counter

import pytest

from attacca.policy.placement.random import Random
from attacca.policy.placement.types import Placed
from tests.policy.placement.machines import SMALL, UNBOUNDED, Facts, made


def counts(fleet: list[Facts]) -> Counter[str]:
    placer = made(Random(), fleet)
    answers = [placer.place(0.0, SMALL) for _ in range(400)]
    return Counter(answer.worker for answer in answers if isinstance(answer, Placed))


@pytest.mark.long
def test_each_that_has_room_is_as_likely() -> None:
    full = [Facts(f"full{number}", reserved=UNBOUNDED) for number in range(40)]
    for others in ([], full):  # few draws, and so many that all are looked at
        found = counts([Facts(name) for name in "abcd"] + others)
        assert sum((count - 100) ** 2 / 100 for count in found.values()) < 16.3  # chi-square, 3 degrees, p = 0.001
        assert sorted(found) == ["a", "b", "c", "d"]
