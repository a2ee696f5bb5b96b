"""Some inputs at the doors of a server that runs; `make fuzz` goes on from there."""

import pytest

from tests.fuzz.doors import LIVE, make
from tests.fuzz.engine import Fuzz

COUNTS = {"packets": 60, "admin": 0}


@pytest.mark.parametrize("name", COUNTS)
def test_whatever_comes_in_by_a_door_the_house_stands(name: str) -> None:
    tally = Fuzz(make(name), seed=1).run(lambda tried: tried < COUNTS[name])
    assert [f"{fault.mark}\n{fault.data!r}\n{fault.told}" for fault in tally.faults] == []


def test_every_door_with_processes_is_tried() -> None:
    assert set(COUNTS) == set(LIVE)
