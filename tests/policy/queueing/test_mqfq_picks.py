"""Which flow MQFQ takes of those that are within their share."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.policy.queueing.mqfq import WHY, Mqfq
from attacca.policy.queueing.types import Waiting
from tests.cases import each
from tests.policy.queueing.lines import FUNCTIONS, order


@each(
    "pick, taken",
    [
        ("sticky", "aaabbbbcc"), ("first", "abcababcb"), ("longest", "babcabacb"), ("waited", "cbabcabab"),
        ("finish", "ccbbbbaaa"), ("fewest", "abcabcabb"), ("stale", "abcababcb"), ("longest_fewest", "babcabcab"),
    ],
)  # fmt: skip
def test_how_mqfq_picks(pick: str, taken: str) -> None:
    queue = Mqfq(pick=pick, allowed_overrun_s=100.0).fresh()  # type: ignore[arg-type]  # of its fields
    assert order(queue, *"abcabcabb", exec_s={"a": 1.0, "b": 1.0, "c": 2.5}) == taken


@pytest.mark.parametrize("pick", sorted(WHY))
@given(among=st.integers(0, 2), overrun=st.integers(0, 6), exec_s=st.tuples(*[st.integers(1, 4)] * 3))
def test_however_it_picks_backlogged_functions_never_drift_apart(
    pick: str, among: int, overrun: int, exec_s: tuple[int, int, int]
) -> None:
    queue = Mqfq(pick=pick, among=among, allowed_overrun_s=overrun).fresh()  # type: ignore[arg-type]  # of its fields
    takes_s = dict(zip(FUNCTIONS, map(float, exec_s), strict=True))
    for number, name in product(range(40), FUNCTIONS):
        queue.push(0.0, Waiting(f"{name}{number}", name, 0.0, exec_s=takes_s[name]))
    served = dict.fromkeys(FUNCTIONS, 0.0)
    while all(queue.count(name) for name in FUNCTIONS):
        answer = queue.pop(0.0, lambda _: True)
        assert answer is not None, "somebody waits, and all can run"
        served[answer.item.function] += takes_s[answer.item.function]
        queue.ended(0.0, answer.item.function, 1.0)
        assert max(served.values()) - min(served.values()) <= overrun + max(exec_s) + 1e-9


@pytest.mark.parametrize("pick", sorted(set(WHY) - {"random"}))
@given(
    waiting=st.lists(st.sampled_from(FUNCTIONS), max_size=12), taken=st.integers(0, 12), overrun=st.integers(0, 6),
    newcomer=st.sampled_from(FUNCTIONS), exec_s=st.tuples(*[st.integers(1, 4)] * 3),
)  # fmt: skip
def test_what_is_replayed_is_what_comes_to_pass(
    pick: str, waiting: list[str], taken: int, overrun: int, newcomer: str, exec_s: tuple[int, int, int]
) -> None:
    queue = Mqfq(pick=pick, allowed_overrun_s=overrun, expects="replay").fresh()  # type: ignore[arg-type]  # of its fields
    takes_s = dict(zip(FUNCTIONS, map(float, exec_s), strict=True))
    now = 0.0
    for number, name in enumerate([*waiting, newcomer][::-1]):  # so each flow's mean is known
        queue.push(now, Waiting(f"{number}", name, now, exec_s=takes_s[name]))
    for _ in range(min(taken, len(queue) - 1)):
        now += 1.0
        assert queue.pop(now, lambda _: True) is not None
    expected_s, passed_s = queue.wait_s(now, newcomer), 0.0
    queue.push(now, Waiting("last", newcomer, now, exec_s=takes_s[newcomer]))
    while True:
        now += 1.0
        answer = queue.pop(now, lambda _: True)
        assert answer is not None
        if answer.item.id == "last":
            break
        passed_s += takes_s[answer.item.function]
    assert expected_s == pytest.approx(passed_s)


def test_what_one_that_comes_is_thought_to_wait_for() -> None:
    def told(expects: str, function: str, overrun_s: float = 100.0, popped: int = 0) -> float | None:
        queue = Mqfq(expects=expects, pick="first", allowed_overrun_s=overrun_s, ttl_s=5.0).fresh()  # type: ignore[arg-type]  # of its fields
        for number, name in enumerate("aabbb"):
            queue.push(0.0, Waiting(f"{number}", name, 0.0, exec_s={"a": 1.0, "b": 2.0}[name]))
        for _ in range(popped):
            queue.pop(0.0, lambda name: name == "a")
        return queue.wait_s(0.0, function)

    assert told("all", "a") is None
    assert [told("own", name) for name in "abc"] == [2.0, 6.0, 0.0]
    assert told("own", "a", overrun_s=0.5, popped=1) == 1.0 + 6.0, "it is throttled, and the other is not"
    assert [told("replay", name) for name in "abc"] == [6.0, 8.0, 3.0]


def test_by_chance_every_flow_has_its_turn_and_the_same_seed_the_same() -> None:
    def taken(seed: int) -> str:
        queue = Mqfq(pick="random", seed=seed, allowed_overrun_s=1000.0).fresh()
        return order(queue, *"abc" * 20)

    assert taken(1) == taken(1) != taken(2)
    assert set(taken(1)[:12]) == set("abc")


def test_few_flows_are_served_at_the_same_time() -> None:
    queue = Mqfq(pick="first", among=2, allowed_overrun_s=100.0).fresh()
    assert order(queue, *"abcabcabc") == "abababccc"
