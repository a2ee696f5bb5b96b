"""Write a run to its directory while it goes on: records, samples and run.json."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import msgspec

from attacca.errors import Conflict
from attacca.load.extra import need_lab
from attacca.load.records.columns import COLUMNS, INFO, RECORDS, SAMPLES, SAMPLES_FOLDER
from attacca.load.records.info import RunInfo, Totals, info_of
from attacca.load.records.tables import Parts, Row, writing
from attacca.load.workload.scenario import Scenario

ROWS_PER_PART: Final = 100_000
UNENDED: Final = "it still goes on, or was killed: rows and totals are missing"


class RecordSink(Protocol):
    """Where rows go: to a Recorder, or nowhere."""

    def add(self, row: Row) -> None: ...
    def sample(self, row: Row) -> None: ...
    def keep(self, wall_s: float) -> None:
        """What came until now survives whatever becomes of us."""

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
        live: Mapping[str, object] | None = None,
        code: Mapping[str, str] | None = None,
    ) -> None:
        """`kind` is live or simulated, `started_at` in seconds since 1970. `replace` lets an earlier run go.
        `live`: what is to be said of a live run besides its scenario. `code`: digests of what decides a simulated one.

        Raises:
            Conflict: the directory holds a run already.
            StateUnavailable: it cannot be written to.
            BadConfig: the extra `lab` is not installed.
        """
        need_lab()
        self._directory, self._scenario, self._kind, self._started_at = directory, scenario, kind, started_at
        self._live, self._code = live, code
        _clear(directory, replace=replace)
        self._records = Parts(directory / RECORDS, COLUMNS, rows_per_part)
        self._samples = Parts(directory / SAMPLES_FOLDER, SAMPLES, rows_per_part)
        self.add, self.sample = self._records.add, self._samples.add

    def __repr__(self) -> str:
        return f"<Recorder {self._kind}: records {self._records!r}, samples {self._samples!r}>"

    def keep(self, wall_s: float) -> None:
        self.close({"warning": UNENDED}, wall_s)

    def close(self, totals: Totals, wall_s: float) -> RunInfo:
        self._records.flush()
        self._samples.flush()
        info = info_of(self._scenario, self._kind, self._started_at, wall_s, totals, self._live, self._code)
        with writing(self._directory):
            new = self._directory / f"{INFO}.new"
            new.write_bytes(msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n")
            new.rename(self._directory / INFO)
        return info


class NullRecorder:
    """Keeps nothing but says what was run."""

    def __init__(self, scenario: Scenario, kind: str, started_at: float) -> None:
        self._scenario, self._kind, self._started_at = scenario, kind, started_at

    def __repr__(self) -> str:
        return f"<NullRecorder {self._kind}>"

    def add(self, row: Row) -> None:
        pass

    def sample(self, row: Row) -> None:
        pass

    def keep(self, wall_s: float) -> None:
        pass

    def close(self, totals: Totals, wall_s: float) -> RunInfo:
        return info_of(self._scenario, self._kind, self._started_at, wall_s, totals)


def _clear(directory: Path, *, replace: bool) -> None:
    """An empty place for a run, with its two folders."""
    old = [*directory.glob(f"{RECORDS}/part-*"), *directory.glob(f"{SAMPLES_FOLDER}/part-*"), *directory.glob(INFO)]
    if old and not replace:
        raise Conflict(f"{str(directory)!r} holds a run already", "give another directory, or remove that one")
    with writing(directory):
        for path in old:
            path.unlink()
        for folder in (RECORDS, SAMPLES_FOLDER):
            (directory / folder).mkdir(parents=True, exist_ok=True)
