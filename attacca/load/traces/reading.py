"""How a trace is read, and what of it cannot be: rows are refused, or left out where that was asked for; a file is
refused."""

import contextlib
import csv
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from attacca.errors import BadConfig, BadTrace
from attacca.load.traces.draws import Spread

SHOWN = 5
MOST = 1e15  # of every number: seconds, milliseconds, megabytes; beyond it their sums lose what is behind the point
UNREADABLE = (  # what the libraries raise that read a file
    OSError, EOFError, zlib.error, csv.Error, ValueError, OverflowError, RecursionError, pl.exceptions.PolarsError,
    pl.exceptions.PanicException,  # on damaged pages behind a sound footer
)  # fmt: skip


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """
    Raises:
        BadTrace: the file is not whole, or not what its name says.
    """
    try:
        yield
    except UNREADABLE as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else _first_line(error)
        raise BadTrace(f"{path}: it cannot be read: {why}", "get the file anew, or export it once more") from None


def _first_line(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).splitlines()[0][:200]


def brief(field: str) -> str:
    """As it is quoted in a complaint."""
    return repr(field if len(field) <= 40 else field[:40] + "...")


class Bad:
    """Counts every one, and remembers the first few."""

    def __init__(self, *, skip: bool = False) -> None:
        self.skip = skip
        self.count = 0
        self.first: list[str] = []

    def __repr__(self) -> str:
        return f"<Bad {self.count} rows, skip={self.skip}>"

    def row(self, path: Path, line: int, why: str) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(f"{path}:{line}: {why}")

    def settle(self) -> None:
        """When all is read.

        Raises:
            BadTrace: some rows could not be read, and nobody said that they may be left out.
        """
        if self.count and not self.skip:
            raise BadTrace(self.told(), "mend them, or leave them out with --skip-bad")

    def told(self) -> str:
        more = f"\n  and {self.count - len(self.first)} more" * (self.count > len(self.first))
        rows = "a row is" if self.count == 1 else f"{self.count} rows are"
        return f"{rows} malformed:\n  " + "\n  ".join(self.first) + more


@dataclass(frozen=True)
class Reading:
    """How to read. `start_minute` and `minutes` let a reader pass over files that are not wanted; it may read more."""

    seed: int = 1
    spread: Spread = "uniform"
    start_minute: int = 0
    minutes: int | None = None
    bad: Bad = field(default_factory=Bad)

    def wants(self, first_minute: int, minutes: int) -> bool:
        """Whether a file with these minutes is needed."""
        ends = None if self.minutes is None else self.start_minute + self.minutes
        return first_minute + minutes > self.start_minute and (ends is None or first_minute < ends)


def as_spread(word: str) -> Spread:
    """
    Raises:
        BadConfig: it is none.
    """
    match word:
        case "uniform" | "exponential" | "equidistant":
            return word
        case _:
            raise BadConfig(f"there is no spread {word!r}", "uniform, exponential or equidistant")
