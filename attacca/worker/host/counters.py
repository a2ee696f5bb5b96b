"""What the kernel counts of processors, disks and networks, read from its text; what is no such line is passed over.

A count may jump back: a device was taken out and another one has its name, or a machine was moved. Then nothing was
counted since, and the next look has something to compare with again.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from attacca.model.monitor import DiskRates, NetworkRates, Pressure

MB = 1 << 20
SECTOR_BYTES = 512  # of /proc/diskstats, whatever the disk has
DISK = re.compile(r"(sd|vd|xvd|hd)[a-z]+|nvme\d+n\d+|mmcblk\d+")  # a whole one, on which no other is stacked
DEVICES = 64  # at most, of each kind: a machine may have a network device for each sandbox
NUMBER = re.compile(r"\d{1,20}")


class Ticks(NamedTuple):
    """Clock ticks of all processors since the machine began."""

    user: int = 0  # with those of guests, and those that were nice
    system: int = 0  # with interrupts
    idle: int = 0
    wait: int = 0  # idle, while something waited for a disk
    stolen: int = 0  # by other machines on the same processors

    @property
    def busy(self) -> int:
        return self.user + self.system + self.stolen


class Shares(NamedTuple):
    """Of the time of all processors, each 0 to 1."""

    busy: float = 0.0
    user: float = 0.0
    system: float = 0.0
    wait: float = 0.0
    stolen: float = 0.0


class DiskCounts(NamedTuple):
    reads: int
    read_sectors: int
    read_ms: int
    writes: int
    written_sectors: int
    written_ms: int
    busy_ms: int
    queue_ms: int


class NetworkCounts(NamedTuple):
    received_bytes: int = 0
    received_packets: int = 0
    received_errors: int = 0
    received_dropped: int = 0
    sent_bytes: int = 0
    sent_packets: int = 0
    sent_errors: int = 0
    sent_dropped: int = 0


def processor_ticks(stat: str) -> Ticks:
    """Of `/proc/stat`; what a guest takes is in the user's already (proc(5))."""
    words = stat.split("\n", 1)[0].split()
    ticks = numbers(words[1:9]) if words[:1] == ["cpu"] else None
    if ticks is None or len(ticks) < 4:
        return Ticks()
    user, nice, system, idle, wait, hard, soft, stolen = (*ticks, 0, 0, 0, 0)[:8]
    return Ticks(user + nice, system + hard + soft, idle, wait, stolen)


def shares(before: Ticks, now: Ticks) -> Shares:
    """Nothing, where no time has passed. The wait may be counted back by the kernel itself."""
    spent = [max(b - a, 0) for a, b in zip(before, now, strict=True)]
    total = sum(spent)
    if total == 0:
        return Shares()
    user, system, _, wait, stolen = (one / total for one in spent)
    return Shares(min(user + system + stolen, 1.0), user, system, wait, stolen)


def disk_counts(diskstats: str) -> dict[str, DiskCounts]:
    """Of each whole disk of `/proc/diskstats`, by name."""
    found: dict[str, DiskCounts] = {}
    for line in diskstats.splitlines():
        words = line.split()
        if len(words) < 14 or not DISK.fullmatch(words[2]) or len(found) >= DEVICES:
            continue
        counts = numbers(words[3:14])
        if counts is not None:
            reads, _, read, read_ms, writes, _, written, written_ms, _, busy_ms, queue_ms = counts
            found[words[2]] = DiskCounts(reads, read, read_ms, writes, written, written_ms, busy_ms, queue_ms)
    return found


def disk_rates(before: dict[str, DiskCounts], now: dict[str, DiskCounts], seconds: float) -> Iterator[DiskRates]:
    """Of those that were there both times."""
    for name, counts in now.items():
        if name not in before:
            continue
        more = DiskCounts(*_since(before[name], counts))
        requests = more.reads + more.writes
        yield DiskRates(
            name=name,
            read_mb_s=more.read_sectors * SECTOR_BYTES / MB / seconds,
            written_mb_s=more.written_sectors * SECTOR_BYTES / MB / seconds,
            reads_s=more.reads / seconds,
            writes_s=more.writes / seconds,
            wait_ms=(more.read_ms + more.written_ms) / requests if requests else 0.0,
            queue=more.queue_ms / 1000 / seconds,
            busy_share=min(more.busy_ms / 1000 / seconds, 1.0),
        )


def network_counts(dev: str) -> dict[str, NetworkCounts]:
    """Of each device of `/proc/net/dev`, by name, but for what stays here."""
    found: dict[str, NetworkCounts] = {}
    for line in dev.splitlines()[2:]:
        name, colon, rest = line.partition(":")
        counts = numbers(rest.split()) if colon else None
        if counts is not None and len(counts) >= 12 and name.strip() != "lo" and len(found) < DEVICES:
            found[name.strip()] = NetworkCounts(*counts[:4], *counts[8:12])
    return found


def network_rates(
    before: dict[str, NetworkCounts], now: dict[str, NetworkCounts], seconds: float
) -> Iterator[NetworkRates]:
    """Of those that were there both times."""
    for name, counts in now.items():
        if name not in before:
            continue
        more = NetworkCounts(*_since(before[name], counts))
        yield NetworkRates(
            name=name,
            received_mb_s=more.received_bytes / MB / seconds,
            sent_mb_s=more.sent_bytes / MB / seconds,
            received_packets_s=more.received_packets / seconds,
            sent_packets_s=more.sent_packets / seconds,
            errors_s=(more.received_errors + more.sent_errors) / seconds,
            dropped_s=(more.received_dropped + more.sent_dropped) / seconds,
        )


def pressure(cpu: str, memory: str, io: str) -> Pressure | None:
    """Of the files of `/proc/pressure`; None: this kernel does not say."""
    if not cpu and not memory and not io:
        return None
    return Pressure(
        cpu_some=_pressed(cpu, "some"),
        memory_some=_pressed(memory, "some"),
        memory_full=_pressed(memory, "full"),
        io_some=_pressed(io, "some"),
        io_full=_pressed(io, "full"),
    )


def _pressed(text: str, kind: str) -> float:
    for line in text.splitlines():
        words = line.split()
        if words[:1] == [kind] and len(words) > 1 and words[1].startswith("avg10="):
            try:
                percent = float(words[1].removeprefix("avg10="))
            except ValueError:
                return 0.0
            return min(max(percent, 0.0), 100.0) / 100 if percent == percent else 0.0  # NaN is not itself
    return 0.0


def load_averages(loadavg: str) -> tuple[float, float, float]:
    """Of one, five and fifteen minutes; 0: they are not said."""
    words = loadavg.split()[:3]
    try:
        one, five, fifteen = map(float, words)
    except ValueError:
        return 0.0, 0.0, 0.0
    return one, five, fifteen


def process_ticks(stat: str) -> int:
    """Clock ticks of a process of /proc/PID/stat, and of its children that it has waited for; 0: it is gone."""
    times = numbers(stat.rpartition(")")[2].split()[11:15])  # its name may have anything in it
    return sum(times) if times is not None else 0


def numbers(words: list[str]) -> list[int] | None:
    """None: one of them is none."""
    return [int(word) for word in words] if all(NUMBER.fullmatch(word) for word in words) else None


def _since(before: tuple[int, ...], now: tuple[int, ...]) -> list[int]:
    """Nothing of all, if one has jumped back: what else is counted anew cannot be told."""
    more = [b - a for a, b in zip(before, now, strict=True)]
    return more if min(more) >= 0 else [0] * len(more)
