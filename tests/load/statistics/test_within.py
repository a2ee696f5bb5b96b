"""What one run says of the truth holds it, though neighbours in a queue depend on each other."""

import math
import random
from collections.abc import Iterator
from heapq import heapreplace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.statistics.samples import TOO_FEW, Interval
from attacca.load.statistics.within import ONE_RUN, mean_within, quantiles_within, share_within

RUNS = 200
SERVERS, EACH = 2, 10.0  # so many answers a second of one of them
SHARES = (0.5, 0.99)
POSITIVE = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=300)


def queue(draw: random.Random, rho: float, count: int, early: int) -> list[float]:
    """Responses of M/M/2, first come first served, without those of the first `early`."""
    free, now, found = [0.0] * SERVERS, 0.0, []
    for _ in range(early + count):
        now += draw.expovariate(rho * SERVERS * EACH)
        end = max(now, free[0]) + draw.expovariate(EACH)
        heapreplace(free, end)
        found.append(end - now)
    return found[early:]


def truths(rho: float) -> tuple[float, ...]:
    """The mean, and the quantiles at SHARES, by Erlang's C."""
    waits = 2.0 * rho * rho / (1.0 + rho)  # the chance to wait in M/M/2
    rest = SERVERS * EACH * (1.0 - rho)

    def beyond(at: float) -> float:
        if math.isclose(rest, EACH):
            return (1.0 + waits * EACH * at) * math.exp(-EACH * at)
        tail = (rest * math.exp(-EACH * at) - EACH * math.exp(-rest * at)) / (rest - EACH)
        return (1.0 - waits) * math.exp(-EACH * at) + waits * tail

    def quantile(share: float) -> float:
        low, high = 0.0, 100.0
        while low < (middle := (low + high) / 2.0) < high:
            low, high = (middle, high) if beyond(middle) > 1.0 - share else (low, middle)
        return low

    return 1.0 / EACH + waits / rest, *(quantile(share) for share in SHARES)


def intervals(rho: float, count: int, early: int) -> Iterator[list[Interval]]:
    draw = random.Random(f"{rho} {count}")
    for _ in range(RUNS):
        values = queue(draw, rho, count, early)
        yield [mean_within(values), *quantiles_within(values, SHARES)]


@pytest.mark.parametrize(
    ("rho", "count", "given"),
    [  # how often mean, median and p99 are said at all
        (0.5, 1100, (1.0, 0.95, 0.2)),
        (0.5, 6000, (1.0, 0.99, 0.6)),
        (0.9, 1800, (1.0, 0.4, 0.0)),
        (0.9, 6000, (1.0, 0.7, 0.0)),
    ],
)
def test_a_single_run_holds_the_truth_in_nine_of_ten_or_says_nothing(
    rho: float, count: int, given: tuple[float, ...]
) -> None:
    columns = list(zip(*intervals(rho, count, round(20.0 * rho * SERVERS * EACH)), strict=True))
    for found, truth, least in zip(columns, truths(rho), given, strict=True):
        said = [one for one in found if one.low is not None and one.high is not None]
        held = sum(one.low <= truth <= one.high for one in said)
        assert len(said) >= least * RUNS
        assert held >= 0.9 * len(said) or len(said) - held <= 0.05 * RUNS
        assert {one.note for one in found if one not in said} <= {ONE_RUN, TOO_FEW}


def test_shares_that_come_in_clusters_are_worth_less() -> None:
    """Every third hit; then the same number of hits, fifty at a time."""
    apart = [index % 3 == 0 for index in range(3000)]
    together = [index // 50 % 3 == 0 for index in range(3000)]
    alone, clustered = share_within(apart), share_within(together)
    assert alone.value == pytest.approx(clustered.value, abs=0.01)
    assert clustered.half is not None
    assert alone.half is not None
    assert clustered.half > 2 * alone.half
    assert share_within([False] * 3000).high == pytest.approx(0.00128, abs=1e-4)


def test_what_is_too_short_says_so() -> None:
    assert mean_within([1.0] * 69).note == ONE_RUN
    assert mean_within([1.0] * 70).half == 0.0
    assert math.isnan(mean_within([]).value)
    assert [one.note for one in quantiles_within([1.0] * 999, (0.5, 0.99))] == ["", TOO_FEW]
    assert quantiles_within([], (0.5,))[0].note == TOO_FEW
    assert share_within([True] * 69).note == ONE_RUN
    assert share_within([]).low is None


@given(POSITIVE, st.sampled_from([0.5, 0.9]))
def test_the_value_lies_in_its_interval(values: list[float], share: float) -> None:
    for found in (mean_within(values), *quantiles_within(values, [share])):
        if found.low is not None and found.high is not None:
            assert found.low <= found.value * (1 + 1e-12)
            assert found.value <= found.high * (1 + 1e-12)


def test_a_queue_that_is_empty_at_times_has_a_mean_too() -> None:
    found = mean_within([0.0, 2.0] * 100)
    assert (found.value, found.note) == (1.0, "")
    assert found.low is not None
    assert found.low <= 1.0
