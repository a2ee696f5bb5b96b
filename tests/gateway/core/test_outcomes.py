import pytest

from attacca.gateway.core.inflight import Function
from attacca.gateway.core.outcomes import RETRY_AFTER_MOST_S, STATUS, queue_full
from tests.gateway.play import revision


@pytest.mark.parametrize(
    ("exec_s", "waiting", "running", "retry_after_s"),
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
    assert queue_full(function).retry_after_s == retry_after_s


def test_an_overload_is_worth_coming_back_after() -> None:
    assert STATUS["overloaded"] == STATUS["draining"] == 503
