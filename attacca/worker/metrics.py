"""A worker's metrics page; made from what it shows of itself when it is asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from attacca.io.exposition import Form, written
from attacca.model.sandbox import MachineLoad, WorkerView
from attacca.worker.core.telemetry import BOUNDS, Histogram, Telemetry
from attacca.worker.device_metrics import OfDevices
from attacca.worker.energy_metrics import OfEnergy

NAME = "faas_name"
DISK = {
    "read_mb_s": "Read from a disk",
    "written_mb_s": "Written to a disk",
    "reads_s": "Reads of a disk that ended",
    "writes_s": "Writes of a disk that ended",
    "wait_ms": "Of a request to a disk, on average",
    "queue": "Requests that a disk had, on average",
    "busy_share": "Of the time that a disk had something to do",
}
NETWORK = {
    "received_mb_s": "Received by a network device",
    "sent_mb_s": "Sent by a network device",
    "received_packets_s": "Packets that it received",
    "sent_packets_s": "Packets that it sent",
    "errors_s": "Packets with errors, both ways",
    "dropped_s": "Packets that it dropped, both ways",
}


def render(view: WorkerView, telemetry: Telemetry | None = None, form: Form = Form.TEXT) -> bytes:
    """Without an end."""
    of_instances = [] if telemetry is None else [_OfInstances(view.name, telemetry)]
    of_energy = [] if view.energy is None else [OfEnergy(view.energy)]
    of_devices = [OfDevices(view)] if view.devices else []
    return written(form, [_Page(view), *of_instances, *of_energy, *of_devices])


class _Page(Collector):
    def __init__(self, view: WorkerView) -> None:
        self._view = view

    def describe(self) -> Iterable[Metric]:
        return []  # nothing to clash with

    def collect(self) -> Iterator[Metric]:
        view, load = self._view, self._view.load
        yield _gauge("attacca_worker_memory_mb", "Of all sandboxes and templates together", view.capacity.memory_mb)
        yield _gauge("attacca_worker_memory_used_mb", "Held by sandboxes and templates", view.used.memory_mb)
        yield _gauge("attacca_worker_queued", "Invocations that wait here", view.queued)
        yield _gauge("attacca_worker_running", "Invocations that run", view.running)
        yield _gauge("attacca_worker_limit", "Invocations at once, as the concurrency policy has it", view.limit)
        yield _gauge("attacca_worker_draining", "1: it takes nothing new", int(view.draining))
        phases = Counter(sandbox.phase for sandbox in view.sandboxes)
        yield _each("attacca_worker_sandboxes", "Sandboxes by what they do", "phase", sorted(phases.items()))
        idle = sorted((view.idle or {}).items())
        yield _each("attacca_worker_idle", "Idle sandboxes of a function", NAME, idle)
        if load is not None:
            yield from _of_machine(load)
        used = [(one, one.use) for one in view.sandboxes if one.use is not None]
        memory = ((one.id, one.revision, use.memory_mb) for one, use in used)
        yield _sandboxes("attacca_sandbox_memory_mb", "That its processes hold", memory)
        cpu = ((one.id, one.revision, use.cpu_s) for one, use in used)
        yield _sandboxes("attacca_sandbox_cpu_seconds", "Of processors, so far", cpu)


class _OfInstances(Collector):
    """Under the names that the original has for them."""

    def __init__(self, node: str, telemetry: Telemetry) -> None:
        self._node, self._telemetry = node, telemetry

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        node, telemetry = self._node, self._telemetry
        text = "Event functions and resources whose code is there"
        count = GaugeMetricFamily("function_count", text, labels=["node_id", "function_type"])
        for kind, number in sorted(Counter(list(telemetry.made.values())).items()):
            count.add_metric([node, kind], number)
        yield count
        labels = ["node_id", "function_id", "function_type", "invocation_type"]
        executions = HistogramMetricFamily("execution_times", "Seconds that handling an event took", labels=labels)
        for (instance, kind, word), histogram in list(telemetry.executions.items()):
            executions.add_metric([node, instance, kind, word], *_buckets(histogram))
        yield executions
        text = "Seconds from when an event was sent until it was handled"
        transfers = HistogramMetricFamily("transfer_times", text, labels=["node_id", "function_id"])
        for instance, histogram in list(telemetry.transfers.items()):
            transfers.add_metric([node, instance], *_buckets(histogram))
        yield transfers
        text = "Instances that are no more, by how they ended"
        exits = CounterMetricFamily("function_exits", text, labels=["node_id", "function_type", "status"])
        for (kind, how), number in sorted(telemetry.exits.items()):
            exits.add_metric([node, kind, how], number)
        yield exits


def _buckets(histogram: Histogram) -> tuple[list[tuple[str, float]], float]:
    bounds = [*map(str, BOUNDS), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True)), histogram.sum


def _of_machine(load: MachineLoad) -> Iterator[Metric]:
    yield _gauge("attacca_machine_cpu_share", "Of all processors, since the time before", load.cpu_share)
    modes = (("user", load.user_share), ("system", load.system_share), ("wait", load.wait_share))
    yield _each("attacca_machine_cpu_mode_share", "Of all processors, by what they did", "mode", modes)
    yield _gauge("attacca_machine_load_1m", "Load average of a minute", load.load_1m)
    yield _gauge("attacca_machine_memory_mb", "That the machine has", load.memory_mb)
    yield _gauge("attacca_machine_memory_free_mb", "What the machine can still give", load.memory_free_mb)
    yield _gauge("attacca_machine_swap_used_mb", "Swapped out", load.swap_used_mb)
    yield _gauge("attacca_machine_disk_free_mb", "On the disk of the state", load.disk_free_mb)
    yield _gauge("attacca_machine_received_mb_s", "From the network", load.received_mb_s)
    yield _gauge("attacca_machine_sent_mb_s", "To the network", load.sent_mb_s)
    if load.pressure is not None:
        of, text = load.pressure, "The share of ten seconds in which some, or all, waited for it"
        family = GaugeMetricFamily("attacca_machine_pressure_share", text, labels=["resource", "kind"])
        for resource, kind in (("cpu", "some"), ("memory", "some"), ("memory", "full"), ("io", "some"), ("io", "full")):
            family.add_metric([resource, kind], getattr(of, f"{resource}_{kind}"))
        yield family
    for name, text in DISK.items():
        values = [(one.name, float(getattr(one, name))) for one in load.disks]
        yield _each(f"attacca_machine_disk_{name}", text, "device", values)
    for name, text in NETWORK.items():
        values = [(one.name, float(getattr(one, name))) for one in load.networks]
        yield _each(f"attacca_machine_network_{name}", text, "device", values)
    if load.mhz:
        yield _gauge("attacca_machine_mhz", "Of the fastest processor", load.mhz)
    if load.celsius:
        yield _gauge("attacca_machine_celsius", "Of the hottest sensor", load.celsius)


def _sandboxes(name: str, text: str, values: Iterable[tuple[str, str, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["sandbox", "revision"])
    for sandbox, revision, value in values:
        family.add_metric([sandbox, revision], value)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _each(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for of, value in values:
        family.add_metric([of], value)
    return family
