from attacca.gateway.core.inflight import Function
from attacca.gateway.points import _of
from attacca.io.otlp.encoding import Buckets, Sum
from tests.worker.stage import revision


def test_what_a_function_has_counted_is_told_in_names_for_functions() -> None:
    function = Function(revision("echo"), 1)
    assert list(_of(function)) == [], "of what was never called there is nothing to tell"
    statistics = function.statistics
    statistics.ended["cold"] += 2
    statistics.failed("timeout")
    statistics.timed_out("total")
    statistics.duration.add(0.02)
    function.running = 3
    found = {point.name: point for point in _of(function)}
    assert set(found) == {
        "faas.invocations", "faas.coldstarts", "faas.errors", "faas.timeouts", "faas.invoke_duration",
        "attacca.in_flight",
    }  # fmt: skip
    cold, duration = found["faas.coldstarts"], found["faas.invoke_duration"]
    assert isinstance(cold, Sum)
    assert (cold.value, cold.attributes) == (2, (("faas.name", "echo"),))
    assert isinstance(duration, Buckets)
    assert (sum(duration.counts), duration.sum, len(duration.counts)) == (1, 0.02, len(duration.bounds) + 1)
