"""Pauses in, windows out; against a twin that keeps every pause and sorts them each time."""

from math import ceil, sqrt

import pytest
from hypothesis import given, settings

from attacca.model.resources import Resources
from attacca.policy.keepalive.hybrid_histogram import HistogramState, HybridHistogram
from attacca.policy.keepalive.types import Expiry, Idle
from tests.drawing import Every, one, several

MINUTE = 60.0


def at_rest(now: float, *, used: bool = True, name: str = "s1") -> Idle:
    return Idle(name, "a", Resources(128), now, uses=1, cold_s=1.0, gap_s=0.0, used=used)


def learn(state: HistogramState, pauses_s: list[float], now: float = 0.0) -> float:
    """Let the function pause so; the time of its last arrival comes back."""
    for pause_s in pauses_s:
        state.became_idle(now, at_rest(now))
        now += pause_s
        state.arrived(now, "a")
    return now


def dumb_window(policy: HybridHistogram, pauses_s: list[float]) -> tuple[float, float]:
    """From and until when, after the last execution, worked out from the raw pauses."""
    standard = (0.0, policy.bins * policy.bin_s)
    inside = sorted(pause_s // policy.bin_s for pause_s in pauses_s if pause_s < policy.bins * policy.bin_s)
    too_long = len(pauses_s) - len(inside)
    if not pauses_s or (too_long and too_long / len(pauses_s) >= policy.out_of_bounds):
        return standard
    counts = [inside.count(index) for index in range(policy.bins)]
    mean = sum(counts) / policy.bins
    deviation = sqrt(sum((count - mean) ** 2 for count in counts) / policy.bins)
    if deviation / mean < policy.variation - 1e-9:
        return standard
    head = inside[max(1, ceil(policy.head * len(inside))) - 1]
    tail = inside[max(1, ceil(policy.tail * len(inside))) - 1]
    return head * policy.bin_s * (1 - policy.margin), (tail + 1) * policy.bin_s * (1 + policy.margin)


POLICIES = Every(
    HybridHistogram,
    bin_s=[10.0],
    bins=[4, 12],
    head=[0.0, 0.05, 0.3],
    tail=[0.5, 0.99, 1.0],
    margin=[0.0, 0.1],
    variation=[0.0, 1.0, 2.0],
    out_of_bounds=[0.3, 0.5],
)


@pytest.mark.long
@given(one(POLICIES), several([float(n) for n in range(151)], max_size=30))
@settings(max_examples=4 * settings().max_examples)
def test_it_does_what_the_dumb_twin_does(policy: HybridHistogram, pauses_s: list[float]) -> None:
    state = policy.fresh()
    now = learn(state, pauses_s)
    from_s, until_s = dumb_window(policy, pauses_s)
    expiry = state.became_idle(now, at_rest(now))
    ahead = state.prewarm_at(now, "a")
    assert expiry is not None
    assert expiry.at == pytest.approx(now if from_s else now + until_s)
    assert (ahead.at if ahead else None) == (pytest.approx(now + from_s) if from_s else None)
    if from_s:
        waiting = state.became_idle(now + from_s, at_rest(now + from_s, used=False))
        assert waiting is not None
        assert waiting.at == pytest.approx(now + until_s)


def test_a_function_called_every_half_hour_is_away_in_between() -> None:
    state = HybridHistogram().fresh()
    now = learn(state, [30.5 * MINUTE] * 10)
    why = "pauses last 1800 to 1860 s"
    assert state.became_idle(now, at_rest(now)) == Expiry(now, why)
    assert state.prewarm_at(now, "a") == Expiry(now + 27 * MINUTE, why)
    made = now + 27 * MINUTE
    late = now + 31 * MINUTE * 1.1
    assert state.became_idle(made, at_rest(made, used=False)) == Expiry(late, why)
    assert state.prewarm_at(late, "a") is None, "it was waited for long enough"


def test_a_busy_function_is_kept_for_its_longest_pauses() -> None:
    state = HybridHistogram().fresh()
    now = learn(state, [1.0] * 50)
    assert state.became_idle(now, at_rest(now)) == Expiry(now + 66.0, "pauses last 0 to 60 s")
    assert state.prewarm_at(now + 66.0, "a") is None


@pytest.mark.parametrize(
    ("pauses_s", "why"),
    [
        ([], "no pause seen yet: kept for 14400 s"),
        ([MINUTE, 5 * 3600.0], "too many pauses are longer than the histogram: kept for 14400 s"),
        ([MINUTE * n for n in range(60)], "pauses too evenly spread: kept for 14400 s"),
    ],
)
def test_what_it_cannot_trust_it_keeps_for_the_whole_range(pauses_s: list[float], why: str) -> None:
    state = HybridHistogram().fresh()
    now = learn(state, pauses_s)
    assert state.became_idle(now, at_rest(now)) == Expiry(now + 4 * 3600.0, why)
    assert state.prewarm_at(now, "a") is None


def test_arrivals_during_an_execution_are_no_pauses() -> None:
    state = HybridHistogram().fresh()
    now = learn(state, [30 * MINUTE] * 10)
    for second in range(30):
        state.arrived(now + second, "a")
    assert state.prewarm_at(now + 30, "a") is None, "it runs"
    assert state.became_idle(now + 30, at_rest(now + 30)) == Expiry(now + 30, "pauses last 1800 to 1860 s")


def test_one_made_by_hand_waits_a_whole_window_even_long_after_the_last_execution() -> None:
    state = HybridHistogram().fresh()
    assert state.became_idle(5.0, at_rest(5.0, used=False)) == Expiry(
        5.0 + 4 * 3600, "no pause seen yet: kept for 14400 s"
    )
    now = learn(state, [1.0] * 50)
    state.became_idle(now, at_rest(now))
    later = now + 1000.0
    assert state.became_idle(later, at_rest(later, used=False)) == Expiry(later + 66.0, "pauses last 0 to 60 s")


def test_short_of_memory_the_longest_unused_goes() -> None:
    one, two = at_rest(5.0, name="s1"), at_rest(3.0, name="s2")
    assert HybridHistogram().fresh().victims(6.0, [one, two]) == [two, one]
