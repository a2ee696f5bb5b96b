"""Some inputs at every door, the same ones each time; `make fuzz` goes on from there."""

import pytest

from tests.fuzz.doors import PURE, make
from tests.fuzz.engine import Fuzz

COUNTS = {
    "http": 200, "later": 200, "answers": 500, "archives": 500, "zips": 300, "requirements": 600, "settings": 400,
    "catalogue": 0,
    "frames": 300, "uploads": 400, "traces": 500, "links": 300, "intents": 600, "edgeless": 600, "modules": 150,
    "layers": 150, "names": 300, "watched": 300,
}  # fmt: skip
DOORS = {name: make(name) for name in COUNTS}  # made here, as some parsers open a socket when they are imported


@pytest.mark.parametrize("name", COUNTS)
def test_whatever_comes_in_by_a_door_the_house_stands(name: str) -> None:
    tally = Fuzz(DOORS[name], seed=1).run(lambda tried: tried < COUNTS[name])
    assert [f"{fault.mark}\n{fault.data!r}\n{fault.told}" for fault in tally.faults] == []


def test_every_door_without_processes_is_tried() -> None:
    assert set(COUNTS) == set(PURE)
