"""Control's metrics page; made from what its core knows when it is asked for."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from attacca.control.core.control import ControlCore
from attacca.io.exposition import Form, written


def render(core: ControlCore, form: Form = Form.TEXT) -> bytes:
    """Without an end."""
    return written(form, [_Page(core)])


def later(core: ControlCore, beside: Callable[[Form], bytes], form: Form) -> Callable[[], bytes]:
    """Of what is so now. It is little: it is written already."""
    page = beside(form) + render(core, form)
    return lambda: page


class _Page(Collector):
    def __init__(self, core: ControlCore) -> None:
        self._core = core

    def describe(self) -> Iterable[Metric]:
        return []  # nothing to clash with

    def collect(self) -> Iterator[Metric]:
        core, workers = self._core, self._core.workers
        silent = len(workers.by_name) - len(workers.heard())
        yield _gauge("attacca_control_functions", "Deployed functions", len(core.changes.versions))
        yield _gauge(
            "attacca_control_changes", "Deployments and other changes on their way", len(core.changes.turns.by_id)
        )
        yield _gauge("attacca_control_workers", "Workers that have joined", len(workers.by_name))
        yield _gauge("attacca_control_workers_silent", "Of them, those that are not heard of", silent)
        yield _gauge("attacca_control_gateways", "Gateways that have joined", len(core.gateways.by_name))
        yield _gauge(
            "attacca_control_generation",
            "Of the catalogue, in this run",
            core.changes.catalogue.generation & 0xFFFFFFFF,
        )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
