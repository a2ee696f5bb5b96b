"""The published formula, against a twin that works it out for everybody at every step."""

from collections.abc import Sequence
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.policy.keepalive.greedy_dual import GreedyDual
from attacca.policy.keepalive.types import Idle
from tests.drawing import several

NAMES = [f"s{n}" for n in range(5)]
FACTS = list(product(range(1, 7), range(9), [1, 2, 4]))  # uses, cold_s, memory_mb
STEPS = several(list(product(["rest", "take", "pressure"], NAMES, FACTS)), max_size=40)


@given(STEPS, st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_it_does_what_the_dumb_twin_does(steps: Sequence[tuple[str, str, tuple[int, int, int]]], needed: int) -> None:
    keeper = GreedyDual().fresh()
    clock = 0.0
    resting: dict[str, tuple[float, Idle]] = {}  # with Pr, as it was at rest
    for now, (step, name, (uses, cold_s, memory_mb)) in enumerate(steps):
        if step == "pressure":
            for _ in range(min(needed, len(resting))):
                first = min(resting.values(), key=lambda pair: (pair[0], pair[1].idle_since))
                victims = keeper.victims(now, [idle for _, idle in resting.values()])
                assert victims[0] == first[1]
                keeper.evicted(now, victims[0])
                del resting[victims[0].sandbox]
                clock = first[0]
        elif step == "rest" and name not in resting:
            idle = Idle(name, "a", memory_mb, float(now), uses, float(cold_s), 0.0)
            assert keeper.rested(now, idle) is None
            resting[name] = (clock + uses * cold_s / memory_mb, idle)
        elif step == "take" and name in resting:
            keeper.taken(now, resting.pop(name)[1])
        assert keeper.paid == clock


def idle(name: str, uses: int = 1, cold_s: float = 1.0, memory_mb: int = 1, since: float = 0.0) -> Idle:
    return Idle(name, name, memory_mb, since, uses, cold_s, 0.0)


def first_to_go(*idles: Idle) -> str:
    keeper = GreedyDual().fresh()
    for one in idles:
        keeper.rested(one.idle_since, one)
    return keeper.victims(9.0, idles)[0].sandbox


def test_rare_cheap_and_large_ones_go_first() -> None:
    assert first_to_go(idle("often", uses=9), idle("rare")) == "rare"
    assert first_to_go(idle("slow", cold_s=9.0), idle("quick")) == "quick"
    assert first_to_go(idle("small"), idle("large", memory_mb=9)) == "large"
    assert first_to_go(idle("young", since=2.0), idle("old", since=1.0)) == "old"


def test_what_was_used_often_long_ago_goes_in_the_end() -> None:
    keeper = GreedyDual().fresh()
    favourite = idle("favourite", uses=5)
    keeper.rested(0.0, favourite)
    for n in range(20):
        guest = idle(f"guest{n}", uses=1, since=float(n))
        keeper.rested(n, guest)
        first = keeper.victims(n, [favourite, guest])[0]
        keeper.evicted(n, first)
        if first is favourite:
            break
    assert n == 4


def test_one_that_leaves_out_of_turn_does_not_move_the_clock() -> None:
    keeper = GreedyDual().fresh()
    dear, cheap = idle("dear", uses=9), idle("cheap")
    for one in (dear, cheap):
        keeper.rested(0.0, one)
    keeper.evicted(1.0, dear)  # nobody was asked for a victim
    assert keeper.paid == 0.0
    keeper.rested(2.0, dear)
    keeper.victims(3.0, [dear, cheap])
    keeper.evicted(3.0, dear)  # cheap was to go first
    assert keeper.paid == 0.0
    keeper.evicted(3.0, cheap)
    assert keeper.paid == 1.0


def test_those_who_may_not_go_do_not_hold_the_clock_back() -> None:
    keeper = GreedyDual().fresh()
    kept, free = idle("kept", uses=1), idle("free", uses=3)
    for one in (kept, free):
        keeper.rested(0.0, one)
    keeper.evicted(1.0, keeper.victims(1.0, [free])[0])
    assert keeper.paid == 3.0
