"""A worker's metrics page; made from what it shows of itself when it is asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from attacca.model.sandbox import WorkerView
from attacca.worker.core.telemetry import BOUNDS, Histogram, Telemetry

NAME = "faas_name"


def render(view: WorkerView, telemetry: Telemetry | None = None) -> bytes:
    """Prometheus text."""
    registry = CollectorRegistry()
    registry.register(_Page(view))
    if telemetry is not None:
        registry.register(_OfInstances(view.name, telemetry))
    return generate_latest(registry)


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
        idle = sorted((one.function, one.idle) for one in view.functions)
        yield _each("attacca_worker_idle", "Idle sandboxes of a function", NAME, idle)
        if load is not None:
            yield _gauge("attacca_machine_cpu_share", "Of all processors, since the time before", load.cpu_share)
            yield _gauge("attacca_machine_load_1m", "Load average of a minute", load.load_1m)
            yield _gauge("attacca_machine_memory_free_mb", "What the machine can still give", load.memory_free_mb)
            yield _gauge("attacca_machine_disk_free_mb", "On the disk of the state", load.disk_free_mb)
            yield _gauge("attacca_machine_received_mb_s", "From the network", load.received_mb_s)
            yield _gauge("attacca_machine_sent_mb_s", "To the network", load.sent_mb_s)


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
        for kind, number in sorted(Counter(telemetry.made.values()).items()):
            count.add_metric([node, kind], number)
        yield count
        labels = ["node_id", "function_id", "function_type", "invocation_type"]
        executions = HistogramMetricFamily("execution_times", "Seconds that handling an event took", labels=labels)
        for (instance, kind, word), histogram in telemetry.executions.items():
            executions.add_metric([node, instance, kind, word], *_buckets(histogram))
        yield executions
        text = "Seconds from when an event was sent until it was handled"
        transfers = HistogramMetricFamily("transfer_times", text, labels=["node_id", "function_id"])
        for instance, histogram in telemetry.transfers.items():
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


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _each(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for of, value in values:
        family.add_metric([of], value)
    return family
