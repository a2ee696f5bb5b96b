"""RAPL as `perf stat` counts it, and with it instructions and misses of caches, of all processors together.

The kernel has one counter for each package, which `-a` adds up. perf says joules itself, and how many since its line
before. Which of its events this machine has is tried before; it begins with one that counts energy, or not at all.
"""

import contextlib
from collections.abc import Callable

from attacca.worker.core.energy.said import PerfLine, perf_line
from attacca.worker.host.energy import programs
from attacca.worker.host.energy.types import Reading, SourceSilent

PACKAGE, MEMORY = "power/energy-pkg/", "power/energy-ram/"
BESIDES = ("inst_retired.any", "LLC-loads", "LLC-load-misses", "cache-references", "cache-misses")
TRIED_S = 10.0
HINT = "apt-get install linux-perf; as root, or sysctl kernel.perf_event_paranoid=-1"


class Perf:
    """`every_s`: how often perf says a line of each event. `told`: is given each line as it is."""

    name = "perf"

    def __init__(self, every_s: float, told: Callable[[str], None] | None = None) -> None:
        """
        Raises:
            SourceSilent: there is no perf, or nothing of energy that it could count.
        """
        self._told = told
        self._path = programs.found("perf", HINT)
        if not self._has(PACKAGE):
            raise SourceSilent(f"perf cannot count {PACKAGE} here", HINT)
        self.events = [PACKAGE, *(one for one in (MEMORY, *BESIDES) if self._has(one))]
        self._joules = {event: 0.0 for event in self.events if event.startswith("power/")}
        self._counts = {event: 0.0 for event in self.events if not event.startswith("power/")}
        self._lines = 0
        command = [self._path, "stat", "-a", "-x", ",", "-I", str(max(int(every_s * 1000), 10)), "-e"]
        self._stream = programs.Streaming([*command, ",".join(self.events)], self._hear, on_stderr=True)

    def __repr__(self) -> str:
        return f"<Perf {len(self.events)} events, {sum(self._joules.values()):g} J, {self._stream!r}>"

    def read(self, at: float) -> Reading:
        if not self._stream.is_running:
            raise SourceSilent("perf has ended", HINT)
        if not self._lines:
            raise SourceSilent("perf has said nothing yet")
        return Reading(
            joules=sum(self._joules.values()), parts=tuple(self._joules.items()), counts=tuple(self._counts.items())
        )

    def close(self) -> None:
        self._stream.close()

    def _has(self, event: str) -> bool:
        with contextlib.suppress(SourceSilent):
            command = [self._path, "stat", "-a", "-x", ",", "-o", "/dev/stdout", "-e", event, "true"]
            text = programs.Asking(command, TRIED_S).ask()
            return any(perf_line(f"0,{line}") is not None for line in text.splitlines())
        return False

    def _hear(self, line: str) -> None:
        found: PerfLine | None = perf_line(line)
        if found is not None:
            self._lines += 1
            if found.event in self._joules and found.unit == "Joules":
                self._joules[found.event] += found.value
            elif found.event in self._counts:
                self._counts[found.event] += found.value
        if self._told is not None:
            self._told(line)
