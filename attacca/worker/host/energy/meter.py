"""Looks at a machine's energy and at what its sandboxes had of processors, together, in a thread of its own."""

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from attacca.kernel.clock import Clock
from attacca.model.energy import EnergyView
from attacca.worker.core.energy.ledger import Ledger, Look
from attacca.worker.host import counters
from attacca.worker.host.cgroups import Group
from attacca.worker.host.energy.types import Reading, Source, SourceSilent
from attacca.worker.host.load import TICKS_S
from attacca.worker.host.uses import Living, Uses

LOG = logging.getLogger("attacca.energy")
TICK_S = 1 / TICKS_S
PART_MOST = len("gpu999")
Who = Mapping[str, tuple[int, Group | None]]  # process and cgroup of each sandbox


class Seen(NamedTuple):
    look: Look
    accelerators_w: tuple[float, ...]


class RowSink(Protocol):
    """Where what was read is written down."""

    def write(self, source: str, reading: Reading, wall: float) -> None: ...
    def close(self) -> None: ...


class EnergyMeter:
    """What it finds goes into the ledger, on the event loop. Whoever is asked takes as long as he takes: until then
    nobody is asked anew, and nobody waits."""

    def __init__(
        self,
        source: Source,
        ledger: Ledger,
        living: Callable[[], Mapping[str, Living]],
        clock: Clock,
        every_s: float,
        accelerators: Source | None = None,
        kept: RowSink | None = None,
        proc: Path = Path("/proc"),
    ) -> None:
        """`living`: the sandboxes that there are, by name."""
        self.ledger = ledger
        self._source, self._accelerators, self._kept = source, accelerators, kept
        self._living, self._clock, self._every_s, self._proc = living, clock, every_s, proc
        self._uses = Uses(living, proc)
        self._asked: queue.SimpleQueue[Who | None] = queue.SimpleQueue()
        self._is_looking = self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._accelerators_w: tuple[float, ...] = ()
        self._integral_j, self._held_w, self._read_at = 0.0, 0.0, 0.0
        self._silent: dict[str, str] = {}  # by source: what it last said instead of a figure

    def __repr__(self) -> str:
        return f"<EnergyMeter by {self._source!r} into {self.ledger!r}{', looking' if self._is_looking else ''}>"

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._work, args=(loop,), name="energy", daemon=True).start()
        self._ask()

    def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._asked.put(None)
        self._source.close()
        if self._accelerators is not None:
            self._accelerators.close()

    def view(self, *, is_whole: bool = True) -> EnergyView:
        return replace(self.ledger.view(is_whole=is_whole), accelerators_w=self._accelerators_w)

    # On the loop.

    def _ask(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._ask)
        if not self._is_looking:
            self._is_looking = True
            self._asked.put({name: (one.pid, one.group) for name, one in self._living().items() if one.pid})

    def _tell(self, seen: Seen | None) -> None:
        self._is_looking = False
        if seen is not None and not self._is_closed:
            self._accelerators_w = seen.accelerators_w
            self.ledger.take(seen.look)

    # In the thread.

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (who := self._asked.get()) is not None:
            seen = None
            try:
                seen = self.look(who)
            except SourceSilent as error:
                if not self._is_closed:
                    self._complain(self._source, error)
            except Exception:
                LOG.exception("what the machine spends could not be looked at")
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._tell, seen)
        if self._kept is not None:
            self._kept.close()

    def look(self, who: Who) -> Seen:
        """
        Raises:
            SourceSilent: the source says nothing.
        """
        at = self._clock.now()
        reading = self._source.read(at)
        read_at = self._clock.now()
        cpu_s = {name: use.cpu_s for name, use in self._uses.found(who, 1.0).items()}
        try:
            ticks = counters.processor_ticks((self._proc / "stat").read_text(errors="replace"))
        except OSError as error:
            raise SourceSilent(f"{self._proc}/stat cannot be read: {error.strerror}") from None
        ended_at = self._clock.now()
        self._silent.pop(self._source.name, None)
        if self._kept is not None:
            self._kept.write(self._source.name, reading, self._clock.wall())
        joules = self._joules(read_at, reading)
        look = Look(read_at, joules, (ticks.user + ticks.system) / TICKS_S, cpu_s, ended_at - at)
        return Seen(look, self._of_accelerators(read_at))

    def _joules(self, at: float, reading: Reading) -> float:
        """Where it says what is taken now, that is taken until it says something else."""
        if reading.joules is not None:
            return reading.joules
        if self._read_at:
            self._integral_j += self._held_w * max(at - self._read_at, 0.0)
        self._read_at, self._held_w = at, reading.watts or 0.0
        return self._integral_j

    def _of_accelerators(self, at: float) -> tuple[float, ...]:
        if self._accelerators is None:
            return ()
        try:
            reading = self._accelerators.read(at)
        except SourceSilent as error:
            self._complain(self._accelerators, error)
            return ()
        self._silent.pop(self._accelerators.name, None)
        if self._kept is not None:
            self._kept.write(self._accelerators.name, reading, self._clock.wall())
        return by_number(reading.parts)

    def _complain(self, source: Source, error: SourceSilent) -> None:
        if self._silent.get(source.name) != error.message:
            self._silent[source.name] = error.message
            LOG.warning("energy: %s; try: %s", error.message, error.hint or "attacca doctor")


def by_number(parts: Iterable[tuple[str, float]]) -> tuple[float, ...]:
    """Of `gpuN` at N; 0: that one does not say, or is none."""
    numbered = {int(name[3:]): watts for name, watts in parts if name[3:].isdecimal() and len(name) <= PART_MOST}
    return tuple(numbered.get(number, 0.0) for number in range(max(numbered, default=-1) + 1))
