"""Hiku's queues, against a twin that looks at everybody."""

from collections.abc import Sequence
from itertools import product

from hypothesis import given

from attacca.policy.balancing.pull import Pull
from attacca.policy.balancing.types import Asked
from tests.drawing import several
from tests.policy.balancing.fleet import Facts, Rigged

STEPS = several(list(product(["rests", "asked", "leaves"], "abc", "fg", range(3))), max_size=30)


@given(STEPS)
def test_who_rests_pulls_and_the_least_connected_of_them_first(steps: Sequence[tuple[str, str, str, int]]) -> None:
    balancer = Pull().fresh(Rigged())
    there = {name: Facts(name) for name in "abc"}
    balancer.among(list(there.values()))
    for step, worker, function, count in steps:
        if step == "rests" and worker in there:
            there[worker].warm = {**there[worker].warm, function: count}
            balancer.resting(0.0, worker, function, count)
        elif step == "leaves" and len(there) > 1:
            there.pop(worker, None)
            balancer.among(list(there.values()))
        elif step == "asked":
            picked = balancer.pick(0.0, Asked(function))
            pulling = [one for one in there.values() if one.idle(function)]
            best = min(pulling or there.values(), key=lambda one: (one.queued + one.running, one.name))
            assert picked.worker == best.name
            assert picked.why.startswith("pulled") == bool(pulling)
            best.running += 1
            best.warm = {**best.warm, function: max(0, best.idle(function) - 1)}


def test_two_on_their_way_are_not_sent_for_one_sandbox() -> None:
    balancer = Pull().fresh(Rigged())
    balancer.among([Facts("a", running=3), Facts("b")])
    balancer.resting(0.0, "a", "f", 1)
    assert [balancer.pick(0.0, Asked("f")).worker for _ in range(2)] == ["a", "b"]
