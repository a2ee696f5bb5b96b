"""Every key-ordered policy against a dumb twin: a list that is searched from end to end each time."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.registry import build
from attacca.policy.queueing import QUEUEING
from attacca.policy.queueing.heap import HeapQueue
from attacca.policy.queueing.minheap import MinHeap
from attacca.policy.queueing.types import Next, Waiting
from tests.cases import each
from tests.drawing import Evenly, Every, several

FUNCTIONS = ["a", "b", "c"]


def expected_key(policy: str, ageing: int, item: Waiting) -> float:
    """The formulas once more, as a table."""
    cold_pri = {"warm": 0 if item.running else item.warm_s, "prewarmed": item.prewarmed_s, "": item.cold_s}
    keys = {
        "fcfs": item.arrived,
        "minheap": item.exec_s,
        "minheap_ed": item.exec_s + item.arrived,
        "minheap_iat": item.gap_s,
        "cold_pri": cold_pri[item.idle],
    }
    return keys[policy] + ageing * item.arrived


class DumbQueue:
    def __init__(self, policy: str, ageing: int) -> None:
        self.policy, self.ageing = policy, ageing
        self.items: list[Waiting] = []

    def pop(self, blocked: str) -> str | None:
        able = [item for item in self.items if item.function not in blocked]
        if not able:
            return None
        first = min(able, key=lambda item: expected_key(self.policy, self.ageing, item))  # the earliest of equals
        self.items.remove(first)
        return first.id


SMALL = [float(n) for n in range(6)]
PUSH = Every[tuple[str, object]](
    lambda **facts: ("push", facts),
    function=FUNCTIONS,
    exec_s=SMALL,
    warm_s=SMALL,
    prewarmed_s=SMALL,
    cold_s=SMALL,
    gap_s=SMALL,
    idle=["warm", "prewarmed", ""],
    running=[0, 1],
)
OTHERS: list[list[tuple[str, object]]] = [
    [("pop", blocked) for blocked in ("", "a", "b", "ab", "abc")],
    [("remove", place) for place in range(21)],
    [("return", place) for place in range(21)],
]
STEPS = several(Evenly(PUSH, *OTHERS), max_size=40)


CASES = [("fcfs", 0), ("minheap", 0), ("minheap", 1), ("minheap_ed", 0)]
CASES += [("minheap_iat", 0), ("minheap_iat", 2), ("cold_pri", 0), ("cold_pri", 1)]


def test_every_policy_has_a_case_or_a_file_of_its_own() -> None:
    untried = set(QUEUEING) - {policy for policy, _ in CASES}
    assert {name for name in untried if not Path(__file__).with_name(f"test_{name}.py").exists()} == set(), (
        "give it a line in CASES"
    )


@pytest.mark.parametrize(("policy", "ageing"), CASES)
@given(steps=STEPS)
def test_it_does_what_the_dumb_twin_does(policy: str, ageing: int, steps: list[tuple[str, object]]) -> None:
    options = {"ageing": float(ageing)} if ageing else {}
    queue = build(QUEUEING, policy, options, "attacca.policy.queueing").fresh()
    dumb = DumbQueue(policy, ageing)
    out: list[Waiting] = []
    for now, (step, what) in enumerate(steps):
        match step, what:
            case "push", dict(facts):
                item = Waiting(id=f"i{now}", arrived=now // 2, **facts)
                queue.push(now, item)
                dumb.items.append(item)
            case "pop", str(blocked):
                answer = queue.pop(now, lambda function, blocked=blocked: function not in blocked)  # type: ignore[misc]
                assert (answer.item.id if answer else None) == dumb.pop(blocked)
                assert answer is None or answer.why
                out += [answer.item] if answer else []
            case "remove", int(place):
                item = dumb.items.pop(place % len(dumb.items)) if dumb.items else Waiting("gone", "a", 0.0)
                assert queue.remove(item.id) == (item if item.id != "gone" else None)
                out += [item] if item.id != "gone" else []
            case "return", int(place) if out:
                item = out.pop(place % len(out))
                queue.push(now, item)
                dumb.items.append(item)
        assert len(queue) == len(dumb.items)
        assert [queue.count(f) for f in FUNCTIONS] == [sum(i.function == f for i in dumb.items) for f in FUNCTIONS]


def filled(*items: Waiting, ageing: float = 0.0) -> HeapQueue:
    queue = MinHeap(ageing=ageing).fresh()
    for item in items:
        queue.push(item.arrived, item)
    return queue


def popped(queue: HeapQueue) -> Next:
    answer = queue.pop(0.0, lambda _: True)
    assert answer is not None
    return answer


def test_the_short_one_overtakes_and_says_why() -> None:
    queue = filled(Waiting("long", "a", 0.0, exec_s=9.0), Waiting("short", "b", 1.0, exec_s=1.0))
    assert popped(queue) == Next(Waiting("short", "b", 1.0, exec_s=1.0), "shortest expected execution, 1000 ms")


def test_those_that_cannot_run_are_passed_over_and_keep_their_place() -> None:
    queue = filled(
        Waiting("b1", "b", 0.0, exec_s=1.0), Waiting("c1", "c", 0.0, exec_s=2.0), Waiting("a1", "a", 0.0, 3.0)
    )
    answer = queue.pop(0.0, lambda function: function == "a")
    assert answer is not None
    assert (answer.item.id, answer.why) == ("a1", "shortest expected execution, 3000 ms; 2 before it cannot run")
    assert [popped(queue).item.id, popped(queue).item.id] == ["b1", "c1"]


def test_a_long_blocked_line_is_asked_about_once() -> None:
    queue = filled(*(Waiting(f"b{n}", "b", 0.0, exec_s=1.0) for n in range(1000)), Waiting("a1", "a", 0.0, exec_s=2.0))
    asked: list[str] = []

    def can_run(function: str) -> bool:
        asked.append(function)
        return function == "a"

    queue.pop(0.0, can_run)
    assert asked == ["b", "a"]


def test_without_ageing_a_long_function_starves_and_with_it_does_not() -> None:
    def turns_until_the_long_one(ageing: float) -> int:
        queue = filled(Waiting("long", "a", 0.0, exec_s=5.0), ageing=ageing)
        for now in range(1, 100):
            queue.push(now, Waiting(f"short{now}", "b", float(now), exec_s=1.0))
            if popped(queue).item.id == "long":
                return now
        return 100

    assert turns_until_the_long_one(0.0) == 100
    assert turns_until_the_long_one(1.0) == 4


def test_what_was_withdrawn_does_not_pile_up() -> None:
    queue = filled(*(Waiting(f"i{n}", "a", 0.0, exec_s=float(n)) for n in range(100)))
    for n in range(1, 100):
        queue.remove(f"i{n}")
        assert len(queue._lines["a"]) <= 2 * len(queue) + 1
    assert (popped(queue).item.id, len(queue), queue.count("a"), queue._dead) == ("i0", 0, 0, {})


@given(st.permutations(range(60)), st.permutations(range(60)), st.integers(0, 60))
def test_withdrawals_leave_the_others_in_order(pushed: list[int], withdrawn: list[int], count: int) -> None:
    queue = filled(*(Waiting(f"i{key}", "a", 0.0, exec_s=float(key)) for key in pushed))
    for key in withdrawn[:count]:
        assert queue.remove(f"i{key}") is not None
    assert [popped(queue).item.id for _ in withdrawn[count:]] == [f"i{key}" for key in sorted(withdrawn[count:])]


def test_the_same_invocation_cannot_wait_twice() -> None:
    queue = filled(Waiting("i1", "a", 0.0))
    with pytest.raises(AssertionError, match="i1 waits already"):
        queue.push(0.0, Waiting("i1", "a", 0.0))


REASONS = [
    ("fcfs", Waiting("i", "a", 0.0), "came first"),
    ("minheap", Waiting("i", "a", 0.0, exec_s=1.0), "shortest expected execution, 1000 ms"),
    ("minheap", Waiting("i", "a", 0.0), "execution time not known yet"),
    ("minheap_ed", Waiting("i", "a", 0.0, exec_s=1.0), "earliest expected end"),
    ("minheap_iat", Waiting("i", "a", 0.0, gap_s=1.0), "most frequent arrivals, every 1 s"),
    ("minheap_iat", Waiting("i", "a", 0.0), "arrival gap not known yet"),
    ("cold_pri", Waiting("i", "a", 0.0, idle="warm"), "had a warm sandbox"),
    ("cold_pri", Waiting("i", "a", 0.0, idle="prewarmed"), "had a prewarmed sandbox"),
    ("cold_pri", Waiting("i", "a", 0.0), "shortest expected cold start"),
]


@each("policy, item, why", REASONS)
def test_each_says_why(policy: str, item: Waiting, why: str) -> None:
    queue = build(QUEUEING, policy, {}, "attacca.policy.queueing").fresh()
    queue.push(0.0, item)
    answer = queue.pop(0.0, lambda _: True)
    assert answer is not None
    assert answer.why == why
