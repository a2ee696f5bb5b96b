"""How often a start is cold, where that is known in closed form or bounded."""

from math import exp

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.load.workload.scenario import Choice, Distribution, Scenario
from attacca.policy.keepalive import KEEPALIVE
from tests.sim.play import function, play, play_quick, scenario


@pytest.mark.parametrize("idle_s", [0.5, 2.0])
def test_ttl_under_poisson_arrivals_is_cold_with_exp_minus_lambda_t(idle_s: float) -> None:
    rate = 1.0
    one = scenario(function(rate=rate), length_s=15_000.0, idle_s=idle_s)
    assert play_quick(one).totals.cold_share == pytest.approx(exp(-rate * idle_s), abs=0.01)


def with_keepalive(one: Scenario, policy: str) -> Scenario:
    options: dict[str, object] = {"idle_s": 20.0} if policy == "ttl" else {}
    changed = msgspec.structs.replace(one.system, keepalive=Choice(policy=policy, options=options))
    return msgspec.structs.replace(one, system=changed)


@given(
    rates=st.lists(st.sampled_from([0.05, 0.2, 0.5, 1.0]), min_size=2, max_size=4),
    room=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=6, deadline=None)
def test_the_oracle_never_loses(rates: list[float], room: int, seed: int) -> None:
    """One size, and nothing takes time: Belady's rule is optimal."""
    functions = [
        function(f"f{place}", rate=rate, duration=Distribution(mean_ms=0.0)) for place, rate in enumerate(rates)
    ]
    one = scenario(*functions, length_s=60.0, seed=seed, memory_mb=128 * room)
    best = play(with_keepalive(one, "oracle")).totals.cold_share
    for policy in sorted(KEEPALIVE):
        assert best <= play_quick(with_keepalive(one, policy)).totals.cold_share, policy


def test_infinite_is_cold_once_per_function_and_copy() -> None:
    one = scenario(function("a", rate=2.0), function("b", rate=2.0), length_s=50.0, memory_mb=128)
    outcome = play(with_keepalive(one, "infinite"))
    assert outcome.totals.cold_share == pytest.approx(2 / outcome.totals.invocations)


def test_the_same_arrivals_whatever_the_policy() -> None:
    """Common random numbers: what differs is the policy's doing."""
    functions = [function(f"f{place}", rate=1.0, duration=Distribution(kind="exponential")) for place in range(3)]
    one = scenario(*functions, length_s=30.0, memory_mb=256)
    found = {play_quick(with_keepalive(one, policy)).totals.invocations for policy in ("lru", "ttl", "oracle")}
    assert len(found) == 1
