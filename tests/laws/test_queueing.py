"""The whole platform, with nothing but its queues in it, gives what queueing theory says."""

from heapq import heappop, heappush
from math import factorial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.load.workload.scenario import Distribution
from attacca.load.workload.schedule import Schedule
from tests.sim.play import INSTANT, exponential, function, play, play_quick, scenario

SERVICE_MS = 100.0
SERVICE_S = SERVICE_MS / 1e3


def erlang_c(servers: int, offered: float) -> float:
    """The share of those who have to wait in M/M/c."""
    last = offered**servers / factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**k / factorial(k) for k in range(servers)) + last)


@pytest.mark.parametrize(("servers", "rho"), [(1, 0.5), (4, 0.7), (20, 0.85)])
def test_mmc_waits_as_erlang_says(servers: int, rho: float) -> None:
    """Within what so few say of a mean; the next test is exact."""
    rate = rho * servers / SERVICE_S
    duration = exponential(SERVICE_MS)
    one = scenario(function(rate=rate, duration=duration), length_s=8000 / rate, limit=servers, seed=3)
    expected = erlang_c(servers, rho * servers) * SERVICE_S / (servers * (1 - rho)) + SERVICE_S
    assert play_quick(one).totals.mean_ms / 1e3 == pytest.approx(expected, rel=0.06)


@given(servers=st.integers(1, 5), rho=st.floats(0.3, 1.5), seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_each_waits_exactly_for_the_first_free_server(servers: int, rho: float, seed: int) -> None:
    rate = rho * servers / SERVICE_S
    duration = exponential(SERVICE_MS)
    one = scenario(function(rate=rate, duration=duration), length_s=100 / rate, limit=servers, seed=seed)
    free_at, spent_s, schedule = [0.0] * servers, 0.0, list(Schedule(one))
    for due in schedule:
        gone = max(heappop(free_at), due.due_s) + due.duration_ms / 1e3
        heappush(free_at, gone)
        spent_s += gone - due.due_s
    expected = spent_s / len(schedule) * 1e3 if schedule else 0.0
    assert play(one).totals.mean_ms == pytest.approx(expected, rel=1e-9)


def test_md1_waits_half_as_long_as_mm1() -> None:
    rho = 0.7
    rate = rho / SERVICE_S
    one = scenario(function(rate=rate, duration=Distribution(mean_ms=SERVICE_MS)), length_s=8000 / rate, limit=1)
    waited_s = play_quick(one).totals.mean_ms / 1e3 - SERVICE_S
    assert waited_s == pytest.approx(rho * SERVICE_S / (2 * (1 - rho)), rel=0.08)


@pytest.mark.parametrize(
    "duration",
    [
        Distribution(mean_ms=SERVICE_MS),
        exponential(SERVICE_MS),
        Distribution(kind="empirical", values_ms=(20.0, 20.0, 20.0, 20.0, 420.0)),
    ],
)
def test_processor_sharing_minds_only_the_mean(duration: Distribution) -> None:
    """M/G/1-PS: the mean response is E[S] / (1 - rho), whatever the distribution."""
    rho = 0.6
    rate = rho / SERVICE_S
    hardware = msgspec.structs.replace(INSTANT, cpu="sharing")
    functions = function(rate=rate, duration=duration)
    one = scenario(functions, length_s=6000 / rate, limit=10_000, cores=1, hardware=hardware)
    assert play_quick(one).totals.mean_ms == pytest.approx(SERVICE_MS / (1 - rho), rel=0.08)
