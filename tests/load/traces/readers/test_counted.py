"""Invocations belong to their function and minute, whatever else is read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.traces import types
from attacca.load.traces.readers.azure2019 import read
from attacca.load.traces.readers.counts import Counts
from attacca.load.traces.reading import Reading
from tests.load.traces.made import azure, rows, total


def of(folder: Path, seed: int = 1) -> list[tuple[float, str, float]]:
    trace = read(folder, Reading(seed=seed))
    names = trace.functions["function"].to_list()
    return [(at, names[function], ms) for at, function, ms in rows(trace)]


def test_leaving_functions_out_changes_nothing_for_the_others(tmp_path: Path) -> None:
    counts = {("a", "f"): [3, 0, 2], ("a", "g"): [1, 4, 0], ("b", "h"): [0, 0, 7]}
    every = of(azure(tmp_path / "all", counts))
    some = of(azure(tmp_path / "some", {("b", "h"): [0, 0, 7], ("a", "f"): [3, 0, 2]}))
    assert some == [row for row in every if row[1] != "g"]
    assert of(tmp_path / "all") == every
    assert of(tmp_path / "all", seed=2) != every


def test_chunks_are_whole_minutes_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = azure(tmp_path, {("a", "f"): [30] * 8, ("a", "g"): [1, 0, 0, 0, 200, 0, 0, 1]})
    every = rows(read(folder, Reading()))
    monkeypatch.setattr("attacca.load.traces.readers.counted.CHUNK", 64)
    trace = read(folder, Reading())
    sizes = [chunk.height for chunk in trace.invocations()]
    assert sizes == [61, 60, 230, 60, 31]
    assert rows(trace) == every
    assert [at for at, _, _ in every] == sorted(at for at, _, _ in every)
    assert types.CHUNK > 64


CELLS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 5)), max_size=20, unique_by=lambda c: c[:2]
)


@given(CELLS, st.sampled_from([0, 1_000]), st.integers(0, 10), st.integers(0, 10), st.integers(1, 20))
def test_counts_on_disk_are_those_in_memory(
    cells: list[tuple[int, int, int]], in_memory: int, first: int, last: int, most: int
) -> None:
    counts = Counts(in_memory)
    for part in ([cell for cell in cells if cell[0] < 5], [cell for cell in cells if cell[0] >= 5]):
        if part:
            counts.add(*(np.array(column) for column in zip(*part, strict=True)))
        counts.seal()
    wanted = sorted((bin_, function, many) for bin_, function, many in cells if many and first <= bin_ < last)
    found = list(counts.chunks(first, last, most))
    assert [tuple(map(int, cell)) for chunk in found for cell in zip(*chunk, strict=True)] == wanted
    totals = counts.totals(first, last, 4)
    assert totals.tolist() == [sum(many for _, one, many in wanted if one == function) for function in range(4)]
    for chunk in found:
        assert chunk[2].sum() <= most or len(set(chunk[0].tolist())) == 1


def test_equal_gaps_and_exponential_gaps_can_be_asked_for(tmp_path: Path) -> None:
    folder = azure(tmp_path, {("a", "f"): [4]})
    equal = read(folder, Reading(spread="equidistant"))
    assert np.diff([at for at, _, _ in rows(equal)]) == pytest.approx(15)
    assert total(read(folder, Reading(spread="exponential"))) == 4
