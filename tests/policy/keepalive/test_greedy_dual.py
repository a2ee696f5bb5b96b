"""Both formulas, against twins that work them out for everybody at every step."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.model.resources import Resources
from attacca.policy.keepalive.greedy_dual import CachedState, GreedyDual
from attacca.policy.keepalive.rent import RentState
from attacca.policy.keepalive.types import Idle, Use
from tests.drawing import several
from tests.policy.keepalive.here import Facts, Here

NAMES = [f"s{n}" for n in range(5)]
FACTS = list(product(range(1, 7), range(9), [1, 2, 4]))  # uses, cold_s, memory_mb
STEPS = several(list(product(["rest", "take", "pressure"], NAMES, FACTS)), max_size=40)


@pytest.mark.long
@given(STEPS, st.integers(1, 3))
@settings(max_examples=3 * settings().max_examples)
def test_it_does_what_the_dumb_twin_does(steps: Sequence[tuple[str, str, tuple[int, int, int]]], needed: int) -> None:
    state = ever()
    clock = 0.0
    resting: dict[str, tuple[float, Idle]] = {}  # with Pr, as it was at rest
    for now, (step, name, (uses, cold_s, memory_mb)) in enumerate(steps):
        if step == "pressure":
            for _ in range(min(needed, len(resting))):
                first = min(resting.values(), key=lambda pair: (pair[0], pair[1].idle_since))
                victims = state.victims(now, [idle for _, idle in resting.values()])
                assert victims[0] == first[1]
                state.evicted(now, victims[0])
                del resting[victims[0].sandbox]
                clock = first[0]
        elif step == "rest" and name not in resting:
            idle = Idle(name, "a", Resources(memory_mb), float(now), uses, float(cold_s), 0.0)
            assert state.became_idle(now, idle) is None
            resting[name] = (clock + uses * cold_s / memory_mb, idle)
        elif step == "take" and name in resting:
            state.became_busy(now, resting.pop(name)[1])
        assert state.paid == clock


def ever() -> RentState:
    state = GreedyDual(frequency="ever").fresh(Here())
    assert isinstance(state, RentState)
    return state


def idle(name: str, uses: int = 1, cold_s: float = 1.0, memory_mb: int = 1, since: float = 0.0) -> Idle:
    return Idle(name, name, Resources(memory_mb), since, uses, cold_s, 0.0)


def first_to_go(*idles: Idle) -> str:
    state = ever()
    for one in idles:
        state.became_idle(one.idle_since, one)
    return state.victims(9.0, idles)[0].sandbox


def test_rare_cheap_and_large_ones_go_first() -> None:
    assert first_to_go(idle("often", uses=9), idle("rare")) == "rare"
    assert first_to_go(idle("slow", cold_s=9.0), idle("quick")) == "quick"
    assert first_to_go(idle("small"), idle("large", memory_mb=9)) == "large"
    assert first_to_go(idle("young", since=2.0), idle("old", since=1.0)) == "old"


def test_what_was_used_often_long_ago_goes_in_the_end() -> None:
    state = ever()
    favourite = idle("favourite", uses=5)
    state.became_idle(0.0, favourite)
    for n in range(20):
        guest = idle(f"guest{n}", uses=1, since=float(n))
        state.became_idle(n, guest)
        first = state.victims(n, [favourite, guest])[0]
        state.evicted(n, first)
        if first is favourite:
            break
    assert n == 4


def test_one_that_leaves_out_of_turn_does_not_move_the_clock() -> None:
    state = ever()
    dear, cheap = idle("dear", uses=9), idle("cheap")
    for one in (dear, cheap):
        state.became_idle(0.0, one)
    state.evicted(1.0, dear)  # nobody was asked for a victim
    assert state.paid == 0.0
    state.became_idle(2.0, dear)
    state.victims(3.0, [dear, cheap])
    state.evicted(3.0, dear)  # cheap was to go first
    assert state.paid == 0.0
    state.evicted(3.0, cheap)
    assert state.paid == 1.0


def test_those_who_may_not_go_do_not_hold_the_clock_back() -> None:
    state = ever()
    kept, free = idle("kept", uses=1), idle("free", uses=3)
    for one in (kept, free):
        state.became_idle(0.0, one)
    state.evicted(1.0, state.victims(1.0, [free])[0])
    assert state.paid == 3.0


MOVES = several(list(product(["make", "run", "rest", "room"], range(4), "ab")), max_size=40)
COST_S = {"a": 3.0, "b": 1.0}


@pytest.mark.long
@given(MOVES)
@settings(max_examples=5 * settings().max_examples)
def test_the_published_one_does_what_its_dumb_twin_does(moves: Sequence[tuple[str, int, str]]) -> None:
    """The twin keeps the uses of every sandbox there is, and a priority for each."""
    here = Here(functions={name: Facts() for name in "ab"})
    for function, cost_s in COST_S.items():
        here.functions[function].cold_s.add(cost_s)
    state = GreedyDual().fresh(here)
    assert isinstance(state, CachedState)
    clock, uses, priority = 0.0, {}, {}  # type: ignore[var-annotated]
    resting: dict[str, Idle] = {}

    def use(name: str) -> None:
        function = name[0]
        uses[name] += 1
        frequency = sum(count for other, count in uses.items() if other[0] == function)
        priority.update({one: clock + frequency * COST_S[function] for one in uses if one[0] == function})

    for now, (move, number, function) in enumerate(moves):
        name, facts = f"{function}{number}", here.functions[function]
        if move == "make" and name not in uses:
            uses[name] = 0
            state.made(now, function)
            use(name)
            facts.cached_uses += 1
            state.began(now, Use(function, name, "cold", pended=True))
        elif move == "run" and name in resting:
            state.became_busy(now, resting.pop(name))
            use(name)
            facts.cached_uses += 1
            state.began(now, Use(function, name, "warm", pended=False))
        elif move == "rest" and name in uses and name not in resting:
            resting[name] = Idle(name, function, Resources(1), float(now), 0, COST_S[function], 0.0)
            assert state.became_idle(now, resting[name]) is None
        elif move == "room" and resting:
            first = min(resting.values(), key=lambda one: (priority[one.sandbox], one.idle_since))
            assert state.victims(now, resting.values())[0] == first
            state.evicted(now, first)
            clock = priority[first.sandbox]
            del resting[first.sandbox]
            here.functions[first.function].cached_uses -= uses.pop(first.sandbox)
        assert state.clock == clock
