"""CSV files of any size, block by block, with every row that cannot be read named by its line.

A block goes through polars; only one that polars refuses, or in which something does not add up, is looked at row by
row.
"""

import csv
import gzip
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Literal

import polars as pl

from attacca.errors import BadTrace
from attacca.load.traces.reading import MOST, Bad, brief, readable

BLOCK = 16 * 1024 * 1024
# text: not empty; number: finite; amount: a number of 0 or more; count: a whole one; maybe: an amount, empty or NaN
Kind = Literal["text", "number", "amount", "count", "maybe", "any"]
TYPES: dict[Kind, type[pl.DataType]] = {
    "text": pl.String, "number": pl.Float64, "amount": pl.Float64, "count": pl.UInt32, "maybe": pl.Float64,
    "any": pl.String,
}  # fmt: skip
COUNT_MAX = 2**32 - 1


def opened(path: Path) -> IO[bytes]:
    if path.is_dir():
        raise BadTrace(f"{path}: a directory, where this format is a file", "name the file, or another --format")
    try:
        return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise BadTrace(f"{path}: {error.strerror}", "give the path of a trace's file or directory") from None


def header(path: Path) -> list[str]:
    with readable(path), opened(path) as file:
        return _names(file.readline(BLOCK))


def _names(line: bytes) -> list[str]:
    text = line.decode("utf-8-sig", errors="replace").strip("\r\n")
    return [name.strip() for name in next(csv.reader([text]), [])]


def blocks(path: Path, kinds: Mapping[str, Kind], bad: Bad, size: int = BLOCK) -> Iterator[pl.DataFrame]:
    """The wanted columns of every row that can be read.

    Raises:
        BadTrace: there is no such file, or it lacks a wanted column.
    """
    with readable(path), opened(path) as file:
        names = _names(file.readline(BLOCK))
        missing = [name for name in kinds if name not in names]
        if missing:
            raise BadTrace(f"{path}:1: there is no column {', '.join(missing)}", _there(names))
        reading = _Reading(path, names, kinds, bad)
        line = 2
        rest = b""
        while text := file.read(size):
            end = text.rfind(b"\n") + 1
            whole, rest = rest + text[:end], text[end:] if end else rest + text
            if not end:
                continue
            yield from reading.read(whole, line)
            line += whole.count(b"\n")
        yield from reading.read(rest, line)


def _there(names: list[str]) -> str:
    shown = ", ".join(brief(name) for name in names[:8]) + ", ..." * (len(names) > 8)
    return f"its columns are {shown}; docs/traces.md shows what each format has"


def whole(path: Path, kinds: Mapping[str, Kind], bad: Bad) -> pl.DataFrame:
    """All rows at once, of a file that is known to be small."""
    frames = list(blocks(path, kinds, bad))
    return pl.concat(frames) if frames else pl.DataFrame(schema={name: TYPES[kinds[name]] for name in kinds})


class _Reading:
    def __init__(self, path: Path, names: list[str], kinds: Mapping[str, Kind], bad: Bad) -> None:
        if len(set(names)) != len(names):
            raise BadTrace(f"{path}:1: two columns have the same name", _there(names))
        self.path, self.names, self.kinds, self.bad = path, names, kinds, bad
        self.schema = {name: TYPES[kinds.get(name, "any")] for name in names}
        self.amounts = [name for name, kind in kinds.items() if kind in ("amount", "maybe")]
        self.needed = [name for name, kind in kinds.items() if kind not in ("maybe", "any")]

    def __repr__(self) -> str:
        return f"<_Reading {len(self.names)} columns, {self.bad!r}>"

    def read(self, text: bytes, line: int) -> Iterator[pl.DataFrame]:
        if not text.strip():
            return
        frame = self._fast(text)
        if frame is None:
            good = self._row_by_row(text, line)
            with readable(self.path):
                frame = self._parsed(good) if good else None
        if frame is not None and frame.height:
            yield frame

    def _fast(self, text: bytes) -> pl.DataFrame | None:
        """None: something in it is wrong."""
        try:
            frame = self._parsed(text)
        except pl.exceptions.PolarsError:
            return None
        return frame if self._is_sound(frame, text) else None

    def _parsed(self, text: bytes) -> pl.DataFrame:
        wanted = list(self.kinds)
        return pl.read_csv(text, has_header=False, schema=self.schema, raise_if_empty=False).select(wanted)

    def _is_sound(self, frame: pl.DataFrame, text: bytes) -> bool:
        if text.count(b",") != frame.height * (len(self.names) - 1):
            return False
        checks = [pl.col(self.needed).null_count() == 0] if self.needed else []
        answers = list(frame.select(checks).row(0)) if checks else []
        numbers = [name for name, kind in self.kinds.items() if kind in ("number", "amount")]
        if numbers:
            answers += frame.select((pl.col(numbers).abs() <= MOST).all()).row(0)
        if self.amounts:
            least = frame.select(pl.col(self.amounts).fill_nan(None).min()).row(0)
            most = frame.select(pl.col(self.amounts).fill_nan(None).max()).row(0)
            answers += [value is None or value >= 0 for value in least]
            answers += [value is None or value <= MOST for value in most]
        return all(answers)

    def _row_by_row(self, text: bytes, line: int) -> bytes:
        good = []
        for offset, raw in enumerate(text.split(b"\n")):
            if not raw.strip():
                continue
            why = self._complaint(raw)
            if why:
                self.bad.row(self.path, line + offset, why)
            else:
                good.append(raw)
        return b"\n".join(good)

    def _complaint(self, raw: bytes) -> str:
        try:
            fields = next(csv.reader([raw.decode().rstrip("\r")], strict=True), [])
        except (UnicodeDecodeError, csv.Error) as error:
            return str(error)
        if len(fields) != len(self.names):
            return f"{len(fields)} fields, where there are {len(self.names)} columns"
        for name, field in zip(self.names, fields, strict=True):
            why = complaint(self.kinds.get(name, "any"), field)
            if why:
                return f"{name} {why}"
        return ""


def complaint(kind: Kind, field: str) -> str:
    """What is wrong with a field, or nothing."""
    match kind:
        case "any":
            return ""
        case "text":
            return "" if field else "is empty"
        case "maybe" if field in ("", "NaN", "nan"):
            return ""
        case "count":
            return "" if _is_count(field) else f"is {brief(field)}, which is not a count"
        case _:
            return _number_complaint(kind, field)


def _number_complaint(kind: Kind, field: str) -> str:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not field.isascii() or field != field.strip() or "_" in field:
        return f"is {brief(field)}, which is not a number"
    if abs(value) > MOST:
        return f"is {brief(field)}, which is over {MOST:g}"
    return f"is {brief(field)}, which is below 0" if value < 0 and kind != "number" else ""


def _is_count(field: str) -> bool:
    digits = field.lstrip("0")  # of any number of digits, int reads only so many
    return (
        field.isascii() and field.isdigit() and len(digits) <= len(str(COUNT_MAX)) and int(digits or "0") <= COUNT_MAX
    )
