import pytest

from attacca.gateway.core.inflight import Function
from tests.gateway.play import revision


def rate_after(*arrivals: float) -> float:
    function = Function(revision("f"), calls_kept=1)
    for at in arrivals:
        function.arrive(at)
    return function.rate


def test_the_rate_is_one_over_the_moving_average_of_gaps() -> None:
    assert rate_after(1.0, 1.5) == 2.0
    assert rate_after(0.0, 1.0, 3.0) == pytest.approx(1 / (1.0 + 0.1 * (2.0 - 1.0)))


def test_one_arrival_tells_nothing_and_two_at_once_are_not_infinitely_frequent() -> None:
    assert rate_after() == rate_after(5.0) == 0.0
    assert rate_after(5.0, 5.0) == 1e6
