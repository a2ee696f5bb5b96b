"""Fair shares, stickiness and throttling, and a dumb twin that keeps every tag and searches every flow."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.policy.queueing.mqfq import SWEEP_LEAST, Mqfq, MqfqQueue
from attacca.policy.queueing.types import Waiting
from tests.drawing import Evenly, several

FUNCTIONS = ["a", "b", "c"]
POLICY = Mqfq(weights={"b": 2.0, "c": 0.5}, allowed_overrun_s=5.0, ttl_s=2.0)


class DumbFlow:
    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.tagged: list[tuple[float, int, Waiting]] = []  # with its own S, and the number of its push
        self.finish = 0.0
        self.in_flight = 0
        self.served_at = 0.0
        self.exec_s = 0.0


class DumbMqfq:
    """The published formulas, tag by tag: S = max(VT, F), F = S + service / weight, VT = the least S of all work."""

    def __init__(self, policy: Mqfq) -> None:
        self.policy = policy
        self.flows = {f: DumbFlow(policy.weights.get(f, 1.0)) for f in FUNCTIONS}
        self.virtual = 0.0
        self.last = ""
        self.pushes = 0

    def service(self, item: Waiting) -> float:
        return self.policy.service_s or item.exec_s or self.policy.allowed_overrun_s / 10

    def observe(self) -> None:
        starts = [s for flow in self.flows.values() for s, _, _ in flow.tagged]
        self.virtual = min(starts, default=self.virtual)

    def push(self, now: float, item: Waiting) -> None:
        flow = self.flows[item.function]
        flow.exec_s = item.exec_s
        ttl = self.policy.ttl_s if self.policy.ttl_s >= 0 else -self.policy.ttl_s * flow.exec_s
        is_inactive = not flow.tagged and not flow.in_flight and now - flow.served_at >= ttl
        if self.last == item.function and is_inactive:
            self.last = ""
        self.pushes += 1
        start = max(self.virtual, flow.finish)
        flow.finish = start + self.service(item) / flow.weight
        flow.tagged.append((start, self.pushes, item))
        self.observe()

    def pop(self, now: float, blocked: str) -> str | None:
        able = [f for f in FUNCTIONS if f not in blocked and self.flows[f].tagged]
        if not able:
            return None
        pick = min(able, key=lambda f: self.flows[f].tagged[0][:2])
        is_close = self.last in able and self.flows[self.last].tagged[0][0] - self.virtual <= 5.0
        pick = self.last if is_close else pick
        flow = self.flows[pick]
        item = flow.tagged.pop(0)[2]
        flow.in_flight += 1
        flow.served_at = now
        self.last = pick
        self.observe()
        return item.id

    def ended(self, now: float, function: str) -> None:
        flow = self.flows[function]
        if flow.in_flight:
            flow.in_flight -= 1
            flow.served_at = now

    def remove(self, place: int) -> str | None:
        waiting = [(s, n, item) for flow in self.flows.values() for s, n, item in flow.tagged]
        if not waiting:
            return None
        _, number, item = waiting[place % len(waiting)]
        flow = self.flows[item.function]
        index = next(i for i, tag in enumerate(flow.tagged) if tag[1] == number)
        start = flow.tagged[index][0]
        del flow.tagged[index]
        for i in range(index, len(flow.tagged)):  # those behind move up, as if it had never come
            _, number, behind = flow.tagged[i]
            flow.tagged[i] = (start, number, behind)
            start += self.service(behind) / flow.weight
        flow.finish = start
        self.observe()
        return item.id


STEPS = several(
    Evenly(
        list(product(["push"], FUNCTIONS, range(7))),
        list(product(["pop"], ["", "a", "b", "ab", "abc"], [0])),
        list(product(["ended"], FUNCTIONS, [0])),
        list(product(["remove"], [""], range(21))),
    ),
    max_size=50,
)


@pytest.mark.parametrize("ttl_s", [0.0, 2.0, -1.0])
@given(steps=STEPS)
@settings(max_examples=2 * settings().max_examples)
def test_it_does_what_the_dumb_twin_does(ttl_s: float, steps: Sequence[tuple[str, str, int]]) -> None:
    policy = Mqfq(weights=POLICY.weights, allowed_overrun_s=5.0, ttl_s=ttl_s)
    queue, dumb = policy.fresh(), DumbMqfq(policy)
    for now, (step, word, number) in enumerate(steps):
        queue._sweep_at = 0  # tidied up at every newcomer, which nobody may notice
        match step:
            case "push":
                item = Waiting(f"i{now}", word, float(now), exec_s=float(number))
                queue.push(now, item)
                dumb.push(now, item)
            case "pop":
                answer = queue.pop(now, lambda function, word=word: function not in word)  # type: ignore[misc]
                assert (answer.item.id if answer else None) == dumb.pop(now, word)
                assert answer is None or answer.why
            case "ended":
                queue.ended(now, word, 1.0)
                dumb.ended(now, word)
            case _:
                name = dumb.remove(number)
                gone = queue.remove(name or "none")
                assert (gone.id if gone else None) == name
        assert queue._virtual_s == pytest.approx(dumb.virtual)
        assert [queue.count(f) for f in FUNCTIONS] == [len(dumb.flows[f].tagged) for f in FUNCTIONS]
        assert len(queue) == sum(len(flow.tagged) for flow in dumb.flows.values())


@given(
    weights=st.fixed_dictionaries({f: st.integers(1, 3).map(float) for f in FUNCTIONS}),
    exec_s=st.fixed_dictionaries({f: st.integers(1, 4).map(float) for f in FUNCTIONS}),
    overrun=st.integers(0, 6),
)
def test_backlogged_functions_never_drift_apart(
    weights: dict[str, float], exec_s: dict[str, float], overrun: int
) -> None:
    queue = Mqfq(weights=weights, allowed_overrun_s=overrun).fresh()
    for n in range(60):
        for f in FUNCTIONS:
            queue.push(0.0, Waiting(f"{f}{n}", f, 0.0, exec_s=exec_s[f]))
    share = dict.fromkeys(FUNCTIONS, 0.0)  # served, per weight
    most = max(exec_s[f] / weights[f] for f in FUNCTIONS)
    while all(queue.count(f) for f in FUNCTIONS):
        answer = queue.pop(0.0, lambda _: True)
        assert answer is not None
        f = answer.item.function
        share[f] += exec_s[f] / weights[f]
        assert max(share.values()) - min(share.values()) <= overrun + most + 1e-9


def waiting(queue: MqfqQueue, *names: str, now: float = 0.0, exec_s: float = 1.0) -> None:
    for name in names:
        queue.push(now, Waiting(name, name[0], now, exec_s=exec_s))


def served(queue: MqfqQueue, now: float = 0.0, blocked: str = "") -> tuple[str, str]:
    answer = queue.pop(now, lambda function: function not in blocked)
    assert answer is not None
    return answer.item.id, answer.why


def test_it_stays_with_a_function_until_that_is_too_far_ahead() -> None:
    queue = Mqfq(allowed_overrun_s=2.0).fresh()
    waiting(queue, "a1", "b1", "a2", "a3", "a4", "a5")
    assert [served(queue)[0] for _ in range(6)] == ["a1", "a2", "a3", "b1", "a4", "a5"]


def test_it_says_why() -> None:
    queue = Mqfq(allowed_overrun_s=1.0).fresh()
    waiting(queue, "b1", "b2", "a1", "a2", "a3", "a4")
    assert served(queue) == ("b1", "furthest behind its fair share")
    assert served(queue) == ("b2", "same function as before")
    waiting(queue, "b3")
    assert served(queue, blocked="a") == ("b3", "over its share, but no other can run")


def test_an_empty_function_is_stuck_to_only_while_it_is_active() -> None:
    for pause_s, first in [(1.0, "a2"), (2.0, "b1")]:
        queue = Mqfq(ttl_s=2.0).fresh()
        waiting(queue, "a1", "b1", exec_s=3.0)
        served(queue)
        queue.ended(10.0, "a", 3.0)
        waiting(queue, "a2", now=10.0 + pause_s)
        assert served(queue, now=10.0 + pause_s)[0] == first


def test_one_that_was_away_gets_no_credit_for_it() -> None:
    queue = Mqfq(allowed_overrun_s=0.0).fresh()
    waiting(queue, *(f"a{n}" for n in range(10)))
    for _ in range(8):
        served(queue)
    waiting(queue, "b0", "b1", "b2", "b3")
    assert [served(queue)[0] for _ in range(5)] == ["a8", "b0", "b1", "a9", "b2"]


@pytest.mark.long
def test_functions_that_are_gone_are_forgotten() -> None:
    queue = Mqfq(ttl_s=1.0).fresh()
    for n in range(1000):
        queue.push(float(n), Waiting(f"i{n}", f"f{n}", float(n), exec_s=0.1))
        queue.pop(float(n), lambda _: True)
        queue.ended(float(n), f"f{n}", 0.1)
        waiting(queue, f"a{n}", now=float(n))  # time goes on for everybody
        served(queue, now=float(n))
    assert len(queue._flows) <= 2 * SWEEP_LEAST


def test_a_function_is_active_until_the_last_of_it_has_ended() -> None:
    queue = Mqfq(ttl_s=2.0).fresh()
    waiting(queue, "a1", "a2", "b1")
    assert [served(queue)[0] for _ in range(2)] == ["a1", "a2"]
    queue.ended(0.0, "a", 1.0)
    waiting(queue, "a3", now=10.0)
    assert served(queue, now=10.0) == ("a3", "same function as before")
