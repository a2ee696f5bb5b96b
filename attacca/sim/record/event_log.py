"""What happened, in order, as numbers: the hash of a run, the file that two runs are compared by, the place to stop at.

An entry is three doubles: when; what and on which worker; and the number of the invocation, sandbox or fault. The hash
is BLAKE2b over the bytes of all of them, and `events.bin` holds exactly these bytes.
"""

import hashlib
from array import array
from enum import IntEnum
from pathlib import Path
from struct import pack
from typing import BinaryIO, Final, NamedTuple

from attacca.errors import NotFound, StateUnavailable
from attacca.sim.engine import Engine

FILE: Final = "events.bin"
BATCH: Final = 30_000  # numbers that are digested at once
ENTRY_BYTES: Final = 24
PER_WORKER: Final = 64  # more kinds of entries than there will ever be
NOBODY: Final = -1  # no worker


class What(IntEnum):
    ARRIVED = 1  # an invocation, sent to this worker
    REFUSED = 2
    ENTERED = 3  # it has reached the worker
    RAN_WARM = 4  # handed to a sandbox
    RAN_COLD = 5
    RAN_TEMPLATE = 6
    RAN_PREWARMED = 7
    ANSWERED = 8  # well
    FAILED = 9  # otherwise
    MAKING = 10  # a sandbox
    READY = 11
    KILLED = 12
    GONE = 13  # or never ready
    TEMPLATE_MAKING = 14
    TEMPLATE_READY = 15
    TEMPLATE_DROPPED = 16
    TEMPLATE_GONE = 17
    FAULT = 18
    MENDED = 19
    SENT_AGAIN = 20
    WORKER_JOINED = 21
    WORKER_LEFT = 22
    HANDLED = 23  # an event, by an instance of a workflow


ABOUT_SANDBOXES: Final = frozenset(
    {
        What.MAKING,
        What.READY,
        What.KILLED,
        What.GONE,
        What.TEMPLATE_MAKING,
        What.TEMPLATE_READY,
        What.TEMPLATE_DROPPED,
        What.TEMPLATE_GONE,
    }
)
ABOUT_THE_RUN: Final = frozenset({What.FAULT, What.MENDED, What.WORKER_JOINED, What.WORKER_LEFT})


class Entry(NamedTuple):
    at: float
    what: What
    worker: int
    number: int

    @property
    def subject(self) -> str:
        """As the story calls it."""
        if self.what in ABOUT_SANDBOXES:
            return f"w{self.worker}-{self.number}"
        if self.what in ABOUT_THE_RUN:
            return f"fault {self.number}" if self.what in (What.FAULT, What.MENDED) else f"worker {self.worker}"
        return str(self.number)

    def text(self) -> str:
        where = f" on w{self.worker}" if self.worker >= 0 else ""
        return f"{self.at:14.6f}  {self.subject:>10}  {self.what.name.lower().replace('_', ' ')}{where}"


class Reached(Exception):
    """The entry at which the run was to stop is written."""


class EventLog:
    __slots__ = ("_count", "_digest", "_engine", "_file", "_most", "_rows", "_stop_at")

    def __init__(self, engine: Engine, path: Path | None = None, stop_at: int | None = None) -> None:
        """`path`: of the file of entries. `stop_at`: raise Reached when so many are written.

        Raises:
            StateUnavailable: the file cannot be written.
        """
        self._engine = engine
        self._digest = hashlib.blake2b(digest_size=16)
        self._rows: list[float] = []
        self._count = 0  # of those that are digested
        self._stop_at = stop_at
        self._most = BATCH if stop_at is None else min(BATCH, 3 * stop_at)  # numbers, before it is looked at them
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = path.open("wb")
            except OSError as error:
                raise StateUnavailable(
                    f"{path} cannot be written: {error.strerror}", "give another directory"
                ) from None

    def __repr__(self) -> str:
        return f"<EventLog {self.count} entries>"

    def note(self, what: int, worker: int, number: int) -> None:
        rows = self._rows
        rows += (self._engine.now, what + PER_WORKER * worker, number)
        if len(rows) >= self._most:
            self._full()

    @property
    def count(self) -> int:
        return self._count + len(self._rows) // 3

    def close(self) -> str:
        """The hash."""
        self._write()
        if self._file is not None:
            self._file.close()
        return self._digest.hexdigest()

    def latest(self, most: int) -> list[Entry]:
        """Those that are not digested yet: a run that stopped early shows its end with them."""
        rows = self._rows[-3 * most :]
        return [_entry(*rows[place : place + 3]) for place in range(0, len(rows), 3)]

    def _full(self) -> None:
        if self.count == self._stop_at:
            raise Reached
        self._write()
        if self._stop_at is not None:
            self._most = min(BATCH, 3 * (self._stop_at - self._count))

    def _write(self) -> None:
        data = pack(f"{len(self._rows)}d", *self._rows)  # in a third less time than an array takes
        self._digest.update(data)
        if self._file is not None:
            self._file.write(data)
        self._count += len(self._rows) // 3
        self._rows.clear()


class Parting(NamedTuple):
    """Where two runs part: `number` counts from 1, as `--replay-to` does. None: the run had ended."""

    number: int
    before: list[Entry]
    left: Entry | None
    right: Entry | None


def part(left: Path, right: Path, before: int = 5) -> Parting | None:
    """The first entry that is not the same in both; None: they are equal.

    Raises:
        NotFound: one of them was kept without its entries.
    """
    one, other = _read(left), _read(right)
    if one == other:
        return None
    low, high = 0, min(len(one), len(other)) // ENTRY_BYTES  # the first `low` entries are the same
    while low < high:
        middle = (low + high + 1) // 2
        if one[low * ENTRY_BYTES : middle * ENTRY_BYTES] == other[low * ENTRY_BYTES : middle * ENTRY_BYTES]:
            low = middle
        else:
            high = middle - 1
    same = [_at(one, place) for place in range(max(0, low - before), low)]
    return Parting(low + 1, [entry for entry in same if entry is not None], _at(one, low), _at(other, low))


def _read(run: Path) -> bytes:
    path = run / FILE if run.is_dir() else run
    try:
        return path.read_bytes()
    except OSError:
        hint = "keep a run's events with `attacca sim run SCENARIO --out RUN --events`"
        raise NotFound(f"there are no events in {str(run)!r}: no {FILE}", hint) from None


def _at(data: bytes, place: int) -> Entry | None:
    numbers = array("d")
    numbers.frombytes(data[place * ENTRY_BYTES : (place + 1) * ENTRY_BYTES])
    return _entry(*numbers) if len(numbers) == 3 else None


def _entry(at: float, where: float, number: float) -> Entry:
    worker, what = divmod(int(where), PER_WORKER)
    return Entry(at, What(what), worker, int(number))
