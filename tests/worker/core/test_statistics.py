import pytest

from attacca.model.invocation import Start
from attacca.worker.core.statistics import Statistics


def test_each_kind_of_start_is_measured_apart() -> None:
    known = Statistics()
    for start, whole_s in zip(Start, (0.4, 0.3, 0.2, 0.1), strict=True):
        known.ran(start, 0.05, whole_s)
    measured = (known.cold_s, known.template_s, known.prewarmed_s, known.warm_s)
    assert [measure.ewma for measure in measured] == [0.4, 0.3, 0.2, 0.1]
    assert known.exec_s.count == 4


def test_gaps_lie_between_arrivals() -> None:
    known = Statistics()
    for at in (1.0, 3.0, 5.0):
        known.arrived(at)
    assert (known.invocations, known.gap_s.count, known.gap_s.mean) == (3, 2, 2.0)


def test_a_view_is_in_milliseconds_but_for_the_gaps() -> None:
    known = Statistics()
    known.arrived(0.0)
    known.arrived(2.0)
    known.ran(Start.COLD, 0.1, 0.5)
    view = known.view("echo", queued=1, running=2, idle=3, templates=1)
    assert view.gap_s.mean == 2.0
    assert view.exec_ms.p50 == pytest.approx(100, rel=0.05)
    assert (view.cold_ms.max, view.warm_ms.count) == (500, 0)
    known.ran(Start.WARM, 0.1, 0.2)
    assert known.view("echo", queued=1, running=2, idle=3, templates=1).warm_ms.max == 200
    assert (view.cold, view.warm, view.queued, view.running, view.idle, view.templates) == (1, 0, 1, 2, 3, 1)


def test_nothing_measured_is_all_zeroes() -> None:
    assert Statistics().view("echo", queued=0, running=0, idle=0, templates=0).exec_ms.p99 == 0


def test_what_is_as_before_is_not_reckoned_again() -> None:
    known = Statistics()
    known.arrived(0.0)
    known.ran(Start.WARM, 0.1, 0.2)
    first = known.view("echo", queued=0, running=0, idle=1, templates=0)
    second = known.view("echo", queued=1, running=0, idle=1, templates=0)
    assert (second.queued, second.exec_ms is first.exec_ms, second.gap_s is first.gap_s) == (1, True, True)
    known.ran(Start.WARM, 0.3, 0.4)
    third = known.view("echo", queued=0, running=0, idle=1, templates=0)
    assert (third.exec_ms.count, third.exec_ms.max, third.cold_ms is first.cold_ms) == (2, 300.0, True)
