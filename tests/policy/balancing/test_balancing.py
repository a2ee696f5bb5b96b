"""What all members of the family have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.registry import build
from attacca.policy.balancing import BALANCING
from attacca.policy.balancing.types import Asked
from tests.policy.balancing.fleet import CALLS, FLEETS, Facts, made, picks

members = pytest.mark.parametrize("name", BALANCING)


@members
@given(fleet=FLEETS, calls=CALLS, data=st.data())
def test_the_order_of_the_workers_does_not_matter(
    name: str, fleet: list[Facts], calls: list[tuple[str, int]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(fleet))
    policy = BALANCING[name]()
    chosen = picks(made(policy, fleet), calls)
    assert chosen == picks(made(policy, shuffled), calls)
    assert set(chosen) <= {worker.name for worker in fleet}


@members
@given(fleet=FLEETS, calls=CALLS, seed=st.integers(0, 9))
def test_the_same_seed_decides_the_same(name: str, fleet: list[Facts], calls: list[tuple[str, int]], seed: int) -> None:
    policy = BALANCING[name]()
    assert picks(made(policy, fleet, seed), calls) == picks(made(policy, fleet, seed), calls)


@members
@given(fleet=FLEETS, calls=CALLS, data=st.data())
def test_nobody_who_left_is_picked(
    name: str, fleet: list[Facts], calls: list[tuple[str, int]], data: st.DataObject
) -> None:
    balancer = made(BALANCING[name](), fleet)
    picks(balancer, calls)
    rest = data.draw(st.lists(st.sampled_from(fleet), min_size=1, unique_by=lambda worker: worker.name))
    balancer.among(rest)
    assert set(picks(balancer, calls)) <= {worker.name for worker in rest}


@members
def test_it_says_why(name: str) -> None:
    policy = build(BALANCING, name, {}, "attacca.policy.balancing")
    assert made(policy, [Facts("a"), Facts("b")]).pick(0.0, Asked("f")).why
