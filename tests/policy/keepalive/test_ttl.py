from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.model.resources import Resources
from attacca.policy.keepalive.ttl import Ttl
from attacca.policy.keepalive.types import Expiry, Idle
from tests.drawing import several


def idle(since: float, name: str = "s1") -> Idle:
    return Idle(name, "a", Resources(128), since, uses=1, cold_s=1.0, gap_s=0.0)


def test_it_goes_a_fixed_time_after_its_last_use() -> None:
    state = Ttl(idle_s=60.0).fresh()
    assert state.became_idle(10.0, idle(10.0)) == Expiry(70.0, "unused for 60 s")
    assert state.became_idle(65.0, idle(65.0)) == Expiry(125.0, "unused for 60 s")
    assert state.prewarm_at(125.0, "a") is None


@given(several(range(21), min_size=1, max_size=10), st.integers(0, 5))
@settings(max_examples=3 * settings().max_examples)
def test_an_arrival_is_warm_if_and_only_if_the_pause_before_it_was_shorter(pauses: list[int], idle_s: int) -> None:
    state = Ttl(idle_s=float(idle_s)).fresh()
    now = 0.0
    for pause in pauses:
        expiry = state.became_idle(now, idle(now))
        assert expiry is not None
        assert (now + pause < expiry.at) == (pause < idle_s)
        now += pause


def test_short_of_memory_the_longest_unused_goes() -> None:
    one, two = idle(5.0, "s1"), idle(3.0, "s2")
    assert Ttl().fresh().victims(6.0, [one, two]) == [two, one]
