"""What a metrics page says of the accelerators of a worker; nothing, where it has none."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from attacca.model.sandbox import DeviceView, WorkerView

TOLD: tuple[tuple[str, str, Callable[[DeviceView], float]], ...] = (
    ("there", "1: the accelerator is there", lambda one: int(not one.is_gone)),
    ("share", "Of an accelerator, that sandboxes hold", lambda one: one.share),
    ("memory_mb", "Of an accelerator; 0: unknown", lambda one: one.memory_mb),
    ("memory_held_mb", "Of its memory, that sandboxes hold", lambda one: one.held_mb),
    ("sandboxes", "Sandboxes that hold some of an accelerator", lambda one: one.sandboxes),
)


class OfDevices(Collector):
    def __init__(self, view: WorkerView) -> None:
        self._view = view

    def describe(self) -> Iterable[Metric]:
        return []  # nothing to clash with

    def collect(self) -> Iterator[Metric]:
        view = self._view
        yield GaugeMetricFamily("attacca_devices_queued", "Invocations that wait for one", value=view.devices_queued)
        yield GaugeMetricFamily("attacca_devices_running", "Invocations that run with one", value=view.devices_running)
        for name, text, value in TOLD:
            family = GaugeMetricFamily(f"attacca_device_{name}", text, labels=["device"])
            for one in view.devices:
                family.add_metric([one.name], value(one))
            yield family
