"""How busy a worker is, as points of a time series: under Ilúvatar's names what it has, and its machine under ours."""

from attacca.io.timeseries.types import Number, Point
from attacca.model.sandbox import MachineLoad, WorkerView

MEASUREMENT, TAG = "worker_load", "name"


def points(view: WorkerView, at: float) -> list[Point]:
    """`at`: seconds since 1970. There is nothing to tell of a machine that nobody measures."""
    load = view.load
    if load is None:
        return []
    tags = ((TAG, view.name), ("node_type", "worker"))
    told: tuple[tuple[str, Number], ...] = (
        ("cpu_loadavg", load.load_1m / view.cores),
        ("gpu_loadavg", _load_of_devices(view)),
        ("cpu_util", load.cpu_share * 100),
        ("cpu_queue_len", view.queued - view.devices_queued),
        ("gpu_queue_len", view.devices_queued),
        ("host_mem_pct", 100 * (1 - load.memory_free_mb / load.memory_mb) if load.memory_mb else 0.0),
        ("num_running_funcs", view.running),
    )
    found = [Point(measurement=MEASUREMENT, tags=tags, fields=told, at=at)]
    found.append(Point(measurement="machine", tags=tags, fields=_of_machine(view, load), at=at))
    for disk in load.disks:
        of_disk = (
            ("read_mb_s", disk.read_mb_s), ("written_mb_s", disk.written_mb_s), ("wait_ms", disk.wait_ms),
            ("busy_share", disk.busy_share),
        )  # fmt: skip
        found.append(Point(measurement="disk", tags=(*tags, ("device", disk.name)), fields=of_disk, at=at))
    for network in load.networks:
        of_network = (("received_mb_s", network.received_mb_s), ("sent_mb_s", network.sent_mb_s))
        found.append(Point(measurement="network", tags=(*tags, ("device", network.name)), fields=of_network, at=at))
    return found


def _load_of_devices(view: WorkerView) -> float:
    """What runs on them and waits for them, for each."""
    there = sum(not device.is_gone for device in view.devices)
    return (view.devices_queued + view.devices_running) / there if there else 0.0


def _of_machine(view: WorkerView, load: MachineLoad) -> tuple[tuple[str, Number], ...]:
    pressure = load.pressure
    pressed = () if pressure is None else (
        ("pressure_cpu", pressure.cpu_some), ("pressure_memory", pressure.memory_some),
        ("pressure_io", pressure.io_some),
    )  # fmt: skip
    return (
        ("user_share", load.user_share), ("system_share", load.system_share), ("wait_share", load.wait_share),
        ("load_1m", load.load_1m), ("memory_free_mb", load.memory_free_mb), ("disk_free_mb", load.disk_free_mb),
        ("reserved_mb", view.used.memory_mb), ("mhz", load.mhz), ("celsius", load.celsius), *pressed,
    )  # fmt: skip
