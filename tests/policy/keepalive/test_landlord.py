"""Credits and rents, against a twin that really collects the rent from everybody."""

from collections.abc import Sequence
from itertools import product

from hypothesis import given, settings

from attacca.model.resources import Resources
from attacca.policy.keepalive.landlord import Landlord
from attacca.policy.keepalive.types import Idle
from tests.drawing import several

NAMES = [f"s{n}" for n in range(5)]
FACTS = list(product(range(9), [1, 2, 4]))  # cold_s, memory_mb
STEPS = several(list(product(["rest", "take", "pressure"], NAMES, FACTS)), max_size=40)


class DumbLandlord:
    def __init__(self) -> None:
        self.credit: dict[str, float] = {}
        self.idle: dict[str, Idle] = {}

    def rest(self, idle: Idle) -> None:
        self.idle[idle.sandbox] = idle
        self.credit[idle.sandbox] = idle.cold_s

    def take(self, name: str) -> Idle:
        del self.credit[name]
        return self.idle.pop(name)

    def evict(self) -> Idle:
        delta = min(self.credit[name] / self.idle[name].resources.memory_mb for name in self.idle)
        for name, idle in self.idle.items():
            self.credit[name] -= delta * idle.resources.memory_mb
            assert self.credit[name] >= 0
        broke = [idle for name, idle in self.idle.items() if self.credit[name] == 0]
        first = min(broke, key=lambda idle: idle.idle_since)
        self.take(first.sandbox)
        return first


@given(STEPS)
@settings(max_examples=3 * settings().max_examples)
def test_it_does_what_the_dumb_twin_does(steps: Sequence[tuple[str, str, tuple[int, int]]]) -> None:
    state, dumb = Landlord().fresh(), DumbLandlord()
    for now, (step, name, (cold_s, memory_mb)) in enumerate(steps):
        if step == "pressure" and dumb.idle:
            victims = state.victims(now, list(dumb.idle.values()))
            state.evicted(now, victims[0])
            assert dumb.evict() == victims[0]
        elif step == "rest" and name not in dumb.idle:
            idle = Idle(name, "a", Resources(memory_mb), float(now), 7, float(cold_s), 0.0)
            assert state.became_idle(now, idle) is None
            dumb.rest(idle)
        elif step == "take" and name in dumb.idle:
            state.became_busy(now, dumb.take(name))
        for tenant, idle in dumb.idle.items():
            assert (state.good_for(idle) - state.paid) * idle.resources.memory_mb == dumb.credit[tenant]


def test_a_use_restores_the_whole_credit() -> None:
    state = Landlord().fresh()
    tenant, guest = (Idle(name, "a", Resources(1), 0.0, 1, 2.0, 0.0) for name in ("tenant", "guest"))
    state.became_idle(0.0, tenant)
    state.became_idle(0.0, guest)
    state.victims(1.0, [tenant, guest])
    state.evicted(1.0, guest)
    assert state.good_for(tenant) - state.paid == 0.0
    state.became_busy(2.0, tenant)
    state.became_idle(3.0, tenant)
    assert state.good_for(tenant) - state.paid == 2.0


def test_nothing_is_kept_of_who_is_taken_or_gone() -> None:
    state = Landlord().fresh()
    tenants = [Idle(name, "a", Resources(1), 0.0, 1, 2.0, 0.0) for name in ("used", "gone")]
    for tenant in tenants:
        state.became_idle(0.0, tenant)
    state.victims(1.0, tenants)
    state.became_busy(1.0, tenants[0])
    state.evicted(1.0, tenants[1])
    assert (state._good, state._asked) == ({}, {})
