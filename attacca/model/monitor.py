"""What is measured of a machine beside how busy it is as a whole: its disks and networks one by one, pressure, and what
each sandbox uses."""

import msgspec


class DiskRates(msgspec.Struct, frozen=True, kw_only=True):
    """What one disk did since the time before, as iostat has it."""

    name: str
    read_mb_s: float = 0.0
    written_mb_s: float = 0.0
    reads_s: float = 0.0
    writes_s: float = 0.0
    wait_ms: float = 0.0  # of a request, on average, from when it was asked for to its end
    queue: float = 0.0  # requests that it had or that waited for it, on average
    busy_share: float = 0.0  # of the time, 0 to 1


class NetworkRates(msgspec.Struct, frozen=True, kw_only=True):
    """What passed one network device since the time before."""

    name: str
    received_mb_s: float = 0.0
    sent_mb_s: float = 0.0
    received_packets_s: float = 0.0
    sent_packets_s: float = 0.0
    errors_s: float = 0.0  # both ways
    dropped_s: float = 0.0  # both ways


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """The share of the last ten seconds, 0 to 1, in which some that wanted to run, or all of them, waited for it."""

    cpu_some: float = 0.0
    memory_some: float = 0.0
    memory_full: float = 0.0
    io_some: float = 0.0
    io_full: float = 0.0


class SandboxUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the processes of one sandbox use."""

    cpu_s: float  # processor time since it began, of those that live and of those that were waited for
    cpu_share: float  # of one processor, since the time before; more than 1: several were at it
    memory_mb: float
    processes: int
