from pathlib import Path

from attacca.model.looks import AskLoads, LoadsTold
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from attacca.worker.host.load import Meter
from attacca.worker.measuring import Measuring

VIEW = WorkerView(name="w", capacity=Resources(1), used=Resources(0), queued=0, running=0, limit=1)


def test_what_is_measured_is_shown_and_told(tmp_path: Path) -> None:
    measuring = Measuring(Meter(tmp_path, tmp_path, tmp_path))
    assert measuring.shown(VIEW).load is None
    measuring.look(1.0)
    assert measuring.shown(VIEW).load == measuring.load
    (seen,) = measuring.told(AskLoads("1"), 3.0).loads
    assert (seen.ago_s, seen.load) == (2.0, measuring.load)
    assert repr(measuring) == f"<Measuring by <Meter of {tmp_path}, 1 looks> and None>"


def test_where_nothing_is_measured_nothing_is_told() -> None:
    measuring = Measuring()
    measuring.look(1.0)
    assert measuring.shown(VIEW) == VIEW
    assert measuring.told(AskLoads("1"), 3.0) == LoadsTold("1", ())
