from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.traces.readers.azure2019 import read
from attacca.load.traces.reading import Reading
from attacca.load.traces.transforms.scaled import Scale, Scaled, evenly, whole_minutes
from tests.load.traces.made import azure, events, rows, total

EVENTS = st.lists(
    st.tuples(st.just("a"), st.sampled_from("fgh"), st.integers(0, 299).map(float), st.integers(1, 99).map(float)),
    min_size=1, max_size=40,
)  # fmt: skip


@given(EVENTS, st.floats(0.1, 0.9), st.floats(0.0, 0.9), st.integers(0, 3))
def test_what_stays_at_a_low_rate_stays_at_a_higher(
    made: list[tuple[str, str, float, float]], low: float, more: float, seed: int
) -> None:
    trace = events(made, 300.0)
    few = rows(Scaled(trace, Scale(rate=low), seed))
    many = rows(Scaled(trace, Scale(rate=min(low + more, 1.0)), seed))
    assert set(few) <= set(many) <= set(rows(trace))


@given(EVENTS, st.integers(1, 30).map(lambda tenths: 1 + tenths / 10), st.integers(0, 3))
def test_a_higher_rate_keeps_what_there_was_and_adds_in_its_minute(
    made: list[tuple[str, str, float, float]], rate: float, seed: int
) -> None:
    trace = events(made, 300.0)
    scaled = Scaled(trace, Scale(rate=rate), seed)
    found = rows(scaled)
    assert set(rows(trace)) <= set(found)
    assert [at for at, _, _ in found] == sorted(at for at, _, _ in found)
    assert int(rate) * len(made) <= len(found) <= (int(rate) + 1) * len(made)
    minutes = {(at // 60, function) for at, function, _ in found}
    assert minutes == {(at // 60, function) for at, function, _ in rows(trace)}
    assert scaled.functions["invocations"].sum() == len(found)


def test_rates_come_out_as_asked(tmp_path: Path) -> None:
    trace = read(azure(tmp_path, {("a", "f"): [1000] * 10}), Reading())
    for rate in (0.1, 0.5, 1.3, 2.5):
        assert total(Scaled(trace, Scale(rate=rate), 1)) == pytest.approx(10_000 * rate, abs=150)


def test_time_durations_and_caps() -> None:
    trace = events([("a", "f", 10.0, 100.0), ("a", "g", 70.0, 4.0)])
    scaled = Scaled(trace, Scale(time=0.5, duration=2.0, duration_most_ms=150.0, memory_least_mb=256), 1)
    assert scaled.length_s == 60
    assert rows(scaled) == [(5.0, 0, 150.0), (35.0, 1, 8.0)]
    assert scaled.functions.select("duration_ms", "memory_mb").rows() == [(150.0, 256), (8.0, 256)]


@given(EVENTS, st.integers(1, 7))
def test_cut_at_minutes_nothing_is_lost(made: list[tuple[str, str, float, float]], size: int) -> None:
    every = next(events(made, 300.0).invocations())
    found = list(whole_minutes(iter(every.iter_slices(size))))
    assert [row for chunk in found for row in chunk.rows()] == every.rows()
    minutes = [set((chunk["arrival_s"] // 60).to_list()) for chunk in found]
    assert all(not one & other for one, other in pairwise(minutes))
    even = list(evenly(iter(every.iter_slices(size)), 10))
    assert [row for chunk in even for row in chunk.rows()] == every.rows()
