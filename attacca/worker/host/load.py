"""How busy this machine is: processors, memory, disk and network, from what the kernel counts."""

import os
from pathlib import Path
from typing import NamedTuple

from attacca.model.sandbox import MachineLoad
from attacca.worker.host.memory import available_mb

MB = 1 << 20


class Counts(NamedTuple):
    """What only grows."""

    at: float
    busy: int  # clock ticks of all processors
    total: int
    received: int  # bytes
    sent: int


class Meter:
    """`disk`: a directory on the disk that matters. `proc`: where the kernel shows its counts."""

    def __init__(self, disk: Path, proc: Path = Path("/proc")) -> None:
        self._disk, self._proc = disk, proc
        self._before: Counts | None = None

    def __repr__(self) -> str:
        return f"<Meter of {self._disk}, {'measured' if self._before is not None else 'not measured yet'}>"

    def measure(self, now: float) -> MachineLoad:
        """Rates are since the time before, and 0 the first time."""
        counts = self._count(now)
        before, self._before = self._before or counts, counts
        seconds = max(counts.at - before.at, 1e-3)
        disk = os.statvfs(self._disk)
        return MachineLoad(
            cpu_share=(counts.busy - before.busy) / max(counts.total - before.total, 1),
            load_1m=float((self._proc / "loadavg").read_text().split()[0]),
            memory_free_mb=available_mb(),
            disk_free_mb=disk.f_bavail * disk.f_frsize // MB,
            received_mb_s=(counts.received - before.received) / MB / seconds,
            sent_mb_s=(counts.sent - before.sent) / MB / seconds,
        )

    def _count(self, now: float) -> Counts:
        busy, total = processor_ticks((self._proc / "stat").read_text())
        received, sent = network_bytes((self._proc / "net" / "dev").read_text())
        return Counts(now, busy, total, received, sent)


def processor_ticks(stat: str) -> tuple[int, int]:
    """Busy ones, and all, of `/proc/stat`; what a guest takes is in the user's already (proc(5))."""
    ticks = [int(one) for one in stat.split("\n", 1)[0].split()[1:9]]
    total = sum(ticks)
    return total - ticks[3] - ticks[4], total


def network_bytes(dev: str) -> tuple[int, int]:
    """Received and sent, of `/proc/net/dev`, but for what stays on this machine."""
    received = sent = 0
    for line in dev.splitlines()[2:]:
        name, _, counts = line.partition(":")
        if name.strip() != "lo":
            fields = counts.split()
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent
