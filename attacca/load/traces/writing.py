"""A trace written in any of the formats, in one pass and bounded memory. What a format cannot say is lost."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from attacca.errors import BadConfig, Conflict
from attacca.load.traces.daily import write_azure2019, write_huawei2023
from attacca.load.traces.formats import ALIASES
from attacca.load.traces.readers import native
from attacca.load.traces.transforms.scaled import evenly
from attacca.load.traces.types import Trace

WEEK_S = 7 * 86_400.0
ROUNDING_MS = 1e-6  # what a time loses by being turned into seconds and back
COLD_MS = 1_345.0  # the median of Huawei's cold starts (EuroSys 2025), where a format wants one that nobody knows


def write(trace: Trace, path: Path, name: str) -> None:
    """
    Raises:
        Conflict: something is there already.
        BadConfig: no such format.
    """
    name = ALIASES.get(name, name)
    if name not in WRITERS:
        raise BadConfig(f"there is no format {name!r} to write", ", ".join([*WRITERS, *ALIASES]))
    if path.exists() and (path.is_file() or any(path.iterdir())):
        raise Conflict(f"{path} is there already", "name another, or delete it first")
    if name != "azure2021":
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[name](trace, path)


def stand_ins(trace: Trace, name: str) -> tuple[str, ...]:
    """What the format must say and the trace does not know: so it is made up."""
    if ALIASES.get(name, name) != "iluvatar":
        return ()
    unknown = trace.functions.select(_cold_ms(trace).is_null().sum()).item() if trace.functions.height else 0
    if "cold_ms" not in trace.functions.columns:
        unknown = trace.functions.height
    why = "the median that Huawei published (EuroSys 2025) stands for it"
    return (f"the cold start of {unknown:,} functions is not known: {COLD_MS:,.0f} ms, {why}",) * bool(unknown)


def write_own(trace: Trace, path: Path) -> None:
    folder = path / native.INVOCATIONS
    folder.mkdir()
    for number, chunk in enumerate(evenly(trace.invocations())):
        chunk.write_parquet(folder / f"part-{number:05d}.parquet")
    trace.functions.write_parquet(path / native.FUNCTIONS)
    about = {"version": native.VERSION, "length_s": trace.length_s, "notes": list(trace.notes)}
    (path / native.ABOUT).write_text(json.dumps(about, indent=1) + "\n")


def write_azure2021(trace: Trace, path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"app,func,end_timestamp,duration\n")
        for chunk in _named(trace, "app", "function"):
            seconds = pl.col("duration_ms") / 1000
            chunk.select("app", "function", pl.col("arrival_s") + seconds, seconds).write_csv(
                file, include_header=False
            )


def write_iluvatar(trace: Trace, path: Path) -> None:
    """Whole milliseconds, which is what its readers take. `cold_dur_ms` is a whole invocation, so the start is added
    to the handler's time."""
    with (path / "trace.csv").open("wb") as file:
        file.write(b"func_name,invoke_time_ms\n")
        for chunk in _named(trace, "function"):
            whole = (pl.col("arrival_s") * 1000 + ROUNDING_MS).floor().cast(pl.Int64)  # the order and the minute stay
            chunk.select("function", whole).write_csv(file, include_header=False)
    warm = pl.col("duration_ms").round().clip(lower_bound=1).cast(pl.Int64)
    start = _cold_ms(trace).fill_null(COLD_MS).round().clip(lower_bound=1).cast(pl.Int64)
    gap = pl.lit(trace.length_s * 1000) / pl.col("invocations")
    trace.functions.select(
        func_name="function", cold_dur_ms=warm + start, warm_dur_ms=warm, mem_mb="memory_mb",
        mean_iat=pl.when(pl.col("invocations") > 0).then(gap), app="app", trigger="trigger",
    ).write_csv(path / "metadata.csv")  # fmt: skip


def _cold_ms(trace: Trace) -> pl.Expr:
    return pl.col("cold_ms") if "cold_ms" in trace.functions.columns else pl.lit(None, pl.Float64)


def write_ibm2026(trace: Trace, path: Path) -> None:
    """Lines of JSON: one for each application in each chunk, so that nothing has to be held for a week."""
    table = trace.functions
    for chunk in _named(trace, "app", "function"):
        for week, part in _weeks(chunk):
            rows = part.group_by("app", "function", maintain_order=True).agg("arrival_s", "duration_ms")
            with (path / f"week_{week + 1}.jsonl").open("ab") as file:
                for app, function, times, durations in rows.iter_rows():
                    line = {
                        "NamespaceHash": app, "AppHash": function, "NumEvents": len(times), "InvocationTimes": times,
                        "AppExecTimes": durations,
                    }  # fmt: skip
                    file.write(msgspec.json.encode(line) + b"\n")
    with (path / "app_configs.jsonl").open("wb") as file:
        for app, function, memory_mb in table.select("app", "function", "memory_mb").iter_rows():
            config = {"NamespaceHash": app, "AppHash": function, "AppContainerRequestMemory": f"{memory_mb}M"}
            file.write(msgspec.json.encode(config) + b"\n")


def _weeks(chunk: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    numbered = chunk.with_columns(week=(pl.col("arrival_s") // WEEK_S).cast(pl.Int64))
    for (week,), part in numbered.partition_by("week", as_dict=True, maintain_order=True).items():
        yield int(week), part


def write_huawei2025(trace: Trace, path: Path) -> None:
    """Functions and users become numbers, as they are in the release."""
    apps = {app: number for number, app in enumerate(dict.fromkeys(trace.functions["app"]))}
    users = np.array([apps[app] for app in trace.functions["app"]], dtype=np.int64)
    memory = trace.functions["memory_mb"].to_numpy()
    pools = [f"pool22-300-{size}" for size in memory]
    written = 0
    with (path / "requests.csv").open("wb") as file:
        for chunk in trace.invocations():
            rows = chunk["function"].to_numpy()
            seconds = chunk["duration_ms"] / 1000
            ends = chunk["arrival_s"] + seconds
            numbers = pl.int_range(written, written + chunk.height, eager=True)
            frame = pl.DataFrame({
                "time_worker": ends, "time_frontend": ends, "requestID": numbers, "clusterName": 1,
                "funcName": rows, "podID": [f"{pools[row]}-0000000001" for row in rows.tolist()],
                "userID": users[rows], "totalCost_worker": seconds, "workerCost": 0.0, "runtimeCost": seconds,
                "totalCost_frontend": seconds, "frontendCost": 0.0, "busCost": 0.0, "readBodyCost": 0.0,
                "writeRspCost": 0.0, "cpu_usage": 0.0, "memory_usage": 0.0, "requestBodySize": 0,
            })  # fmt: skip
            frame.write_csv(file, include_header=written == 0)
            written += chunk.height
    words = {"http": "APIG-S", "timer": "TIMER-A", "queue": "KAFKA-A", "event": "CTS-A", "storage": "OBS-A",
             "orchestration": "workflow-S", "others": "unknown"}  # fmt: skip
    pl.DataFrame({
        "funcID": [f"{row}---{users[row]}---{pools[row]}" for row in range(len(pools))], "cpu_request": 100,
        "runtime": "Python3",
        "triggerType-invocationType": [words[trigger] for trigger in trace.functions["trigger"]],
    }).write_csv(path / "df_funcID_runtime_triggerType.csv")  # fmt: skip


def _named(trace: Trace, *columns: str) -> Iterator[pl.DataFrame]:
    """Invocations with columns of their function in place of its number."""
    table = trace.functions.select(columns)
    for chunk in trace.invocations():
        yield chunk.drop("function").hstack(table[chunk["function"].to_numpy()])


WRITERS: dict[str, Callable[[Trace, Path], None]] = {
    "attacca": write_own,
    "azure2019": write_azure2019,
    "huawei2023": write_huawei2023,
    "ibm2026": write_ibm2026,
    "iluvatar": write_iluvatar,
    "azure2021": write_azure2021,
    "huawei2025": write_huawei2025,
}
