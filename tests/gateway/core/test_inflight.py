import pytest

from attacca.gateway.core.inflight import RETRY_AFTER_MOST_S, STATUS, Function
from tests.cases import each
from tests.gateway.play import revision


def rate_after(*arrivals: float) -> float:
    function = Function(revision("f"), calls_kept=1)
    for at in arrivals:
        function.arrive(at)
    return function.asked().rate


def test_the_rate_is_one_over_the_moving_average_of_gaps() -> None:
    assert rate_after(1.0, 1.5) == 2.0
    assert rate_after(0.0, 1.0, 3.0) == pytest.approx(1 / (1.0 + 0.1 * (2.0 - 1.0)))


def test_one_arrival_tells_nothing_and_two_at_once_are_not_infinitely_frequent() -> None:
    assert rate_after() == rate_after(5.0) == 0.0
    assert rate_after(5.0, 5.0) == 1e6


@each(
    "exec_s, waiting, running, retry_after_s",
    [
        (0.0, 10, 0, 1),
        (0.5, 10, 2, 3),
        (60.0, 1000, 1, RETRY_AFTER_MOST_S),
        (1e300, 1_000_000, 0, RETRY_AFTER_MOST_S),
        (float("inf"), 1, 1, RETRY_AFTER_MOST_S),
        (float("nan"), 1, 1, RETRY_AFTER_MOST_S),
    ],
)
def test_when_to_come_back_is_a_number_whatever_executions_took(
    exec_s: float, waiting: int, running: int, retry_after_s: int
) -> None:
    function = Function(revision("f"), calls_kept=1)
    function.statistics.exec_s, function.waiting, function.running = exec_s, waiting, running
    assert function.queue_full().retry_after_s == retry_after_s
    assert repr(function) == f"<Function f: {waiting} wait, {running} running, 0 so far>"


def test_an_overload_is_worth_coming_back_after() -> None:
    assert STATUS["overloaded"] == STATUS["draining"] == 503
