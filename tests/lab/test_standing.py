import pytest

from attacca.lab.standing import Standing


def test_totals_are_of_the_run_without_its_warm_up() -> None:
    standing = Standing()
    standing.add(0.5, 0.5, 9.0, "", "cold", is_warmup=True)
    for number in range(8):
        standing.add(0.0, 0.0, 0.010, "", "template" if number == 0 else "warm", is_warmup=False)
    standing.add(0.0, 0.0, 0.0, "queue_full", "", is_warmup=False)
    totals = standing.totals(2.0)
    assert (totals["invocations"], totals["ok"], totals["failed"]) == (9, 8, 1)
    assert totals["cold_share"] == pytest.approx(1 / 8)
    assert totals["rate"] == pytest.approx(4.5)
    assert totals["p50_ms"] == pytest.approx(10.0, rel=0.02)
    assert (totals["error_queue_full"], totals["start_warm"], totals["late_share"]) == (1, 7, 0)


def test_the_rate_shown_is_the_latest() -> None:
    standing = Standing()
    for _ in range(10):
        standing.add(0.0, 0.0, 0.010, "", "warm", is_warmup=False)
    assert standing.shown(1.0, 9.0).rate == pytest.approx(10.0)
    standing.add(0.0, 0.0, 0.010, "", "warm", is_warmup=False)
    shown = standing.shown(3.0, 9.0)
    assert shown.rate == pytest.approx(0.5)
    assert (shown.answered, shown.failed, shown.warning) == (11, 0, "")


def test_a_late_generator_is_called_that() -> None:
    standing = Standing()
    for number in range(200):
        late_s = 0.5 if number < 30 else 0.0
        standing.add(late_s, late_s, 0.5, "", "warm", is_warmup=False)
    assert "by the generator" in str(standing.totals(1.0)["warning"])
    assert "15%" in standing.shown(1.0, 1.0).warning


def test_what_it_waits_for_is_shown() -> None:
    assert Standing().shown(1.0, 9.0, "warm-up").phase == "warm-up"
    assert Standing().shown(1.0, 9.0).phase == ""
