"""How busy this machine is: processors, memory, disk and network, from what the kernel counts."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from attacca.model.sandbox import MachineCounts, MachineLoad
from attacca.worker.host.memory import available_mb

MB = 1 << 20
SECTOR_BYTES = 512  # of /proc/diskstats, whatever the disk has
DISK = re.compile(r"(sd|vd|xvd|hd)[a-z]+|nvme\d+n\d+|mmcblk\d+")  # a whole one, on which no other is stacked
PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
TICKS_S = os.sysconf("SC_CLK_TCK")


class Counts(NamedTuple):
    """What only grows."""

    at: float
    busy: int  # clock ticks of all processors
    total: int
    received: int  # bytes
    sent: int
    own: int  # clock ticks of this process


class Meter:
    """`disk`: a directory on the disk that matters. `proc`: where the kernel shows its counts."""

    def __init__(self, disk: Path, proc: Path = Path("/proc")) -> None:
        self._disk, self._proc = disk, proc
        self._before: Counts | None = None

    def __repr__(self) -> str:
        return f"<Meter of {self._disk}, {'measured' if self._before is not None else 'not measured yet'}>"

    def measure(self, now: float) -> MachineLoad:
        """Rates are since the time before, and 0 the first time."""
        network = network_counts((self._proc / "net" / "dev").read_text())
        busy, total = processor_ticks((self._proc / "stat").read_text())
        own, resident, virtual = process_counts(self._text("self", "stat"), self._text("self", "statm"))
        counts = Counts(now, busy, total, network[0], network[3], own)
        before, self._before = self._before or counts, counts
        seconds = max(counts.at - before.at, 1e-3)
        disk = os.statvfs(self._disk)
        load_1m, load_5m, load_15m = map(float, (self._proc / "loadavg").read_text().split()[:3])
        disk_read, disk_written = disk_bytes(self._text("diskstats"))
        return MachineLoad(
            cpu_share=(counts.busy - before.busy) / max(counts.total - before.total, 1),
            load_1m=load_1m,
            memory_free_mb=available_mb(),
            disk_free_mb=disk.f_bavail * disk.f_frsize // MB,
            received_mb_s=(counts.received - before.received) / MB / seconds,
            sent_mb_s=(counts.sent - before.sent) / MB / seconds,
            counts=MachineCounts(
                load_5m=load_5m,
                load_15m=load_15m,
                received_bytes=network[0],
                received_packets=network[1],
                received_errors=network[2],
                sent_bytes=network[3],
                sent_packets=network[4],
                sent_errors=network[5],
                disk_read_bytes=disk_read,
                disk_written_bytes=disk_written,
                process_share=(counts.own - before.own) / TICKS_S / seconds,
                process_kb=resident,
                process_virtual_kb=virtual,
            ),
        )

    def _text(self, *names: str) -> str:
        """What a kernel may leave out is empty."""
        try:
            return self._proc.joinpath(*names).read_text()
        except OSError:
            return ""


def processor_ticks(stat: str) -> tuple[int, int]:
    """Busy ones, and all, of `/proc/stat`; what a guest takes is in the user's already (proc(5))."""
    ticks = [int(one) for one in stat.split("\n", 1)[0].split()[1:9]]
    total = sum(ticks)
    return total - ticks[3] - ticks[4], total


def network_counts(dev: str) -> tuple[int, ...]:
    """Bytes, packets and errors received, and the same sent, of `/proc/net/dev`, but for what stays here."""
    found = [0] * 6
    for line in dev.splitlines()[2:]:
        name, _, counts = line.partition(":")
        if name.strip() != "lo":
            fields = [int(one) for one in counts.split()]
            found = [sum(pair) for pair in zip(found, (*fields[:3], *fields[8:11]), strict=True)]
    return tuple(found)


def disk_bytes(diskstats: str) -> tuple[int, int]:
    """Read and written, of `/proc/diskstats`."""
    disks = [line.split() for line in diskstats.splitlines()]
    whole = [fields for fields in disks if DISK.fullmatch(fields[2])]
    read, written = (sum(int(fields[at]) for fields in whole) for at in (5, 9))
    return read * SECTOR_BYTES, written * SECTOR_BYTES


def process_counts(stat: str, statm: str) -> tuple[int, int, int]:
    """Clock ticks of a process, and what it has of memory and of addresses, in kB; 0: it is not said."""
    if not stat or not statm:
        return 0, 0, 0
    times = stat.rpartition(")")[2].split()  # its name may have anything in it
    virtual, resident = (int(one) * PAGE_KB for one in statm.split()[:2])
    return int(times[11]) + int(times[12]), resident, virtual
