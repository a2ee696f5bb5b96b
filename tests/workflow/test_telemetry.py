from attacca.model.events import InstanceView, Samples
from attacca.model.samples import Measure, Sample
from attacca.model.workflow import Component, InstanceRow, WorkflowSpec, WorkflowView
from attacca.workflow.telemetry import RECENT_MOST, Telemetry

VIEW = InstanceView("w1.a.1", "w1", "a", is_up=True, waiting=3, handled=2, handled_s=0.5)


def test_the_newest_of_each_is_kept_until_it_is_gone_and_all_is_passed_on() -> None:
    telemetry = Telemetry()
    heard: list[Samples] = []
    telemetry.sinks.append(heard.append)
    samples = tuple(Sample("w1.a.1", Measure.CAST, float(at), 0.1) for at in range(RECENT_MOST + 5))
    unknown = Sample("w9.a.1", Measure.CAST, 1.0, 0.1)
    message = Samples("n1", (VIEW,), (*samples, unknown), lost=2)
    telemetry.hear(message)
    assert heard == [message]
    assert telemetry.recent["w1.a.1"][0].at == 5.0
    assert repr(telemetry) == f"<Telemetry of 1 instances, {RECENT_MOST} samples, 2 lost>"
    telemetry.lose("n2")
    assert telemetry.views == {"w1.a.1": VIEW}
    telemetry.lose("n1")
    assert repr(telemetry) == "<Telemetry of 0 instances, 0 samples, 2 lost>"


def test_a_workflow_is_shown_with_what_is_known_of_its_instances() -> None:
    telemetry = Telemetry()
    telemetry.hear(Samples("n1", (VIEW,)))
    rows = (InstanceRow("a", "w1.a.1", "n1", "up", 1), InstanceRow("b", "w1.b.1", "n1", "starting", 1))
    spec = WorkflowSpec(name="w", components=(Component(name="a", resource="x"), Component(name="b", resource="x")))
    shown = telemetry.shown(WorkflowView("w1", "w", 0.0, rows, spec))
    assert [row.seen for row in shown.instances] == [VIEW, None]
