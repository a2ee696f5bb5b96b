from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.traces.sketch import GROWTH, Sketch
from attacca.load.traces.summary import gathered, sparkline, summarise
from tests.load.traces.made import events


def test_a_small_trace_in_figures() -> None:
    found = summarise(events([("a", "f", 1.0, 1000.0)] * 3 + [("b", "g", 61.0, 10.0)]), top=1)
    assert (found.functions, found.applications, found.silent, found.invocations) == (2, 2, 0, 4)
    assert (found.minute_least, found.minute_most) == (1, 3)
    assert found.rate_mean == pytest.approx(4 / 120)
    assert found.concurrency == pytest.approx(3.01 / 120)
    assert found.skew == {"50 %": 0.75}
    assert found.rhythm == [3, 1]
    assert [(one.function, one.share, one.rhythm) for one in found.top] == [("f", 0.75, [3, 0])]


def test_a_trace_without_an_invocation() -> None:
    found = summarise(events([("a", "f", 1.0, 1.0)]).window(1, 1))
    assert (found.invocations, found.silent, found.invocation_duration_ms) == (0, 1, {})


def test_sparklines_are_blank_only_where_nothing_is() -> None:
    assert sparkline([0, 1, 500, 1000]) == " ▁▄█"
    assert sparkline([]) == ""


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_gathering_loses_nothing(counts: list[int], parts: int) -> None:
    found = gathered(np.array(counts), parts)
    assert sum(found) == sum(counts)
    assert len(found) == min(parts, len(counts))


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40), st.floats(0, 1))
def test_a_sketch_is_within_its_promise(values: list[float], level: float) -> None:
    sketch = Sketch(2)
    sketch.add(np.ones(len(values), np.int64), np.array(values))
    exact = np.quantile(values, level, method="inverted_cdf")
    assert sketch.quantile(level)[1] == pytest.approx(exact, rel=GROWTH - 1)
    assert sketch.means()[1] == pytest.approx(np.mean(values))
    assert np.isnan(sketch.quantile(level)[0])


def test_a_figure(tmp_path: Path) -> None:
    from attacca.load.report.trace_figures import draw

    for form in ("svg", "png"):
        draw(events([("a", "f", 1.0, 1000.0), ("b", "g", 61.0, 10.0)]), tmp_path / f"x.{form}", "title")
        assert (tmp_path / f"x.{form}").stat().st_size > 1000


def test_a_trace_of_events_is_summed_up_in_plain_numbers(tmp_path: Path) -> None:
    """`attacca trace info --json` writes them."""
    from attacca.load.traces import open_trace
    from attacca.load.workload.scenario import TraceUse

    (tmp_path / "trace.csv").write_text("func_name,invoke_time_ms\ng,70005\ng,10\n")
    (tmp_path / "metadata.csv").write_text("func_name,cold_dur_ms,warm_dur_ms,mem_mb\ng,100,10,128\n")
    found = summarise(open_trace(TraceUse(path=str(tmp_path)), seed=1))
    assert {type(found.length_s), type(found.rate_mean), type(found.concurrency)} == {float}
