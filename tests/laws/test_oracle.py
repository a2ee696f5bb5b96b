"""The oracle against every possible choice, on cases small enough to try them all."""

from collections.abc import Sequence
from functools import cache

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attacca.load.workload.scenario import Choice, Distribution, Scenario
from attacca.load.workload.schedule import Schedule
from attacca.policy.balancing import BALANCING
from attacca.policy.keepalive import KEEPALIVE
from tests.sim.play import exponential, function, play_quick, scenario

Run = tuple[float, float, int]  # begin, end, function
RATES = st.lists(st.sampled_from([0.1, 0.2, 0.4]), min_size=2, max_size=4)
MEANS = st.sampled_from([0.0, 300.0, 3000.0])


def least_cold(runs: Sequence[Run], room: int) -> int:
    """Of all choices whom to evict. There must be room for those that run at once."""

    @cache
    def rest(number: int, idle: tuple[int, ...]) -> int:
        """Cold starts from this run on; `idle`: the functions of the idle sandboxes, when the one before had begun."""
        if number == len(runs):
            return 0
        at, _, wanted = runs[number]
        before = [one for _, end, one in runs[: number - 1] if end <= runs[number - 1][0]] if number else []
        back = [one for _, end, one in runs[:number] if end <= at]
        for one in before:
            back.remove(one)
        there = sorted([*idle, *back])
        busy = sum(end > at for _, end, _ in runs[:number])
        if wanted in there:
            there.remove(wanted)
            return rest(number + 1, tuple(there))
        if busy + len(there) < room:
            return 1 + rest(number + 1, tuple(there))
        assert there, "nobody should have to wait"
        return 1 + min(rest(number + 1, tuple(there[:gone] + there[gone + 1 :])) for gone in range(len(there)))

    return rest(0, ())


def most_at_once(runs: Sequence[Run]) -> int:
    return max((sum(begin <= at < end or begin == at for begin, end, _ in runs) for at, _, _ in runs), default=0)


def runs_of(one: Scenario, of: int = 0, workers: int = 1) -> list[Run]:
    """Those that one of several workers gets in turn."""
    whole = [(due.due_s, due.due_s + due.duration_ms / 1e3, due.function) for due in Schedule(one)]
    return whole[of::workers]


def drawn(rates: list[float], mean_ms: float, room: int, seed: int, workers: int = 1) -> Scenario:
    functions = [
        function(f"f{place}", rate=rate, duration=exponential(mean_ms) if mean_ms else Distribution())
        for place, rate in enumerate(rates)
    ]
    one = scenario(*functions, length_s=24.0, seed=seed, memory_mb=128 * room, workers=workers)
    return msgspec.structs.replace(
        one, system=msgspec.structs.replace(one.system, balancing=Choice(policy="round_robin"))
    )


BLIND = sorted(set(BALANCING) - {"pull"})  # who looks at what is idle balances otherwise when other sandboxes are kept


def cold(one: Scenario, keepalive: str = "oracle", balancing: str = "round_robin") -> int:
    system = msgspec.structs.replace(one.system, keepalive=Choice(policy=keepalive), balancing=Choice(policy=balancing))
    totals = play_quick(msgspec.structs.replace(one, system=system)).totals
    return round(totals.cold_share * totals.invocations)


@given(RATES, MEANS, st.integers(1, 4), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_of_one_size_none_has_fewer_cold_starts(rates: list[float], mean_ms: float, room: int, seed: int) -> None:
    one = drawn(rates, mean_ms, room, seed)
    runs = runs_of(one)
    assume(0 < len(runs) <= 16)
    assume(most_at_once(runs) <= room)
    assert cold(one) == least_cold(runs, room)


@given(RATES, MEANS, st.integers(1, 3), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_nor_on_several_workers(rates: list[float], mean_ms: float, room: int, seed: int) -> None:
    one = drawn(rates, mean_ms, room, seed, workers=2)
    each = [runs_of(one, place, 2) for place in (0, 1)]
    assume(all(0 < len(runs) <= 14 and most_at_once(runs) <= room for runs in each))
    assert cold(one) == sum(least_cold(runs, room) for runs in each)


@given(RATES, MEANS, st.integers(2, 4), st.integers(0, 10_000), st.sampled_from(BLIND))
@settings(max_examples=12, deadline=None)
def test_it_never_loses_whoever_balances(
    rates: list[float], mean_ms: float, room: int, seed: int, balancing: str
) -> None:
    one = drawn(rates, mean_ms, room, seed, workers=2)
    assume(0 < most_at_once(runs_of(one)) <= room)  # even if one worker got them all
    best = cold(one, balancing=balancing)
    for policy in sorted(KEEPALIVE):
        assert best <= cold(one, policy, balancing), policy
