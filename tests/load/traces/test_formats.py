"""Every format written and read back; what is malformed; what is not there."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from attacca.errors import BadConfig, BadTrace, Conflict
from attacca.load.traces import open_trace
from attacca.load.traces.formats import FORMATS, detect, read
from attacca.load.traces.reading import Bad, Reading
from attacca.load.traces.writing import WRITERS, write
from attacca.load.workload.scenario import TraceUse
from tests.load.traces.made import azure, events, rows, total, write_lines, written

ROWS = [("a", "f", 1.5, 10.0), ("a", "g", 61.25, 2000.0), ("b", "h", 61.5, 30.0), ("a", "f", 100.0, 20.0)]
WHERE = {"azure2021": "trace.csv"}
EXACT = ("attacca", "azure2021", "huawei2025", "ibm2026")


@pytest.mark.parametrize("name", WRITERS)
def test_there_and_back(tmp_path: Path, name: str) -> None:
    before = events(ROWS)
    path = written(before, tmp_path / WHERE.get(name, "trace"), name)
    assert detect(path) == name
    after = read(path, "auto", Reading())
    assert after.length_s == 120
    assert sorted(after.functions["invocations"].to_list()) == [1, 1, 2]
    assert [int(at // 60) for at, _, _ in rows(after)] == [0, 1, 1, 1]
    if name in EXACT:
        found = [(round(at, 6), round(duration, 6)) for at, _, duration in rows(after)]
        assert found == [(at, duration) for _, _, at, duration in ROWS]
    if name != "azure2021":
        assert after.functions["memory_mb"].to_list() == [100, 100, 100]
    if name not in ("huawei2023", "azure2021", "ibm2026"):
        assert set(after.functions["trigger"]) == {"http"}
    means = sorted(after.functions["duration_ms"].to_list())
    assert means == pytest.approx([15, 30, 2000], rel=0.001)


@pytest.mark.parametrize("name", WRITERS)
def test_walked_twice_it_is_the_same_and_a_part_is_a_part(tmp_path: Path, name: str) -> None:
    path = written(events(ROWS), tmp_path / WHERE.get(name, "trace"), name)
    trace = read(path, name, Reading(seed=3))
    every = rows(trace)
    assert rows(trace) == every
    assert rows(read(path, name, Reading(seed=3))) == every
    second = trace.window(1, 1)
    assert second.length_s == 60
    assert [(function, ms) for _, function, ms in rows(second)] == [(function, ms) for _, function, ms in every[1:]]
    assert [at + 60 for at, _, _ in rows(second)] == pytest.approx([at for at, _, _ in every[1:]])
    assert second.functions["invocations"].sum() == 3
    whose = every[2][1]
    alone = trace.only([whose])
    assert rows(alone) == [(at, 0, ms) for at, function, ms in every if function == whose]
    assert alone.functions["function"].to_list() == [trace.functions["function"][whose]]
    assert rows(alone.only([])) == []


def spoil(path: Path) -> None:
    lines = path.read_text().splitlines()
    write_lines(path, [*lines, "oops"])


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("azure2021", "trace.csv"),
        ("huawei2023", "trace/requests_minute/day_000.csv"),
        ("huawei2023", "trace/function_delay_minute/day_000.csv"),
        ("huawei2025", "trace/requests.csv"),
        ("iluvatar", "trace/trace.csv"),
        ("iluvatar", "trace/metadata.csv"),
        ("ibm2026", "trace/week_1.jsonl"),
    ],
)
def test_a_malformed_row_is_named_or_left_out(tmp_path: Path, name: str, file: str) -> None:
    path = written(events(ROWS), tmp_path / WHERE.get(name, "trace"), name)
    spoil(tmp_path / file)
    line = len((tmp_path / file).read_text().splitlines())
    with pytest.raises(BadTrace, match=rf"{Path(file).name}:{line}: "):
        read(path, name, Reading())
    bad = Bad(skip=True)
    assert total(read(path, name, Reading(bad=bad))) == 4
    assert bad.count == 1
    use = TraceUse(path=str(path))
    assert "left out" in open_trace(use, 1, skip_bad=True).notes[-1]
    with pytest.raises(BadTrace):
        open_trace(use, 1)


def test_every_format_can_be_written_and_read() -> None:
    assert set(WRITERS) == set(FORMATS)


def test_what_is_no_trace_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadTrace, match="no such file"):
        detect(tmp_path / "x")
    write_lines(tmp_path / "x.csv", ["a,b", "1,2"])
    with pytest.raises(BadTrace, match="no known format") as refused:
        detect(tmp_path / "x.csv")
    assert "azure2019" in refused.value.hint
    with pytest.raises(BadTrace, match="there is no format 'gcp'"):
        read(tmp_path, "gcp", Reading())
    with pytest.raises(BadConfig, match="there is no format 'gcp'"):
        write(events(ROWS), tmp_path / "y", "gcp")
    with pytest.raises(Conflict):
        write(events(ROWS), tmp_path, "attacca")
    path = written(events(ROWS), tmp_path / "own", "attacca")
    with pytest.raises(BadTrace, match="nothing lies from minute 9 to its end"):
        open_trace(TraceUse(path=str(path), start_minute=9), 1)


def test_a_scenario_caps_scales_thins_and_samples(tmp_path: Path) -> None:
    path = azure(tmp_path, {("a", f"f{number}"): [50] * 4 for number in range(4)})
    whole = open_trace(TraceUse(path=str(path), memory_least_mb=128), 1)
    assert (total(whole), whole.functions["memory_mb"].to_list()) == (800, [128] * 4)
    use = TraceUse(
        path=str(path), start_minute=1, minutes=2, sample=2, thin=0.5, time_scale=2.0, duration_scale=3.0,
        duration_most_ms=60.0,
    )  # fmt: skip
    part = open_trace(use, 1)
    assert part.functions.height == 2
    assert part.length_s == 240
    assert 60 < total(part) < 140
    assert part.functions["invocations"].sum() == total(part)
    found = rows(part)
    assert max(ms for _, _, ms in found) <= 60
    assert found == sorted(found, key=lambda row: row[0])
    assert max(at for at, _, _ in found) > 120


def test_huawei_public_has_requests_only_and_says_what_is_made_up(tmp_path: Path) -> None:
    write_lines(tmp_path / "requests_minute/day_03.csv", ["day,time,0,1", "3,259200,2,", "3,259260,NaN,1.0"])
    trace = read(tmp_path, "auto", Reading())
    assert [int(at // 60) for at, _, _ in rows(trace)] == [0, 0, 1]
    assert trace.length_s == 120
    assert any("no durations of 2 functions" in note for note in trace.notes)
    assert any("no memory: 128 MB" in note for note in trace.notes)


def test_huawei_seconds_and_days_that_are_missing(tmp_path: Path) -> None:
    for day in (0, 2):
        write_lines(tmp_path / f"requests_second/day_{day:03d}.csv", ["day,time,0", f"{day},{day * 86_400 + 7},3"])
    trace = read(tmp_path, "auto", Reading())
    assert [int(at) for at, _, _ in rows(trace)] == [7] * 3 + [2 * 86_400 + 7] * 3


def test_huawei_memory_is_that_of_one_pod(tmp_path: Path) -> None:
    for name, value in (("requests_minute", 1), ("memory_limit_minute", 512), ("instances_minute", 4)):
        write_lines(tmp_path / name / "day_000.csv", ["day,time,0", f"0,0,{value}"])
    assert read(tmp_path, "auto", Reading()).functions["memory_mb"].to_list() == [128]


COLD = (
    "day,time,clusterName,funcName,userID,requestID,totalCost_cold_start,podAllocationCost,deployCodeCost,"
    "deployDependencyCost,schedulingCost,podID"
)


def test_huawei_cold_starts_alone_and_beside_requests(tmp_path: Path) -> None:
    lines = [COLD, "1,60.5,1,9,7,x,2.0,0.5,0.25,0.25,1.0,pool24-600-512-0000577863"]
    write_lines(tmp_path / "cold" / "day_01.csv", lines)
    alone = read(tmp_path / "cold", "auto", Reading())
    assert rows(alone) == [(0.5, 0, 2000.0)]
    assert alone.functions.select("function", "app", "memory_mb").rows() == [("9---7---pool24-600-512", "7", 512)]
    written(events([("a", "f", 1.0, 5.0)]), tmp_path / "requests", "huawei2025")
    both = read(tmp_path, "auto", Reading())
    assert (total(both), both.functions["cold_starts"].to_list()) == (1, [None])


def test_iluvatar_needs_metadata_and_leaves_out_what_has_none(tmp_path: Path) -> None:
    write_lines(tmp_path / "in.csv", ["func_name,invoke_time_ms", "f,0", "g,10", "f,70000"])
    with pytest.raises(BadTrace, match="its metadata are missing"):
        read(tmp_path / "in.csv", "auto", Reading())
    write_lines(tmp_path / "metadata-in.csv", ["func_name,cold_dur_ms,warm_dur_ms,mem_mb", "f,900,100,128"])
    trace = read(tmp_path / "in.csv", "auto", Reading())
    assert rows(trace) == [(0.0, 0, 100.0), (70.0, 0, 100.0)]
    assert trace.functions["cold_ms"].to_list() == [800.0]
    assert trace.notes == ("1 invocations of functions without metadata are left out",)


def own_is_spoiled(change: Callable[[Path], None], path: Path) -> BadTrace:
    written(events(ROWS), path, "attacca")
    change(path)
    with pytest.raises(BadTrace) as refused:
        total(read(path, "auto", Reading()))
    return refused.value


def test_our_own_form_is_checked(tmp_path: Path) -> None:
    def old(path: Path) -> None:
        (path / "trace.json").write_text(json.dumps({"version": 99, "length_s": 1}))

    def lacking(path: Path) -> None:
        pl.DataFrame({"function": ["f"]}).write_parquet(path / "functions.parquet")

    def unsorted(path: Path) -> None:
        part = path / "invocations" / "part-00000.parquet"
        pl.read_parquet(part).reverse().write_parquet(part)

    assert "version 99" in own_is_spoiled(old, tmp_path / "old").message
    assert "no column app" in own_is_spoiled(lacking, tmp_path / "lacking").message
    assert "do not ascend" in own_is_spoiled(unsorted, tmp_path / "unsorted").message


def test_a_file_that_is_not_whole_is_named(tmp_path: Path) -> None:
    for name in FORMATS:
        root = tmp_path / name
        path = root / "trace.csv" if name == "azure2021" else root
        written(events(ROWS), path, name)
        for file in [one for one in root.rglob("*") if one.is_file()]:
            whole = file.read_bytes()
            for content in (b"", b"\0", whole[: len(whole) // 2] + b"[" * 3000, b"\xff\xfe" + whole, b"1" * 5000):
                file.write_bytes(content)
                try:
                    total(read(path, name, Reading()))
                except BadTrace as error:
                    assert str(tmp_path) in error.message  # noqa: PT017 - some of it may make sense
            file.write_bytes(whole)
