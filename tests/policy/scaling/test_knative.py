from itertools import pairwise
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.policy.scaling.knative import Knative, TwoWindows
from attacca.policy.scaling.types import Demand, Scaled
from tests.policy.scaling.demands import STORIES, Cluster, integral

PLAIN = Knative(utilization=1.0, grace_s=0.0)
POLICIES = [
    PLAIN,
    Knative(),
    Knative(target=2.5, stable_s=10, panic_s=2, tick_s=1, max_scale_up_rate=3, max_scale_down_rate=1.5),
    Knative(scale_down_delay_s=15, initial_scale=3, grace_s=7),
    Knative(target_burst_capacity=3, panic_threshold=1.5),
]


def cluster(policy: Knative, concurrency: int = 1) -> Cluster:
    return Cluster(policy.fresh(), concurrency=concurrency)


def test_load_over_target_rounded_up() -> None:
    assert cluster(PLAIN).play([(0.0, 5)]).settle() == 5
    assert cluster(PLAIN, concurrency=2).play([(0.0, 5)]).settle() == 3
    assert cluster(Knative(utilization=0.7)).play([(0.0, 1)]).settle() == 2  # one at 70 % has no room for the next
    assert cluster(Knative(target=4.0, utilization=0.5)).play([(0.0, 7)]).settle() == 4


def test_the_last_one_stays_for_the_window_and_the_grace() -> None:
    busy = cluster(Knative(utilization=1.0, grace_s=30.0)).play([(0.0, 1), (60.0, 0)])
    assert busy.settle(89.0) == 1
    assert busy.settle(5.0) == 0


def test_it_falls_by_half_at_a_look_and_the_window_keeps_it() -> None:
    falling = cluster(PLAIN).play([(0.0, 8), (200.0, 0)])
    falling.until(falling.now + 70.0)
    steps = [wanted for _, wanted in falling.answers]
    assert steps[-1] == 0
    assert all(later >= floor(before / 2) for before, later in pairwise(steps))
    assert set(range(1, 8)) & set(steps)


def test_panic_never_falls_and_ends_a_window_after_its_last_cause() -> None:
    burst = cluster(PLAIN).play([(0.0, 1), (100.0, 8)])
    burst.until(burst.now + 6.0)
    assert burst.ready == 8
    burst.play([(0.0, 1)])
    burst.until(burst.now + 50.0)
    assert burst.ready == 8
    assert burst.settle(120.0) == 1


def test_a_burst_from_zero_is_not_averaged_with_the_silence_before() -> None:
    assert cluster(PLAIN).play([(0.0, 1), (1.0, 0), (1000.0, 6)]).ready == 6


def test_it_rises_by_its_rate_at_most() -> None:
    assert cluster(Knative(utilization=1.0, max_scale_up_rate=3.0)).play([(0.0, 50)]).ready == 3


def test_arrivals_a_second() -> None:
    policy = Knative(metric="rps", target=10.0, utilization=1.0)
    scaler = policy.fresh()
    wanted: list[int] = []
    for tenth in range(1200):
        now = tenth / 10
        ready = wanted[-1] if wanted else 0
        wanted.append(scaler.ask(now, Demand(arrivals=int(4.8 * tenth), running=1, ready=ready)).wanted)
    assert wanted[-1] == 5  # 48 a second
    default = Knative(metric="rps").fresh()
    assert default.ask(0.0, Demand(arrivals=10**6, running=1)).wanted == 1  # what came before is not news


def test_a_gateway_that_starts_again_takes_no_arrivals_back() -> None:
    scaler = Knative(metric="rps", target=1.0).fresh()
    scaler.ask(0.0, Demand(arrivals=50, waiting=1))
    scaler.ask(1.0, Demand(arrivals=2, waiting=1))
    assert scaler.ask(2.0, Demand(arrivals=4, waiting=1)).wanted == 2  # 2 in 2 s, at 0.7 each


def test_room_for_a_burst_is_kept_while_there_is_any() -> None:
    policy = Knative(utilization=1.0, target_burst_capacity=4.0, grace_s=0.0)
    assert cluster(policy).play([(0.0, 2)]).settle() == 6
    assert cluster(policy).play([(0.0, 2), (60.0, 0)]).settle() == 0


def test_to_begin_with_until_so_many_were_ready() -> None:
    policy = Knative(initial_scale=4, grace_s=0.0)
    begun = cluster(policy)
    assert begun.ask().wanted == 4
    assert begun.settle() == 0
    assert begun.play([(0.0, 1)]).ready == 2


def test_a_panic_window_is_no_longer_than_the_stable_one() -> None:
    with pytest.raises(ValueError, match="must not exceed stable_s"):
        Knative(panic_s=61.0)


def test_it_says_its_state() -> None:
    scaler = PLAIN.fresh()
    scaler.ask(0.0, Demand(waiting=3))
    assert repr(scaler) == "<TwoWindows 3 wanted, 3 under way, panic up to 3>"
    assert repr(Knative().fresh()) == "<TwoWindows 0 wanted, 0 under way, steady>"


class Dumb:
    """Knative's Scale(), word for word, over all that was ever said."""

    def __init__(self, policy: Knative) -> None:
        self.policy = policy
        self.steps: list[tuple[float, float]] = []
        self.wants: list[tuple[float, int]] = []
        self.look_at, self.said = float("-inf"), 0
        self.panic_at: float | None = None
        self.panic_most = 0
        self.zero_at: float | None = None
        self.has_begun = policy.initial_scale == 0

    def mean(self, now: float, width_s: float) -> float:
        since = max(self.steps[0][0], floor(now) - round(width_s))
        return self.steps[-1][1] if now <= since else round(integral(self.steps, since, now) / (now - since), 9)

    def ask(self, now: float, demand: Demand) -> int:
        policy, was_zero = self.policy, self.said == 0
        load = demand.running + demand.waiting
        if was_zero and (not self.steps or not self.steps[-1][1]):
            self.steps.clear()
        self.steps.append((now, load))
        self.has_begun = self.has_begun or demand.ready >= policy.initial_scale
        if now < self.look_at and not (was_zero and demand.waiting):
            return self.said
        wanted = self.wanted(now, demand)
        if wanted:
            self.zero_at = None
        elif self.zero_at is None:
            self.zero_at = now
        if not wanted and demand.ready and self.zero_at is not None and now < self.zero_at + policy.grace_s:
            wanted = 1
        is_rest = not (wanted or load or demand.ready)
        self.said, self.look_at = wanted, float("-inf") if is_rest else now + policy.tick_s
        return wanted

    def wanted(self, now: float, demand: Demand) -> int:
        policy, ready = self.policy, max(1, demand.ready)
        each = policy.target or demand.concurrency
        steady = ceil(round(self.mean(now, policy.stable_s) / (each * policy.utilization), 9))
        burst = ceil(round(self.mean(now, policy.panic_s) / (each * policy.utilization), 9))
        if burst / ready >= policy.panic_threshold:
            self.panic_at = now
        elif self.panic_at is not None and now > self.panic_at + policy.stable_s:
            self.panic_at, self.panic_most = None, 0
        low, high = floor(demand.ready / policy.max_scale_down_rate), ceil(policy.max_scale_up_rate * ready)
        if policy.target_burst_capacity and (steady or burst):
            room = self.mean(now, policy.panic_s) + policy.target_burst_capacity
            steady = max(steady, ceil(round(room / each, 9)))
        wanted = min(max(steady, low), high)
        if self.panic_at is not None:
            self.panic_most = wanted = max(wanted, min(max(burst, low), high), self.panic_most)
        self.wants.append((now, wanted))
        wanted = max(count for at, count in self.wants if at >= now - policy.scale_down_delay_s)
        return wanted if self.has_begun else max(wanted, policy.initial_scale)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=settings().max_examples // 3)
@given(story=STORIES, concurrency=st.integers(1, 2))
def test_it_decides_as_one_that_remembers_everything(
    policy: Knative, story: list[tuple[float, int]], concurrency: int
) -> None:
    class Both(TwoWindows):
        def ask(self, now: float, demand: Demand) -> Scaled:
            answer = super().ask(now, demand)
            assert answer.wanted == twin.ask(now, demand)
            return answer

    twin = Dumb(policy)
    Cluster(Both(policy), concurrency=concurrency).play(story).settle(100.0)
