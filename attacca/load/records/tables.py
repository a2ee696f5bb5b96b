"""Rows in Parquet files, a part at a time, so that a run of any length needs bounded memory."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attacca.errors import StateCorrupt, StateUnavailable

if TYPE_CHECKING:
    import polars as pl

Row = Sequence[object]  # in the order of the table's columns
Columns = Sequence[tuple[str, str, str]]  # name, polars type, meaning


class Parts:
    """One table, written a part at a time."""

    def __init__(self, folder: Path, columns: Columns, rows_per_part: int) -> None:
        self._folder, self._columns, self._rows_per_part = folder, columns, rows_per_part
        self._rows: list[Row] = []
        self._count = 0

    def __repr__(self) -> str:
        return f"<Parts {len(self._rows)} rows, {self._count} files>"

    def add(self, row: Row) -> None:
        rows = self._rows
        rows.append(row)
        if len(rows) >= self._rows_per_part:
            self.flush()

    def flush(self) -> None:
        """A part appears whole or not at all."""
        if not self._rows:
            return
        frame = _frame(self._rows, self._columns)
        target = self._folder / f"part-{self._count:05d}.parquet"
        with writing(self._folder):
            frame.write_parquet(target.with_suffix(".new"))
            target.with_suffix(".new").rename(target)
        self._rows = []
        self._count += 1


def _frame(rows: Sequence[Row], columns: Columns) -> "pl.DataFrame":
    import polars as pl

    by_column = zip(*rows, strict=True)
    series = [
        pl.Series(name, values, dtype=getattr(pl, kind))
        for (name, kind, _), values in zip(columns, by_column, strict=True)
    ]
    return pl.DataFrame(series)


def scan(folder: Path, columns: Columns) -> "pl.LazyFrame":
    """
    Raises:
        StateCorrupt: a part is not whole, or of other columns.
    """
    import polars as pl

    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        return pl.LazyFrame(schema={name: getattr(pl, kind) for name, kind, _ in columns})
    for part in parts:
        _expect(part, columns)
    return pl.scan_parquet(parts)


def _expect(part: Path, columns: Columns) -> None:
    import polars as pl

    try:
        schema = pl.read_parquet_schema(part)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        said = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        raise StateCorrupt(f"{part} cannot be read: {said}", "record the run again") from None
    other = [name for name, kind, _ in columns if schema.get(name) != getattr(pl, kind)]
    if other:
        raise StateCorrupt(f"{part}: {', '.join(other)} is missing, or of another type", "record the run again")


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StateUnavailable(f"{place} cannot be written: {reason}", "give another directory") from None
