"""What each sandbox uses of processors and memory: its cgroup says it, or else its processes do."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from attacca.model.monitor import SandboxUse
from attacca.model.sandbox import SandboxView
from attacca.worker.host.cgroups import Group
from attacca.worker.host.counters import MB, process_ticks
from attacca.worker.host.load import PAGE_KB, TICKS_S

PROCESSES = 1024  # of one sandbox
RARELY = 20  # at most one part in so many of the time goes into looking


class Living(Protocol):
    """A process that a sandbox began with, and its cgroup."""

    pid: int
    group: Group | None


class Uses:
    """Looks in another thread, at most one look at a time. `living` says which sandboxes there are, by name."""

    def __init__(self, living: Callable[[], Mapping[str, Living]], proc: Path = Path("/proc")) -> None:
        self._living, self._proc = living, proc
        self._found: dict[str, SandboxUse] = {}
        self._at = 0.0
        self._rests_until = 0.0
        self._is_looking = False

    def __repr__(self) -> str:
        return f"<Uses of {len(self._found)} sandboxes{', looking' if self._is_looking else ''}>"

    def look(self, now: float) -> None:
        """Have a look, unless one is under way or the last took long a moment ago."""
        who = {name: (one.pid, one.group) for name, one in self._living().items() if one.pid}
        if self._is_looking or now < self._rests_until:
            return
        if not who:
            self._found = {}
            return
        self._is_looking = True
        loop = asyncio.get_running_loop()
        began = loop.time()

        def done(future: "asyncio.Future[dict[str, SandboxUse]]") -> None:
            self._is_looking = False
            self._rests_until = now + (loop.time() - began) * RARELY
            if not future.cancelled() and future.exception() is None:
                self._found, self._at = future.result(), now

        loop.run_in_executor(None, self.found, who, now - self._at).add_done_callback(done)

    def found(self, who: Mapping[str, tuple[int, Group | None]], seconds: float) -> dict[str, SandboxUse]:
        """Of processes and cgroups by sandbox; `seconds` since the look before. What is gone is left out."""
        uses = {}
        for name, (pid, group) in who.items():
            cpu_s, kb, processes = self._of_processes(pid)
            if processes == 0:
                continue
            memory_mb = kb / 1024
            if group is not None:
                held, spent_us = group.used()
                memory_mb = held / MB
                cpu_s = cpu_s if spent_us is None else spent_us / 1e6
            before = self._found.get(name)
            more = 0.0 if before is None else max(cpu_s - before.cpu_s, 0.0)
            uses[name] = SandboxUse(
                cpu_s=round(cpu_s, 6),
                cpu_share=round(more / max(seconds, 1e-3), 4),
                memory_mb=round(memory_mb, 2),
                processes=processes,
            )
        return uses

    def with_use(self, sandboxes: tuple[SandboxView, ...]) -> tuple[SandboxView, ...]:
        found = self._found
        return tuple(replace(one, use=found[one.id]) if one.id in found else one for one in sandboxes)

    def _of_processes(self, first: int) -> tuple[float, int, int]:
        """Seconds of processors, kB that they have in memory, pages that several share for each of them; and how many
        they are."""
        ticks = kb = 0
        seen: set[int] = set()
        waiting = [first]
        while waiting and len(seen) < PROCESSES:
            pid = waiting.pop()
            if pid in seen or not (stat := self._text(f"{pid}/stat")):
                continue
            seen.add(pid)
            ticks += process_ticks(stat)
            pages = self._text(f"{pid}/statm").split()[1:2]
            kb += int(pages[0]) * PAGE_KB if pages and pages[0].isdecimal() else 0
            with contextlib.suppress(OSError):
                for task in os.listdir(self._proc / str(pid) / "task"):
                    waiting += [int(one) for one in self._text(f"{pid}/task/{task}/children").split()]
        return ticks / TICKS_S, kb, len(seen)

    def _text(self, name: str) -> str:
        """Of who is gone it is empty."""
        try:
            return (self._proc / name).read_text(errors="replace")
        except OSError:
            return ""
