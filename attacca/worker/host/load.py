"""How busy this machine is: processors, memory, disks, networks and pressure, from what the kernel counts."""

import os
from collections import deque
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from attacca.model.sandbox import LoadSeen, MachineCounts, MachineLoad
from attacca.worker.host import counters
from attacca.worker.host.counters import MB, SECTOR_BYTES, DiskCounts, NetworkCounts, Ticks
from attacca.worker.host.memory import available_mb
from attacca.worker.host.sensors import Sensors
from attacca.worker.host.watch import fields

PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
TICKS_S = os.sysconf("SC_CLK_TCK")
KEPT = 60  # looks; one a second makes a minute
MEMORY = ("MemTotal", "SwapTotal", "SwapFree")


class Counts(NamedTuple):
    """What only grows, unless it jumps back."""

    at: float
    ticks: Ticks
    disks: dict[str, DiskCounts]
    networks: dict[str, NetworkCounts]
    own: int  # clock ticks of this process


class Meter:
    """`disk`: a directory on the disk that matters. `proc`, `sys`: where the kernel shows its counts and sensors."""

    def __init__(self, disk: Path, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> None:
        self._disk, self._proc = disk, proc
        self._sensors = Sensors(sys)
        self._before: Counts | None = None
        self._seen: deque[tuple[float, MachineLoad]] = deque(maxlen=KEPT)

    def __repr__(self) -> str:
        return f"<Meter of {self._disk}, {len(self._seen)} looks>"

    def measure(self, now: float, watts: float = 0.0) -> MachineLoad:
        """Rates are since the time before, and 0 the first time. What a kernel does not say is 0. `watts`: as somebody
        else has measured them."""
        counts = Counts(
            now,
            counters.processor_ticks(self._text("stat")),
            counters.disk_counts(self._text("diskstats")),
            counters.network_counts(self._text("net", "dev")),
            0,
        )
        own, resident, virtual = process_counts(self._text("self", "stat"), self._text("self", "statm"))
        counts = counts._replace(own=own)
        before, self._before = self._before or counts, counts
        load = replace(self._load(before, counts, resident, virtual), watts=watts)
        self._seen.append((now, load))
        return load

    def history(self, now: float) -> tuple[LoadSeen, ...]:
        """The latest looks, at most sixty, the oldest first."""
        return tuple(LoadSeen(ago_s=max(now - at, 0.0), load=load) for at, load in self._seen)

    def _load(self, before: Counts, now: Counts, resident: int, virtual: int) -> MachineLoad:
        seconds = max(now.at - before.at, 1e-3)
        disks = tuple(counters.disk_rates(before.disks, now.disks, seconds))
        networks = tuple(counters.network_rates(before.networks, now.networks, seconds))
        shares = counters.shares(before.ticks, now.ticks)
        memory = fields(self._text("meminfo"), MEMORY)
        disk = os.statvfs(self._disk)
        load_1m, load_5m, load_15m = counters.load_averages(self._text("loadavg"))
        network, read, written = summed(now)
        return MachineLoad(
            cpu_share=shares.busy,
            load_1m=load_1m,
            memory_free_mb=available_mb(),
            disk_free_mb=disk.f_bavail * disk.f_frsize // MB,
            received_mb_s=sum(one.received_mb_s for one in networks),
            sent_mb_s=sum(one.sent_mb_s for one in networks),
            counts=MachineCounts(
                load_5m=load_5m,
                load_15m=load_15m,
                received_bytes=network.received_bytes,
                received_packets=network.received_packets,
                received_errors=network.received_errors,
                sent_bytes=network.sent_bytes,
                sent_packets=network.sent_packets,
                sent_errors=network.sent_errors,
                disk_read_bytes=read,
                disk_written_bytes=written,
                process_share=max(now.own - before.own, 0) / TICKS_S / seconds,
                process_kb=resident,
                process_virtual_kb=virtual,
            ),
            user_share=shares.user,
            system_share=shares.system,
            wait_share=shares.wait,
            stolen_share=shares.stolen,
            memory_mb=memory.get("MemTotal", 0) // 1024,
            swap_used_mb=max(memory.get("SwapTotal", 0) - memory.get("SwapFree", 0), 0) // 1024,
            pressure=counters.pressure(*(self._text("pressure", of) for of in ("cpu", "memory", "io"))),
            disks=disks,
            networks=networks,
            mhz=self._sensors.mhz(),
            celsius=self._sensors.celsius(),
        )

    def _text(self, *names: str) -> str:
        """What a kernel may leave out is empty."""
        try:
            return self._proc.joinpath(*names).read_text(errors="replace")
        except OSError:
            return ""


def summed(counts: Counts) -> tuple[NetworkCounts, int, int]:
    """Of all network devices together; and bytes of all disks that were read and written."""
    network = NetworkCounts(*(sum(column) for column in zip(NetworkCounts(), *counts.networks.values(), strict=True)))
    read = sum(one.read_sectors for one in counts.disks.values()) * SECTOR_BYTES
    return network, read, sum(one.written_sectors for one in counts.disks.values()) * SECTOR_BYTES


def process_counts(stat: str, statm: str) -> tuple[int, int, int]:
    """Clock ticks of a process, and what it has of memory and of addresses, in kB; 0: it is not said."""
    times = counters.numbers(stat.rpartition(")")[2].split()[11:13])  # its name may have anything in it
    pages = counters.numbers(statm.split()[:2])
    if not times or pages is None or len(pages) < 2:
        return 0, 0, 0
    virtual, resident = (one * PAGE_KB for one in pages)
    return sum(times), resident, virtual
