"""What single processes had of processors, and so of a machine's energy."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from attacca.worker.core.energy.attribution import IdleBy, Moment, Present, divide
from attacca.worker.host import counters
from attacca.worker.host.energy.files import Process
from attacca.worker.host.load import TICKS_S

STARTED = 19  # which word of /proc/PID/stat, behind the name


class ProcessWatch:
    """`pids` of those that are watched. Energy is divided between two looks, as a worker divides it among sandboxes."""

    def __init__(self, pids: Sequence[int], idle_w: float = 0.0, proc: Path = Path("/proc")) -> None:
        self.pids, self._idle_w, self._proc = pids, idle_w, proc
        self._before: tuple[float, float, float, dict[int, float]] | None = None
        self.joules = dict.fromkeys(pids, 0.0)

    def __repr__(self) -> str:
        return f"<ProcessWatch {len(self.pids)}, {sum(self.joules.values()):g} J>"

    def look(self) -> dict[int, Process]:
        """Those that are there."""
        found = {}
        up_s = self._up_s()
        for pid in self.pids:
            words = self._text(f"{pid}/stat").rpartition(")")[2].split()  # its name may have anything in it
            numbers = counters.numbers([*words[11:13], *words[STARTED : STARTED + 1]])
            if numbers is not None and len(numbers) == 3:
                cpu_s = (numbers[0] + numbers[1]) / TICKS_S
                there_s = max(up_s - numbers[2] / TICKS_S, 1 / TICKS_S)
                found[pid] = Process(cpu_s / there_s, cpu_s)
        return found

    def take(self, at: float, joules: float, seen: dict[int, Process]) -> None:
        """`joules`: of the machine so far; `seen` in the same moment."""
        ticks = counters.processor_ticks(self._text("stat"))
        busy_s = (ticks.user + ticks.system) / TICKS_S
        cpu_s = {pid: one.cpu_s for pid, one in seen.items()}
        before, self._before = self._before, (at, joules, busy_s, cpu_s)
        if before is None or at <= before[0]:
            return
        moment = Moment(at - before[0], max(joules - before[1], 0.0), max(busy_s - before[2], 0.0))
        present = {
            str(pid): Present(max(had - before[3][pid], 0.0), 0.0) for pid, had in cpu_s.items() if pid in before[3]
        }
        divided = divide(moment, present, self._idle_w, IdleBy.NOBODY, 0.0)
        for name, share in divided.of.items():
            self.joules[int(name)] += share.computing_j

    def _up_s(self) -> float:
        with contextlib.suppress(ValueError, IndexError):
            return float(self._text("uptime").split()[0])
        return 0.0

    def _text(self, name: str) -> str:
        """Of who is gone it is empty."""
        try:
            return (self._proc / name).read_text(errors="replace")
        except OSError:
            return ""
