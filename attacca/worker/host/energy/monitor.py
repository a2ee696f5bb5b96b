"""Reads sources of energy, each in its own time and thread, and writes down what they say: without a worker."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from attacca.kernel.clock import Clock
from attacca.worker.host.energy.files import Files
from attacca.worker.host.energy.processes import ProcessWatch
from attacca.worker.host.energy.types import Reading, Source, SourceSilent

ROWS_MOST = 1_000_000  # kept for a table
ENDS_S = 15.0  # for a program that is being asked
RAPL = ("powercap", "msr", "perf")
TWICE = frozenset(("powercap", "msr"))  # both tell of the same packages, in a file of the same name


class Row(msgspec.Struct, frozen=True, gc=False):
    """Of the table. `part`: what of the source it is, empty for all of it; one of the two numbers is there."""

    at: float  # seconds since 1970
    source: str
    part: str
    joules: float | None = None
    watts: float | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Of a source: how often it said something, and how much that came to. Of one that says what is taken now, joules
    are its watts times the time until it says something else."""

    source: str
    readings: int
    seconds: float  # between the first reading and the last
    joules: float
    watts: float  # on average
    silent: str = ""  # what it said instead, the last time that it said nothing


class SoFar:
    """What one source has said so far."""

    def __init__(self) -> None:
        self.readings = 0
        self.began = self.at = self.joules = self._first_j = self._held_w = 0.0
        self.silent = ""

    def __repr__(self) -> str:
        return f"<SoFar {self.readings} readings, {self.joules:g} J>"

    def take(self, at: float, reading: Reading) -> None:
        if self.readings == 0:
            self.began = at
            self._first_j = reading.joules or 0.0
        elif reading.joules is None:
            self.joules += self._held_w * (at - self.at)
        if reading.joules is not None:
            self.joules = reading.joules - self._first_j
        self.readings += 1
        self.at, self._held_w = at, reading.watts or 0.0

    def summary(self, source: str) -> Summary:
        seconds = self.at - self.began
        watts = self.joules / seconds if seconds > 0 else self._held_w
        return Summary(
            source=source, readings=self.readings, seconds=seconds, joules=self.joules, watts=watts, silent=self.silent
        )


class Monitor:
    """`processes` are looked at with the first source that counts processors alone, which their energy is divided
    from."""

    def __init__(
        self,
        sources: Sequence[Source],
        files: Files,
        clock: Clock,
        every_s: float,
        processes: ProcessWatch | None = None,
        *,
        is_table: bool = True,
    ) -> None:
        """`is_table`: what was read is kept, as `rows`."""
        self._sources, self._files, self._clock, self._every_s = sources, files, clock, every_s
        self._processes = processes
        self._told = {source.name: SoFar() for source in sources}
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        names = [source.name for source in sources]
        self._beside = next((name for name in names if name in RAPL), "")
        self._unwritten = "msr" if TWICE.issubset(names) else ""
        self._is_table, self.is_cut = is_table, False  # cut: more was read than is kept
        self.rows: list[Row] = []

    def __repr__(self) -> str:
        return f"<Monitor {len(self._sources)} sources, {len(self.rows)} rows>"

    def open(self) -> None:
        works: list[tuple[str, Callable[[], None]]] = [(one.name, partial(self.read, one)) for one in self._sources]
        if self._processes is not None and not self._beside:
            works.append(("processes", self.look))
        for name, work in works:
            self._threads.append(threading.Thread(target=self._go_on, args=(work,), name=name, daemon=True))
            self._threads[-1].start()

    def close(self) -> tuple[Summary, ...]:
        """Every source has ended, unless it does not answer."""
        self._over.set()
        for thread in self._threads:
            thread.join(ENDS_S)
        for source in self._sources:
            source.close()
        self._files.close()
        return tuple(told.summary(name) for name, told in self._told.items())

    def read(self, source: Source) -> None:
        """Once."""
        at, wall = self._clock.now(), self._clock.wall()
        try:
            reading = source.read(at)
        except SourceSilent as error:
            self._told[source.name].silent = error.message
            return
        self._told[source.name].take(at, reading)
        if source.name != self._unwritten:
            self._files.write(source.name, reading, wall)
        self._keep(wall, source.name, reading)
        if source.name == self._beside:
            self.look(at, reading.joules or 0.0)

    def _keep(self, wall: float, source: str, reading: Reading) -> None:
        if not self._is_table:
            return
        if len(self.rows) >= ROWS_MOST:
            self.is_cut = True
            return
        self.rows.append(Row(wall, source, "", reading.joules, reading.watts))
        is_power = reading.joules is None
        self.rows += [
            Row(wall, source, part, None if is_power else value, value if is_power else None)
            for part, value in reading.parts
        ]

    def look(self, at: float = 0.0, joules: float = 0.0) -> None:
        """At processes; `joules` of the machine so far."""
        if self._processes is None:
            return
        seen = self._processes.look()
        for number, pid in enumerate(self._processes.pids):
            if pid in seen:
                name = "process.log" if number == 0 else f"process-{pid}.log"
                self._files.process(seen[pid], self._clock.wall(), name)
        if self._beside:
            self._processes.take(at, joules, seen)

    def _go_on(self, work: Callable[[], None]) -> None:
        """A period begins when it is due, however long the reading before took."""
        due = self._clock.now()
        while not self._over.is_set():
            work()
            due += self._every_s
            if (late_s := self._clock.now() - due) > self._every_s:
                due += late_s
            self._over.wait(max(due - self._clock.now(), 0.0))
