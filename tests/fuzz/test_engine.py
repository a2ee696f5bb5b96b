"""The engine finds what is wrong with a door, makes it small, and does the same thing again for the same seed."""

import re
from random import Random

from tests.fuzz.door import Door
from tests.fuzz.engine import Fuzz, Tally, cut_down, replay


class Paper(Door):
    """It is afraid of two letters in this order, wherever they are."""

    name = "paper"
    largest = 200

    def seeds(self) -> list[bytes]:
        return [b"hello", b"x" * 200]

    def check(self, data: bytes) -> str:
        first = data.find(b"h")
        assert b"x" not in data[first:] or first < 0, "h before x"
        return "taken"


class Slow(Paper):
    """It takes each byte with each other."""

    name = "slow"
    may_cost = 3.0

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        return b"y" * 700 if chance.random() < 0.5 else b"z"

    def check(self, data: bytes) -> str:
        return f"taken{'' if sum(one == other for one in data for other in data) else ' not'}"


class Greedy(Paper):
    """It keeps much for what is not valid."""

    name = "greedy"
    may_cost = 3.0

    def check(self, data: bytes) -> str:
        return "taken" if data in self.seeds() else f"refused: {len(bytes(2_000_000))}"


def run(door: Door, count: int) -> Tally:
    return Fuzz(door, seed=1).run(lambda tried: tried < count)


def test_what_is_wrong_is_found_and_made_small() -> None:
    [fault] = run(Paper(), 500).faults
    assert fault.data == b"hx"
    assert fault.said == "AssertionError: h before x"
    again = replay(Paper(), fault.data)
    assert again is not None
    assert again.said == fault.said
    assert replay(Paper(), b"xh") is None


def test_the_same_seed_tries_the_same_inputs() -> None:
    one, other = (run(Paper(), 300)._replace(spent_s=0.0) for _ in range(2))
    assert one == other


def test_what_costs_too_much_is_found() -> None:
    [slow], [greedy] = run(Slow(), 40).faults, run(Greedy(), 200).faults
    assert re.fullmatch(r"Dear: it takes \d+ times as long as the dearest valid input", slow.said)
    assert re.fullmatch(r"Dear: it takes \d+ times as much memory as the dearest valid input", greedy.said)


def test_cutting_down_keeps_what_matters() -> None:
    assert cut_down(b"aaaaaXbbbbbYcccc", lambda data: b"X" in data and b"Y" in data) == b"XY"
