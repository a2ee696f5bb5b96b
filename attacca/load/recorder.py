"""Write a run to its directory while it goes on, and read it back: records, samples and run.json."""

import contextlib
import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from attacca import __version__
from attacca.errors import BadConfig, Conflict, NotFound, StateCorrupt, StateUnavailable
from attacca.load.records import COLUMNS, SAMPLES, VERSION, RunInfo
from attacca.load.scenario import Scenario

if TYPE_CHECKING:
    import polars as pl

ROWS_PER_PART: Final = 100_000
INFO, RECORDS, SAMPLES_FOLDER = "run.json", "records", "samples"

Row = Sequence[object]  # in the order of COLUMNS, or of SAMPLES
Totals = Mapping[str, float | str]


class Keeper(Protocol):
    """Where rows go: to a Recorder, or nowhere."""

    def add(self, row: Row) -> None: ...
    def sample(self, row: Row) -> None: ...
    def close(self, totals: Totals, wall_s: float) -> RunInfo:
        """No row comes after this."""


class Recorder:
    """Rows wait in memory until a part file of them is full, so that a run of any length needs bounded memory."""

    add: Callable[[Row], None]  # as direct as it can be: a simulation calls it millions of times
    sample: Callable[[Row], None]

    def __init__(
        self,
        directory: Path,
        scenario: Scenario,
        kind: str,
        started_at: float,
        rows_per_part: int = ROWS_PER_PART,
        *,
        replace: bool = False,
    ) -> None:
        """`kind` is live or simulated, `started_at` in seconds since 1970. `replace` lets an earlier run go.

        Raises:
            Conflict: the directory holds a run already.
            StateUnavailable: it cannot be written to.
            BadConfig: polars is not installed.
        """
        _polars()
        self._directory, self._scenario, self._kind, self._started_at = directory, scenario, kind, started_at
        _clear(directory, replace=replace)
        self._records = _Parts(directory / RECORDS, COLUMNS, rows_per_part)
        self._samples = _Parts(directory / SAMPLES_FOLDER, SAMPLES, rows_per_part)
        self.add, self.sample = self._records.add, self._samples.add

    def close(self, totals: Totals, wall_s: float) -> RunInfo:
        self._records.flush()
        self._samples.flush()
        info = info_of(self._scenario, self._kind, self._started_at, wall_s, totals)
        with _writing(self._directory):
            (self._directory / INFO).write_bytes(msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n")
        return info


class NullRecorder:
    """Keeps nothing but says what was run."""

    def __init__(self, scenario: Scenario, kind: str, started_at: float) -> None:
        self._scenario, self._kind, self._started_at = scenario, kind, started_at

    def add(self, row: Row) -> None:
        pass

    def sample(self, row: Row) -> None:
        pass

    def close(self, totals: Totals, wall_s: float) -> RunInfo:
        return info_of(self._scenario, self._kind, self._started_at, wall_s, totals)


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
        BadConfig: polars is not installed.
    """
    _polars()
    try:
        info = msgspec.json.decode((path / INFO).read_bytes(), type=RunInfo)
    except OSError:
        hint = "give the directory that `attacca load run` or `attacca sim run` wrote"
        raise NotFound(f"there is no run in {str(path)!r}: no {INFO}", hint) from None
    except msgspec.MsgspecError as error:
        raise StateCorrupt(f"{path / INFO} cannot be read: {error}", "record the run again") from None
    if info.version != VERSION:
        raise StateCorrupt(
            f"{path / INFO} is of version {info.version}, this attacca reads {VERSION}",
            "record the run again, or read it with the attacca that wrote it",
        )
    return Run(path, info, _scan(path / RECORDS, COLUMNS), _scan(path / SAMPLES_FOLDER, SAMPLES))


def export_csv(run: Run, directory: Path) -> list[Path]:
    """The rows as records.csv and samples.csv, the columns by their names; the files that were written."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in ((RECORDS, run.records), (SAMPLES_FOLDER, run.samples)):
        written.append(directory / f"{name}.csv")
        with _writing(directory):
            frame.sink_csv(written[-1])
    return written


def hash_of(scenario: Scenario) -> str:
    """The same for the same scenario and seed, on every machine."""
    return hashlib.blake2b(msgspec.json.encode(scenario, order="sorted"), digest_size=16).hexdigest()


def info_of(scenario: Scenario, kind: str, started_at: float, wall_s: float, totals: Totals) -> RunInfo:
    return RunInfo(
        name=scenario.name,
        kind=kind,
        seed=scenario.seed,
        hash=hash_of(scenario),
        scenario=msgspec.to_builtins(scenario),
        versions={
            "attacca": __version__,
            "python": platform.python_version(),
            "kernel": platform.release(),
            "machine": platform.machine(),
        },
        started_at=started_at,
        wall_s=wall_s,
        totals=dict(totals),
    )


class _Parts:
    """One table, written a part at a time."""

    def __init__(self, folder: Path, columns: Sequence[tuple[str, str, str]], rows_per_part: int) -> None:
        self._folder, self._columns, self._rows_per_part = folder, columns, rows_per_part
        self._rows: list[Row] = []
        self._count = 0

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
        with _writing(self._folder):
            frame.write_parquet(target.with_suffix(".new"))
            target.with_suffix(".new").rename(target)
        self._rows = []
        self._count += 1


def _frame(rows: Sequence[Row], columns: Sequence[tuple[str, str, str]]) -> "pl.DataFrame":
    import polars as pl

    by_column = zip(*rows, strict=True)
    series = [
        pl.Series(name, values, dtype=getattr(pl, kind))
        for (name, kind, _), values in zip(columns, by_column, strict=True)
    ]
    return pl.DataFrame(series)


def _scan(folder: Path, columns: Sequence[tuple[str, str, str]]) -> "pl.LazyFrame":
    import polars as pl

    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        return pl.LazyFrame(schema={name: getattr(pl, kind) for name, kind, _ in columns})
    return pl.scan_parquet(parts)


def _clear(directory: Path, *, replace: bool) -> None:
    """An empty place for a run, with its two folders."""
    old = [*directory.glob(f"{RECORDS}/part-*"), *directory.glob(f"{SAMPLES_FOLDER}/part-*"), *directory.glob(INFO)]
    if old and not replace:
        raise Conflict(f"{str(directory)!r} holds a run already", "give another directory, or remove that one")
    with _writing(directory):
        for path in old:
            path.unlink()
        for folder in (RECORDS, SAMPLES_FOLDER):
            (directory / folder).mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StateUnavailable(f"{place} cannot be written: {reason}", "give another directory") from None


def _polars() -> None:
    try:
        import polars  # noqa: F401
    except ImportError:
        raise BadConfig("the laboratory needs polars, which is not installed", "pip install 'attacca[lab]'") from None
