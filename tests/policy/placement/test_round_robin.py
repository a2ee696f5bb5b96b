from attacca.policy.placement.round_robin import RoundRobin
from attacca.policy.placement.types import Placed
from tests.policy.placement.machines import SMALL, Facts, made, placed


def test_one_after_the_other_whoever_joins_or_leaves() -> None:
    fleet = [Facts(name) for name in "bdf"]
    placer = made(RoundRobin(), fleet)
    assert placed(placer, fleet, [SMALL] * 4) == ["b", "d", "f", "b"]
    fleet = [Facts(name) for name in "acf"]
    placer.among(fleet)
    assert placed(placer, fleet, [SMALL] * 3) == ["c", "f", "a"]


def test_who_has_no_room_is_passed_over() -> None:
    placer = made(RoundRobin(), [Facts("a", is_cordoned=True), Facts("b")])
    assert placer.place(0.0, SMALL) == Placed("b", "its turn: 1 before it could not")
