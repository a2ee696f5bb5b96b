"""Each step of a gateway's history is one point, told once."""

from attacca.gateway.charts import Charts
from attacca.gateway.core.history import History
from attacca.model.history import Step


def test_each_step_is_told_once_and_at_its_own_end() -> None:
    history = History()
    charts = Charts(history, "g1")
    assert charts.points(0.0) == []
    history.steps.append(Step(at=10.0, warm=3, cold=1, failed=1, waiting=2, took=((0, 4),)))
    history.count += 1
    (point,) = charts.points(11.0)
    assert (point.measurement, point.at) == ("gateway", 10.0)
    assert point.tags == (("name", "g1"), ("node_type", "gateway"))
    fields = dict(point.fields)
    assert (fields["warm"], fields["cold"], fields["failed"], fields["waiting"], fields["p50_ms"]) == (3, 1, 1, 2, 0.05)
    assert charts.points(12.0) == []
    history.steps.extend([Step(at=20.0), Step(at=30.0)])
    history.count += 2
    assert [(one.at, "p50_ms" in dict(one.fields)) for one in charts.points(31.0)] == [(20.0, False), (30.0, False)]
    assert repr(charts) == "<Charts of g1, 3 steps told>"


def test_a_clock_that_is_set_back_hides_no_step() -> None:
    history = History()
    charts = Charts(history, "g1")
    for wall in (7200.0, 3610.0, 3620.0):
        history.step(wall, {})
        assert [point.at for point in charts.points(wall)] == [wall]


def test_after_a_pause_the_latest_are_told() -> None:
    history = History()
    charts = Charts(history, "g1")
    for number in range(500):
        history.step(10.0 * number, {})
    assert [point.at for point in charts.points(0.0)] == [10.0 * number for number in range(440, 500)]
    assert charts.points(0.0) == []
