"""Oldest first, whatever the order of asking; and what every policy owes its worker."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.kernel.registry import build
from attacca.model.resources import Resources
from attacca.policy.keepalive import KEEPALIVE
from attacca.policy.keepalive.lru import Lru
from attacca.policy.keepalive.types import Idle, begin
from tests.drawing import Every, one
from tests.policy.keepalive.here import Here

SMALL = [float(n) for n in range(7)]
IDLES = st.lists(
    one(
        Every(
            Idle,
            sandbox=[f"s{n}" for n in range(9)],
            function="ab",
            resources=[Resources(size) for size in (1, 2, 4)],
            idle_since=SMALL,
            uses=range(7),
            cold_s=SMALL,
            gap_s=SMALL,
        )
    ),
    max_size=8,
    unique_by=lambda idle: idle.sandbox,
)


@pytest.mark.long
@given(IDLES)
@settings(max_examples=3 * settings().max_examples)
def test_the_longest_unused_goes_first(idles: list[Idle]) -> None:
    left = list(idles)
    for victim in Lru().fresh().victims(9.0, idles):
        left.remove(victim)
        assert all((victim.idle_since, victim.sandbox) < (other.idle_since, other.sandbox) for other in left)
    assert left == []


def test_nothing_expires_and_nothing_is_made_ahead() -> None:
    state = Lru().fresh()
    idle = Idle("s1", "a", Resources(128), 0.0, uses=1, cold_s=1.0, gap_s=0.0)
    assert state.became_idle(0.0, idle) is None
    assert state.prewarm_at(0.0, "a") is None


@pytest.mark.parametrize("policy", sorted(KEEPALIVE))
@given(idles=IDLES, shuffled=st.randoms(use_true_random=False))
@settings(max_examples=2 * settings().max_examples)
def test_every_policy_names_all_in_an_order_of_its_own(policy: str, idles: list[Idle], shuffled: object) -> None:
    state = begin(build(KEEPALIVE, policy, {}, "attacca.policy.keepalive"), Here())
    for now, idle in enumerate(idles):
        state.arrived(now, idle.function)
        expiry = state.became_idle(now, idle)
        assert expiry is None or (expiry.at >= min(now, idle.idle_since) and expiry.why)
    victims = state.victims(9.0, idles)
    mixed = list(idles)
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    assert state.victims(9.0, mixed) == state.victims(9.0, iter(mixed)) == victims
    assert sorted(victims, key=lambda idle: idle.sandbox) == sorted(idles, key=lambda idle: idle.sandbox)
    for idle in victims:
        state.evicted(9.0, idle)
    assert state.victims(9.0, []) == []
