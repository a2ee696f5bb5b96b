from pathlib import Path

import pytest

from attacca.errors import BadTrace
from attacca.load.traces.readers.azure2019 import is_azure2019, read
from attacca.load.traces.reading import Bad, Reading
from tests.load.traces.made import PERCENTILES, azure, rows, total, write_lines


def test_three_files(tmp_path: Path) -> None:
    azure(tmp_path, {("a", "f"): [0, 2, 1], ("b", "g"): [3, 0, 0]}, first=480)
    trace = read(tmp_path, Reading())
    assert is_azure2019(tmp_path)
    assert trace.length_s == 180
    assert trace.functions.select("function", "app", "trigger", "memory_mb", "duration_ms", "invocations").rows() == [
        ("f", "a", "timer", 65, 14.0, 3),
        ("g", "b", "timer", 65, 14.0, 3),
    ]
    assert [(int(at // 60), function) for at, function, _ in rows(trace)] == [(0, 1)] * 3 + [(1, 0)] * 2 + [(2, 0)]


def test_a_function_is_one_within_its_app_only(tmp_path: Path) -> None:
    azure(tmp_path, {("a", "f"): [1], ("b", "f"): [1], ("b", "g"): [1]})
    assert read(tmp_path, Reading()).functions["function"].to_list() == ["f@a", "f@b", "g"]


def test_what_lacks_a_duration_or_a_memory_is_left_out_and_said(tmp_path: Path) -> None:
    azure(tmp_path, {("a", "f"): [1], ("a", "g"): [2], ("a", "h"): [4]})
    for name, lost in (("durations.csv", ",f,"), ("memory.csv", "g,")):
        lines = (tmp_path / name).read_text().splitlines()
        is_lost = str.startswith if name == "memory.csv" else str.__contains__
        write_lines(tmp_path / name, [line for line in lines if not is_lost(line, lost)])
    trace = read(tmp_path, Reading())
    assert trace.functions["function"].to_list() == ["h"]
    assert total(trace) == 4
    assert trace.notes == ("2 functions without a duration or a memory are left out",)


def test_days_of_azure_and_memory_per_app(tmp_path: Path) -> None:
    """Two days; each has its durations, which are weighed by how often they were seen; memory is divided evenly."""
    levels = ",".join(f"percentile_Average_{level}" for level in PERCENTILES)
    minutes = ",".join(str(minute) for minute in range(1, 1441))
    for day, many, average, seen in ((1, 1, 10, 1), (2, 2, 40, 2)):
        counts = ",".join(["0"] * 1439 + [str(many)])
        write_lines(
            tmp_path / f"invocations_per_function_md.anon.d{day:02d}.csv",
            [f"HashOwner,HashApp,HashFunction,Trigger,{minutes}", f"o,a,f,http,{counts}", f"o,a,g,queue,{counts}"],
        )
        values = ",".join([str(average)] * 7)
        write_lines(
            tmp_path / f"function_durations_percentiles.anon.d{day:02d}.csv",
            [f"HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,{levels}"]
            + [f"o,a,{name},{average},{seen},,,{values}" for name in "fg"],
        )
    write_lines(
        tmp_path / "app_memory_percentiles.anon.d01.csv",
        ["HashOwner,HashApp,SampleCount,AverageAllocatedMb", "o,a,1,101"],
    )
    trace = read(tmp_path, Reading())
    assert trace.functions.select("memory_mb", "duration_ms", "invocations").rows() == [(51, 30.0, 3)] * 2
    assert trace.length_s == 2 * 86_400
    assert [int(at // 60) for at, _, _ in rows(trace)] == [1439] * 2 + [2879] * 4
    second = read(tmp_path / "invocations_per_function_md.anon.d02.csv", Reading())
    assert total(second) == 4


@pytest.mark.parametrize("name", ["invocations.csv", "durations.csv", "memory.csv"])
def test_a_malformed_row_is_named_counted_and_refused(tmp_path: Path, name: str) -> None:
    azure(tmp_path, {("a", "f"): [1], ("b", "g"): [2]})
    path = tmp_path / name
    write_lines(path, [*path.read_text().splitlines(), "x,y"])
    with pytest.raises(BadTrace, match=rf"{name}:4: 2 fields") as refused:
        read(tmp_path, Reading())
    assert "--skip-bad" in refused.value.hint
    bad = Bad(skip=True)
    assert total(read(tmp_path, Reading(bad=bad))) == 3
    assert bad.count == 1


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    azure(tmp_path, {("a", "f"): [1]})
    (tmp_path / "memory.csv").unlink()
    with pytest.raises(BadTrace, match="the files of memory are missing"):
        read(tmp_path, Reading())
    azure(tmp_path, {("a", "f"): [1]})
    write_lines(tmp_path / "durations.csv", ["HashApp,HashFunction,Average", "a,f,3"])
    with pytest.raises(BadTrace, match=r"durations\.csv:1: there is no column Count"):
        read(tmp_path, Reading())
