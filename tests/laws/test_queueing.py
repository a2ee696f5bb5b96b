"""The whole platform, with nothing but its queues in it, gives what queueing theory says."""

from math import factorial

import pytest

from attacca.load.scenario import Distribution, Hardware
from tests.sim.play import INSTANT, exponential, function, play_quick, scenario

SERVICE_MS = 100.0
SERVICE_S = SERVICE_MS / 1e3


def erlang_c(servers: int, offered: float) -> float:
    """The share of those who have to wait in M/M/c."""
    last = offered**servers / factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**k / factorial(k) for k in range(servers)) + last)


@pytest.mark.parametrize(("servers", "rho"), [(1, 0.6), (4, 0.7), (20, 0.85)])
def test_mmc_waits_as_erlang_says(servers: int, rho: float) -> None:
    rate = rho * servers / SERVICE_S
    one = scenario(function(rate=rate, duration=exponential(SERVICE_MS)), length_s=25_000 / rate, limit=servers)
    expected = erlang_c(servers, rho * servers) * SERVICE_S / (servers * (1 - rho)) + SERVICE_S
    assert play_quick(one).totals.mean_ms / 1e3 == pytest.approx(expected, rel=0.05)


def test_md1_waits_half_as_long_as_mm1() -> None:
    rho = 0.7
    rate = rho / SERVICE_S
    one = scenario(function(rate=rate, duration=Distribution(mean_ms=SERVICE_MS)), length_s=20_000 / rate, limit=1)
    waited_s = play_quick(one).totals.mean_ms / 1e3 - SERVICE_S
    assert waited_s == pytest.approx(rho * SERVICE_S / (2 * (1 - rho)), rel=0.06)


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
    hardware = Hardware(
        sandbox=INSTANT.sandbox,
        template=INSTANT.template,
        code=INSTANT.code,
        imports=INSTANT.imports,
        overhead=INSTANT.overhead,
        cpu="sharing",
    )
    one = scenario(
        function(rate=rate, duration=duration), length_s=20_000 / rate, limit=10_000, cores=1, hardware=hardware
    )
    assert play_quick(one).totals.mean_ms == pytest.approx(SERVICE_MS / (1 - rho), rel=0.06)
