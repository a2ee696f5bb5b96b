"""IBM Code Engine 2026: a row per application and week with lists of its invocations' times (s) and durations (ms).

The release is made of pickles. Parquet or JSON lines with the same columns stream, and are the better choice; a pickle
is read too, whole, by a reader that runs nothing of what is in it (frames). Applications' settings give their memory.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from attacca.errors import BadTrace
from attacca.load.traces.draws import MEMORY_MB
from attacca.load.traces.events import Events, Gathering
from attacca.load.traces.readers import frames
from attacca.load.traces.reading import MOST, Reading, readable

WEEK = "week_*"
CONFIGS = "app_configs"
FORMS = (".parquet", ".jsonl", ".json", ".pickle", ".pkl")
INT_MOST = 2**31 - 1
AT_ONCE = 64  # applications of a parquet file
SIZE = re.compile(r"^\s*([\d.]+)\s*([KMGT]?)i?B?\s*\Z")
UNITS = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}


class Application(msgspec.Struct, rename="pascal"):
    """A row of a week. Names are the release's, in Pascal case."""

    namespace_hash: str
    app_hash: str
    invocation_times: list[float]
    app_exec_times: list[float]


COLUMNS = msgspec.structs.fields(Application)


def is_ibm2026(path: Path) -> bool:
    return bool(_weeks(path))


def _weeks(path: Path) -> list[Path]:
    files = sorted(path.glob(WEEK), key=_number) if path.is_dir() else [path]
    return [file for file in files if file.suffix in FORMS and file.stem.startswith("week_") and file.is_file()]


def _number(path: Path) -> tuple[int, str]:
    match = re.search(r"(\d+)", path.stem)
    return (int(match[1]) if match else 0, path.name)


def read(path: Path, reading: Reading) -> Events:
    """
    Raises:
        BadTrace: a file is not read, or has rows that make no sense.
    """
    weeks = _weeks(path)
    if not weeks:
        raise BadTrace(
            f"{path}: there is no {WEEK} with {', '.join(FORMS)}", "give the directory that holds week_1 to 10"
        )
    gathering = Gathering()
    for week in weeks:
        with readable(week):
            _gather(week, gathering, reading)
    reading.bad.settle()
    table = gathering.functions("http", MEMORY_MB)
    folder = path if path.is_dir() else path.parent
    config = next((table for table in sorted(folder.glob(f"{CONFIGS}.*")) if table.suffix in FORMS), None)
    if config is None:
        note = f"there is no {CONFIGS}: {MEMORY_MB} MB for each application"
        return Events(table, gathering.spool, notes=(note,))
    with readable(config):
        settings = _configs(config)
    table = table.join(settings, on="function", how="left", maintain_order="left", suffix="_set")
    memory = pl.coalesce("memory_mb_set", "memory_mb").cast(pl.Int32)
    return Events(table.with_columns(memory_mb=memory).drop("memory_mb_set"), gathering.spool)


def _gather(week: Path, gathering: Gathering, reading: Reading) -> None:
    for line, row in _rows(week):
        why = _complaint(row)
        if why:
            reading.bad.row(week, line, why)
        elif row.invocation_times:
            gathering.add(_frame(row))


def _frame(row: Application) -> pl.DataFrame:
    return pl.DataFrame({"arrival_s": row.invocation_times, "duration_ms": row.app_exec_times}).with_columns(
        app=pl.lit(row.namespace_hash), function=pl.lit(row.app_hash)
    )


def _complaint(row: Application | str) -> str:
    if isinstance(row, str):
        return row
    if len(row.invocation_times) != len(row.app_exec_times):
        return f"{len(row.invocation_times)} InvocationTimes, and {len(row.app_exec_times)} AppExecTimes"
    if any(not 0 <= value <= MOST for value in (*row.invocation_times, *row.app_exec_times)):
        return f"a time or a duration is below 0, over {MOST:g}, or no number"
    return ""


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Number of the row, from 1, and the row, or what is wrong with it."""
    if path.suffix in (".jsonl", ".json"):
        yield from _json_rows(path)
        return
    for number, row in enumerate(_table_rows(path), 1):
        try:
            application: Any = msgspec.convert(row, Application, strict=False)
        except msgspec.ValidationError as error:
            application = str(error)
        yield number, application


def _json_rows(path: Path) -> Iterator[tuple[int, Any]]:
    decoder = msgspec.json.Decoder(Application)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    row: Any = decoder.decode(line)
                except (ValueError, RecursionError) as error:  # msgspec's own is one
                    row = str(error)
                yield number, row


def _table_rows(path: Path) -> Iterator[dict[str, Any]]:
    names = [field.encode_name for field in COLUMNS]
    if path.suffix == ".parquet":
        lazy = pl.scan_parquet(path)
        _check(path, lazy.collect_schema().names(), names)
        for begin in range(0, lazy.select(pl.len()).collect().item(), AT_ONCE):
            yield from lazy.select(names).slice(begin, AT_ONCE).collect().iter_rows(named=True)
        return
    table = frames.columns(path)
    _check(path, list(table), names)
    for values in zip(*(table[name] for name in names), strict=True):
        yield {name: _plain(value) for name, value in zip(names, values, strict=True)}


def _check(path: Path, there: list[str], wanted: list[str]) -> None:
    missing = [name for name in wanted if name not in there]
    if missing:
        raise BadTrace(f"{path}: there is no column {', '.join(missing)}", "docs/traces.md says which there must be")


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _configs(path: Path) -> pl.DataFrame:
    """The last of each application: memory, and what only this trace has, concurrency and least number of instances."""
    if path.suffix == ".parquet":
        table: dict[str, list[Any]] = pl.read_parquet(path).to_dict(as_series=False)
    elif path.suffix in (".jsonl", ".json"):
        lines = path.read_bytes().splitlines()
        rows = [_config(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
        table = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    else:
        table = frames.columns(path)
    _check(path, list(table), ["AppHash", "AppContainerRequestMemory"])
    unset: list[Any] = [None] * len(table["AppHash"])
    columns = {
        "function": [str(_plain(value)) for value in table["AppHash"]],
        "memory_mb": [megabytes(_plain(value)) for value in table["AppContainerRequestMemory"]],
        "concurrency": [_whole(_plain(value)) for value in table.get("AppContainerConcurrency", unset)],
        "min_sandboxes": [_whole(_plain(value)) for value in table.get("AppMinScale", unset)],
    }
    schema = {"function": pl.String, "memory_mb": pl.Int32, "concurrency": pl.Int32, "min_sandboxes": pl.Int32}
    return pl.DataFrame(columns, schema=schema).unique("function", keep="last", maintain_order=True)


def _config(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise BadTrace(f"{path}:{number}: {error}", "mend that line, or leave it out") from None


def megabytes(value: Any) -> int | None:
    """`4G`, `512M`, or a number: of gigabytes when it is below 64, else of megabytes, else of bytes."""
    match = SIZE.match(str(value))
    if not match:
        return None
    size, unit = float(match[1]), match[2]
    if not unit:
        unit = "G" if size < 64 else "M"
        size = size / 1024**2 if size >= 1024**2 else size
    size *= UNITS[unit]
    return max(1, round(size)) if size < INT_MOST else None


def _whole(value: Any) -> int | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if abs(number) < INT_MOST else None
