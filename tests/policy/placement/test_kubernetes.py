from fractions import Fraction
from math import floor, inf, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.model.resources import KINDS, NOTHING, Resources
from attacca.policy.placement.kubernetes import Kubernetes, candidates, deviation, points
from attacca.policy.placement.types import Ask, Placed
from tests.cases import each
from tests.drawing import Every, one
from tests.policy.placement.machines import FLEETS, SMALL, Facts, could, made, placed

HELD = one(Every(Resources, memory_mb=[0, 1, 500, 1000], cpus=[0.0, 0.1, 1.0, 2.0], gpu=[0.0, 0.5]))
WHOLE = one(Every(Resources, memory_mb=[1000, 3000], cpus=[2.0, 4.0, inf], gpu=[1.0, inf], disk_mb=[inf]))


def scored(taken: Resources, whole: Resources) -> int:
    """Both formulas as they are written, in whole numbers where Kubernetes has them."""
    shares = [
        (Fraction(getattr(taken, kind)), Fraction(getattr(whole, kind)))
        for kind in KINDS
        if getattr(whole, kind) not in (0, inf)
    ]
    least = sum(floor((cap - held) * 100 / cap) for held, cap in shares) // len(shares)
    parts = [min(float(held / cap), 1.0) for held, cap in shares]
    mean = sum(parts) / len(parts)
    return least + floor((1 - sqrt(sum((part - mean) ** 2 for part in parts) / len(parts))) * 100 + 1e-9)


@given(HELD, WHOLE)
def test_the_points_are_those_of_the_formulas(taken: Resources, whole: Resources) -> None:
    kinds = [kind for kind in KINDS if getattr(whole, kind) not in (0, inf)]
    assert abs(points(taken, whole, kinds) - scored(taken, whole)) <= 1  # what floats round down is one off
    assert 0 <= points(taken, whole, kinds) <= 200


def test_examples_by_hand() -> None:
    whole = Resources(1000, 4.0, inf, inf)
    both = ["memory_mb", "cpus"]
    assert points(Resources(500, 1.0), whole, both) == 62 + 87  # (50 + 75) / 2; 1 - |0.5 - 0.25| / 2
    assert points(Resources(250, 1.0), whole, both) == 75 + 100
    assert points(Resources(250), whole, ["memory_mb"]) == 75 + 100
    assert points(NOTHING, whole, []) == 200
    assert deviation([0.1, 0.5]) == pytest.approx(0.2)
    assert deviation([0.0, 0.5, 1.0]) == pytest.approx(0.408, abs=0.001)


@each("count, looked", [(99, 99), (150, 100), (250, 120), (1000, 420), (2500, 750), (10000, 500)])
def test_so_many_are_looked_at(count: int, looked: int) -> None:
    assert candidates(count) == looked


@given(FLEETS)
def test_nobody_who_has_room_has_more_points(fleet: list[Facts]) -> None:
    ask = Ask("f", Resources(128, 0.5))
    fit = {one.name: scored(one.reserved + ask.resources, one.capacity) for one in fleet if could(one, ask)}
    answer = made(Kubernetes(), fleet).place(0.0, ask)
    if isinstance(answer, Placed):
        assert fit[answer.worker] >= max(fit.values()) - 1


@given(st.integers(2, 40))
def test_equal_workers_fill_evenly(count: int) -> None:
    fleet = [Facts(f"w{number}") for number in range(5)]
    placed(made(Kubernetes(), fleet), fleet, [SMALL] * count)
    held = [worker.reserved.memory_mb for worker in fleet]
    assert max(held) - min(held) <= 128


def test_a_decision_begins_where_the_last_one_stopped() -> None:
    fleet = [Facts(f"w{number:03}", is_cordoned=number < 30) for number in range(300)]
    placer = made(Kubernetes(), fleet)
    assert repr(placer) == "<Scores 300 workers, 144 looked at>"
    first = placer.place(0.0, SMALL)
    second = placer.place(0.0, SMALL)
    assert isinstance(first, Placed)
    assert isinstance(second, Placed)
    assert first.worker < "w174" <= second.worker
    assert first.why == "187 of 200 points, of 144 that have room"
