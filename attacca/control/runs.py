"""The laboratory's runs that lie in a directory of this machine, for those who look from elsewhere.

Files there are anybody's: what is too large, or no run, is left out, and a name is that of something found there or of
nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from attacca.errors import NotFound

FILE, REPORTS = "run.json", ".html"
DEPTH = 3  # of directories: an experiment has its runs in one of its own
LOOKED_AT = 20_000  # entries
RUNS_MOST, REPORTS_MOST = 1_000, 200
RUN_MOST, REPORT_MOST = 1 << 20, 64 << 20  # bytes
Moment = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]  # seconds since 1970; a calendar has four digits
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
HINT = "GET /api/runs lists what there is in control.runs_dir"


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """Of `run.json`, what is shown."""

    name: str
    kind: str
    seed: int
    started_at: Moment
    wall_s: Seconds
    scenario: dict[str, Any] = msgspec.field(default_factory=dict)
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    totals: dict[str, float | str] = msgspec.field(default_factory=dict)


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run in a list. `id` is its directory."""

    id: str
    name: str
    kind: str  # live or simulated
    seed: int
    at: float
    about: str
    totals: dict[str, float | str]


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    run: RunRow
    wall_s: float
    scenario: dict[str, Any]
    versions: dict[str, str]


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """A page that `attacca report` or `attacca lab` has written there."""

    id: str
    at: float
    bytes: int


class RunsView(msgspec.Struct, frozen=True, kw_only=True):
    """The latest first."""

    directory: str
    runs: tuple[RunRow, ...] = ()
    reports: tuple[ReportRow, ...] = ()


class Runs:
    """Reads files: to be asked in a thread."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __repr__(self) -> str:
        return f"<Runs in {self.directory}>"

    def all(self) -> RunsView:
        runs, reports = list[RunRow](), list[ReportRow]()
        for path in self._found():
            name = path.relative_to(self.directory)
            if path.name == FILE and len(runs) < RUNS_MOST:
                known = _read(path)
                if known is not None:
                    runs.append(_row(name.parent.as_posix(), known))
            elif path.suffix == REPORTS and len(reports) < REPORTS_MOST:
                told = path.stat()
                if told.st_size <= REPORT_MOST:
                    reports.append(ReportRow(id=name.as_posix(), at=told.st_mtime, bytes=told.st_size))
        runs.sort(key=lambda one: (-one.at, one.id))
        reports.sort(key=lambda one: (-one.at, one.id))
        return RunsView(directory=str(self.directory), runs=tuple(runs), reports=tuple(reports))

    def one(self, name: str) -> RunView:
        """
        Raises:
            NotFound: there is no such run.
        """
        path = self._named(f"{name}/{FILE}")
        known = None if path is None else _read(path)
        if known is None:
            raise NotFound(f"there is no run {name[:200]!r}", HINT)
        return RunView(run=_row(name, known), wall_s=known.wall_s, scenario=known.scenario, versions=known.versions)

    def report(self, name: str) -> bytes:
        """
        Raises:
            NotFound: there is no such report.
        """
        path = self._named(name)
        if path is None or path.suffix != REPORTS or path.stat().st_size > REPORT_MOST:
            raise NotFound(f"there is no report {name[:200]!r}", HINT)
        return path.read_bytes()

    def _named(self, name: str) -> Path | None:
        return next((path for path in self._found() if path.relative_to(self.directory).as_posix() == name), None)

    def _found(self) -> Iterator[Path]:
        """Files of both kinds; links lead nowhere."""
        left = LOOKED_AT
        waiting = [(self.directory, 0)]
        while waiting:
            directory, depth = waiting.pop()
            try:
                entries = sorted(directory.iterdir())
            except OSError:
                continue
            for path in entries:
                left -= 1
                if left < 0:
                    return
                if path.is_symlink():
                    continue
                if path.is_dir():
                    if depth < DEPTH:
                        waiting.append((path, depth + 1))
                elif (path.name == FILE or path.suffix == REPORTS) and path.is_file():
                    yield path


def _read(path: Path) -> RunFile | None:
    """None: it is no run, or is being written."""
    try:
        if path.stat().st_size > RUN_MOST:
            return None
        return msgspec.json.decode(path.read_bytes(), type=RunFile)
    except (OSError, msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _row(name: str, known: RunFile) -> RunRow:
    about = known.scenario.get("about")
    return RunRow(
        id=name, name=known.name, kind=known.kind, seed=known.seed, at=known.started_at,
        about=about if isinstance(about, str) else "", totals=known.totals,
    )  # fmt: skip
