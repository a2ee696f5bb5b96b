"""What is written is read by those whose format it is: every field is of the type that they publish."""

import csv
import json
import re
from pathlib import Path

import polars as pl
import pytest

from attacca.load.traces.formats import read
from attacca.load.traces.reading import Reading
from attacca.load.traces.writing import COLD_MS, stand_ins, write
from tests.load.traces.made import azure, events, rows, write_lines, written

ROWS = [
    ("a", "f", 0.1282773, 10.4), ("a", "g", 59.9999999, 2000.6), ("b", "h", 61.5, 0.2), ("a", "f", 100.0004, 20.0),
]  # fmt: skip
WHOLE, DECIMAL, TEXT, MAYBE = r"\d+", r"\d+(\.\d+)?([eE][+-]?\d+)?", r".+", r"(NaN|\d+(\.\d+)?)?"
LEVELS = "|".join(map(str, (0, 1, 25, 50, 75, 99, 100)))
NAMES = {r"Hash(Owner|App|Function)": TEXT}
FIELDS = {  # format: file: column: what a field looks like; Ilúvatar's are u64, u64, u64, i64 and f64 of Rust
    ("iluvatar", "trace.csv"): {"func_name": TEXT, "invoke_time_ms": WHOLE},
    ("iluvatar", "metadata.csv"): {
        "func_name|app|trigger": TEXT, "cold_dur_ms|warm_dur_ms|mem_mb": WHOLE, "mean_iat": rf"({DECIMAL})?",
    },
    ("azure2019", "invocations.csv"): {**NAMES, "Trigger": TEXT, r"\d+": WHOLE},
    ("azure2019", "durations.csv"): {
        **NAMES, "Average|Count": WHOLE, "Minimum|Maximum": r"\d+\.\d+", rf"percentile_Average_({LEVELS})": WHOLE,
    },
    ("azure2019", "memory.csv"): {
        **NAMES, "SampleCount": WHOLE, r"AverageAllocatedMb(_pct(1|5|25|50|75|95|99|100))?": WHOLE,
    },
    ("azure2021", ""): {"app|func": TEXT, "end_timestamp|duration": DECIMAL},
    ("huawei2023", "requests_minute/day_000.csv"): {"day|time": WHOLE, r"\d+": MAYBE},
    ("huawei2023", "function_delay_minute/day_000.csv"): {"day|time": WHOLE, r"\d+": MAYBE},
    ("huawei2025", "requests.csv"): {
        "requestID|clusterName|funcName|userID|requestBodySize": WHOLE, "podID": r"pool\d+-\d+-\d+-\d+",
        "time_(worker|frontend)|(total|worker|runtime|frontend|bus|readBody|writeRsp)Cost.*": DECIMAL,
        "(cpu|memory)_usage": DECIMAL,
    },
    ("huawei2025", "df_funcID_runtime_triggerType.csv"): {
        "funcID": r"\d+---\d+---pool[\d-]+", "cpu_request": WHOLE, "runtime|triggerType-invocationType": TEXT,
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "file"), FIELDS)
def test_every_field_is_of_the_published_type(tmp_path: Path, name: str, file: str) -> None:
    path = written(events(ROWS), tmp_path / ("trace.csv" if name == "azure2021" else "trace"), name)
    columns = FIELDS[name, file]
    with (path / file if file else path).open(newline="") as lines:
        found = list(csv.DictReader(lines))
    assert found
    for row in found:
        for column, field in row.items():
            kinds = [kind for known, kind in columns.items() if re.fullmatch(known, column)]
            assert kinds, f"nobody publishes a column {column}"
            assert re.fullmatch(kinds[0], field), f"{column} is {field!r}"


def test_ibm_has_lists_of_seconds_and_milliseconds_as_long_as_it_says(tmp_path: Path) -> None:
    path = written(events(ROWS), tmp_path / "trace", "ibm2026")
    lines = [json.loads(line) for line in (path / "week_1.jsonl").read_text().splitlines()]
    for line in lines:
        assert line["NumEvents"] == len(line["InvocationTimes"]) == len(line["AppExecTimes"])
        assert all(isinstance(one, float) for one in (*line["InvocationTimes"], *line["AppExecTimes"]))


def test_iluvatar_keeps_each_invocation_in_its_order_and_minute(tmp_path: Path) -> None:
    path = written(events(ROWS), tmp_path / "once", "iluvatar")
    once = read(path, "auto", Reading())
    assert [at for at, _, _ in rows(once)] == [0.128, 59.999, 61.5, 100.0]
    twice = read(written(once, tmp_path / "twice", "iluvatar"), "auto", Reading())
    assert rows(twice) == rows(once)
    assert twice.functions.equals(once.functions)


def test_iluvatar_adds_the_start_to_the_handlers_time(tmp_path: Path) -> None:
    cold = events(ROWS)
    cold.functions = cold.functions.with_columns(cold_ms=pl.Series([250.4, None, 0.0]))
    path = written(cold, tmp_path / "trace", "iluvatar")
    table = pl.read_csv(path / "metadata.csv")
    assert table["warm_dur_ms"].to_list() == [15, 2001, 1]
    assert table["cold_dur_ms"].to_list() == [15 + 250, 2001 + round(COLD_MS), 1 + 1]
    assert read(path, "auto", Reading()).functions["cold_ms"].to_list() == [250.0, COLD_MS, 1.0]
    assert ["of 1 functions" in note for note in stand_ins(cold, "iluvatar")] == [True]
    assert ["of 3 functions" in note for note in stand_ins(events(ROWS), "iluvatar")] == [True]
    assert stand_ins(events(ROWS), "azure2021") == ()


def early(folder: Path) -> Path:
    """As InVitro's first samples have it: minutes with a word before them, the function first, no triggers, a memory
    of each application."""
    head = "HashFunction,HashApp,HashOwner,minute_1,minute_2,minute_10"
    write_lines(folder / "invocations.csv", [head, "f,a,o,0,3,1"])
    azure(folder / "late", {("a", "f"): [1]})
    (folder / "durations.csv").write_bytes((folder / "late/durations.csv").read_bytes())
    write_lines(folder / "memory.csv", ["HashApp,HashOwner,SampleCount,AverageAllocatedMb", "a,o,5,64"])
    return folder


def test_early_samples_of_invitro_are_read(tmp_path: Path) -> None:
    trace = read(early(tmp_path), "auto", Reading())
    assert [int(at // 60) for at, _, _ in rows(trace)] == [1, 1, 1, 9]
    assert trace.length_s == 600
    assert trace.functions.select("function", "app", "trigger", "memory_mb").rows() == [("f", "a", "others", 64)]
    write(trace, tmp_path / "again", "azure2019")
    again = read(tmp_path / "again", "auto", Reading())
    assert [int(at // 60) for at, _, _ in rows(again)] == [1, 1, 1, 9]
