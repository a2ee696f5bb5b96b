from pathlib import Path

import pytest

from attacca.errors import Conflict, NotFound, StateCorrupt, StateUnavailable
from attacca.load.records.columns import COLUMNS, SAMPLES
from attacca.load.records.info import hash_of
from attacca.load.records.reading import export_csv, read_run
from attacca.load.records.recorder import NullRecorder, Recorder
from attacca.load.workload.scenario import FunctionPlan, Scenario, Workload

SCENARIO = Scenario(name="small", seed=7, workload=Workload(duration_s=1.0), functions=(FunctionPlan(name="f"),))


def row(idx: int, **known: object) -> tuple[object, ...]:
    values: dict[str, object] = {name: None for name, _, _ in COLUMNS}
    values |= {"run": "small", "seed": 7, "phase": "run", "idx": idx, "func": "f", "due": idx / 10, "status": 200}
    return tuple((values | known).values())


def record(directory: Path, rows: int, rows_per_part: int = 4) -> None:
    recorder = Recorder(directory, SCENARIO, "live", 100.0, rows_per_part)
    for idx in range(rows):
        recorder.add(row(idx, start="warm" if idx % 2 else "cold"))
    recorder.sample(("small", 0.5, "worker", 3, 1, 0, 1, 384, None))
    recorder.close({"p99_ms": 1.5, "hash": "abc"}, wall_s=2.0)


def test_what_was_kept_is_there_without_an_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, SCENARIO, "live", 100.0)
    recorder.add(row(0))
    recorder.keep(1.0)
    recorder.add(row(1))
    run = read_run(tmp_path)
    assert run.records.collect()["idx"].to_list() == [0]
    assert "killed" in str(run.info.totals["warning"])
    recorder.close({"p99_ms": 1.5}, wall_s=2.0)
    ended = read_run(tmp_path)
    assert ended.records.collect()["idx"].to_list() == [0, 1]
    assert (ended.info.totals, ended.info.wall_s) == ({"p99_ms": 1.5}, 2.0)


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    record(tmp_path / "run", 10)
    run = read_run(tmp_path / "run")
    assert (run.info.name, run.info.kind, run.info.seed, run.info.wall_s) == ("small", "live", 7, 2.0)
    assert run.info.totals == {"p99_ms": 1.5, "hash": "abc"}
    frame = run.records.collect()
    assert frame.columns == [name for name, _, _ in COLUMNS]
    assert [str(kind) for kind in frame.dtypes] == [kind for _, kind, _ in COLUMNS]
    assert frame["idx"].to_list() == list(range(10))
    assert frame["start"].to_list()[:2] == ["cold", "warm"]
    samples = run.samples.collect()
    assert samples.columns == [name for name, _, _ in SAMPLES]
    assert samples["memory_mb"].to_list() == [384]


def test_rows_go_to_part_files_as_they_come(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, SCENARIO, "live", 0.0, rows_per_part=4)
    for idx in range(9):
        recorder.add(row(idx))
    assert [path.name for path in sorted((tmp_path / "records").iterdir())] == [
        "part-00000.parquet",
        "part-00001.parquet",
    ]


def test_a_run_without_rows_can_be_read(tmp_path: Path) -> None:
    Recorder(tmp_path, SCENARIO, "simulated", 0.0).close({}, 0.0)
    assert read_run(tmp_path).records.collect().height == 0


def test_an_earlier_run_is_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    record(tmp_path, 9)
    with pytest.raises(Conflict, match="holds a run already"):
        Recorder(tmp_path, SCENARIO, "live", 0.0)
    Recorder(tmp_path, SCENARIO, "live", 0.0, replace=True).close({}, 0.0)
    assert read_run(tmp_path).records.collect().height == 0


def test_csv_has_the_columns_by_name(tmp_path: Path) -> None:
    record(tmp_path / "run", 2)
    records, samples = export_csv(read_run(tmp_path / "run"), tmp_path / "csv")
    assert records.read_text().splitlines()[0].split(",") == [name for name, _, _ in COLUMNS]
    assert len(records.read_text().splitlines()) == 3
    assert samples.read_text().splitlines()[1].startswith("small,0.5,worker")


def test_the_hash_is_of_the_scenario_and_its_seed() -> None:
    same = Scenario(name="small", seed=7, workload=Workload(duration_s=1.0), functions=(FunctionPlan(name="f"),))
    other = Scenario(name="small", seed=8, workload=Workload(duration_s=1.0), functions=(FunctionPlan(name="f"),))
    assert hash_of(same) == hash_of(SCENARIO) != hash_of(other)


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no run in"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(StateCorrupt, match="cannot be read"):
        read_run(tmp_path)
    record(tmp_path / "run", 1)
    path = tmp_path / "run" / "run.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(StateCorrupt, match="version 99"):
        read_run(tmp_path / "run")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnavailable, match="file"):
        Recorder(tmp_path / "file" / "run", SCENARIO, "live", 0.0)


def test_the_null_recorder_says_what_was_run() -> None:
    sink = NullRecorder(SCENARIO, "simulated", 5.0)
    sink.add(())
    assert sink.close({"a": 1.0}, 3.0).hash == hash_of(SCENARIO)


@pytest.mark.parametrize("content", [b"", b"\0", b"[" * 5000, b'{"version":' + b"1" * 5000 + b"}", b"\xff\xfe{}"])
def test_a_run_that_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    record(tmp_path, 10)
    part = next((tmp_path / "records").glob("part-*"))
    whole = part.read_bytes()
    for damaged in (content, whole[:-9], whole[: len(whole) // 2]):
        part.write_bytes(damaged)
        with pytest.raises(StateCorrupt, match=part.name):
            read_run(tmp_path)
    part.write_bytes(whole)
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(StateCorrupt, match=r"run\.json"):
        read_run(tmp_path)
