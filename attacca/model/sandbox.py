"""What the planes tell one another about sandboxes and workers."""

import msgspec

from attacca.model.energy import EnergyView
from attacca.model.monitor import DiskRates, NetworkRates, Pressure, SandboxUse
from attacca.model.resources import NOTHING, Resources


class SandboxView(msgspec.Struct, frozen=True, kw_only=True):
    """One sandbox as `attacca top` and `attacca describe` show it."""

    id: str
    revision: str
    phase: str
    resources: Resources
    busy: int  # invocations in it now
    served: int
    age_s: float
    idle_s: float
    use: SandboxUse | None = None  # None: nobody measures it, or it was not looked at yet


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A measured quantity so far. `ewma` weighs the newest value by 0.1 (Ilúvatar's characteristics map)."""

    count: int = 0
    mean: float = 0.0
    ewma: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class FunctionView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's statistics of one function. Gaps in seconds, all other quantities in milliseconds."""

    function: str
    invocations: int = 0
    cold: int = 0
    template: int = 0
    prewarmed: int = 0
    warm: int = 0
    errors: int = 0
    gap_s: Summary = Summary()
    exec_ms: Summary = Summary()
    cold_ms: Summary = Summary()  # start to answer, cold starts
    warm_ms: Summary = Summary()
    queued: int = 0
    running: int = 0
    idle: int = 0
    templates: int = 0
    kept: int = 0  # of min_sandboxes: so many are kept whatever others need


class MachineCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker's machine has counted since it began, of networks and disks; and what the worker's process takes,
    without its sandboxes."""

    load_5m: float = 0.0
    load_15m: float = 0.0
    received_bytes: int = 0
    received_packets: int = 0
    received_errors: int = 0
    sent_bytes: int = 0
    sent_packets: int = 0
    sent_errors: int = 0
    disk_read_bytes: int = 0
    disk_written_bytes: int = 0
    process_share: float = 0.0  # of one processor
    process_kb: int = 0
    process_virtual_kb: int = 0


class MachineLoad(msgspec.Struct, frozen=True, kw_only=True):
    """How busy a worker's machine is, whoever makes it so."""

    cpu_share: float  # of all processors, 0 to 1
    load_1m: float
    memory_free_mb: int
    disk_free_mb: int
    received_mb_s: float
    sent_mb_s: float
    counts: MachineCounts | None = None
    user_share: float = 0.0  # of all processors, likewise the next three; `cpu_share` is all but the wait
    system_share: float = 0.0
    wait_share: float = 0.0  # idle, while something waited for a disk
    stolen_share: float = 0.0  # by other machines on the same processors
    memory_mb: int = 0  # all that the machine has; 0: it is not said
    swap_used_mb: int = 0
    pressure: Pressure | None = None  # None: this kernel does not say
    disks: tuple[DiskRates, ...] = ()
    networks: tuple[NetworkRates, ...] = ()
    mhz: float = 0.0  # of the fastest processor; 0: the machine does not say, likewise the next
    celsius: float = 0.0  # of the hottest sensor
    watts: float = 0.0  # that the machine takes; 0: nobody asks it


class LoadSeen(msgspec.Struct, frozen=True, kw_only=True):
    """How busy a machine was, a while ago."""

    ago_s: float
    load: MachineLoad


class DeviceView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An accelerator of a worker, and what sandboxes hold of it."""

    name: str
    model: str = ""
    memory_mb: int = 0  # 0: unknown
    share: float = 0.0  # that is held, of 1
    held_mb: float = 0.0
    sandboxes: int = 0
    is_gone: bool = False


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's own summary, for `attacca top`, control and balancing."""

    name: str
    capacity: Resources  # of all its sandboxes and templates
    used: Resources
    queued: int
    running: int
    limit: int  # invocations at once, as the concurrency policy has it now
    cores: int = 1
    draining: bool = False  # or cordoned: it is given nothing new
    devices: tuple[DeviceView, ...] = ()
    devices_queued: int = 0  # of the invocations that are queued, those that wait for one
    devices_running: int = 0
    load: MachineLoad | None = None  # None: nobody measures it
    functions: tuple[FunctionView, ...] = ()
    sandboxes: tuple[SandboxView, ...] = ()
    spare: Resources = NOTHING  # of what is used: what goes where room is wanted, as idle sandboxes do
    wanted: Resources = NOTHING  # by the first that waits for room, whose sandboxes the worker makes by itself
    idle: dict[str, int] | None = None  # by function, where there are any; None: nobody asks, or `functions` say it
    energy: EnergyView | None = None  # None: nobody measures it; its functions are there where `functions` are

    @property
    def devices_gone(self) -> int:
        return sum(device.is_gone for device in self.devices)


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker can reserve of: a `reserve.Budget`."""

    resources: Resources
    memory_buffer_mb: int = 0
    templates: bool = True
