"""A run read back from its directory, and written out again as CSV."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from attacca.errors import NotFound, StateCorrupt
from attacca.load.extra import need_lab
from attacca.load.records.columns import COLUMNS, INFO, RECORDS, SAMPLES, SAMPLES_FOLDER, VERSION
from attacca.load.records.info import RunInfo
from attacca.load.records.tables import scan, writing

if TYPE_CHECKING:
    import polars as pl


class Run(NamedTuple):
    """A run that was recorded. The frames are lazy: nothing is read before it is asked for."""

    path: Path
    info: RunInfo
    records: "pl.LazyFrame"
    samples: "pl.LazyFrame"


def read_run(path: Path) -> Run:
    """
    Raises:
        NotFound: there is no run in this directory.
        StateCorrupt: its run.json cannot be read, or is of another version.
        BadConfig: the extra `lab` is not installed.
    """
    need_lab()
    try:
        info = msgspec.json.decode((path / INFO).read_bytes(), type=RunInfo)
    except OSError:
        hint = "give the directory that `attacca load run` or `attacca sim run` wrote"
        raise NotFound(f"there is no run in {str(path)!r}: no {INFO}", hint) from None
    except (ValueError, RecursionError) as error:  # msgspec's own is one
        raise StateCorrupt(f"{path / INFO} cannot be read: {error}", "record the run again") from None
    if info.version != VERSION:
        raise StateCorrupt(
            f"{path / INFO} is of version {info.version}, this attacca reads {VERSION}",
            "record the run again, or read it with the attacca that wrote it",
        )
    return Run(path, info, scan(path / RECORDS, COLUMNS), scan(path / SAMPLES_FOLDER, SAMPLES))


def export_csv(run: Run, directory: Path) -> list[Path]:
    """The rows as records.csv and samples.csv, the columns by their names; the files that were written."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in ((RECORDS, run.records), (SAMPLES_FOLDER, run.samples)):
        written.append(directory / f"{name}.csv")
        with writing(directory):
            frame.sink_csv(written[-1])
    return written
