"""What a process sends to collectors and databases, and what of it was lost, for its metrics page."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from attacca.io.exposition import Form, written
from attacca.io.shipping import Shipper

TOLD = {
    "sent": "Spans, lines and points that a collector or a database has taken",
    "dropped": "Those that found no room, or that nobody took",
    "failures": "Attempts to send some that did not succeed",
}


class Deliveries:
    """Several that send the same are told as one."""

    def __init__(self) -> None:
        self._by_what: dict[str, list[Shipper[Any]]] = {}

    def __repr__(self) -> str:
        return f"<Deliveries of {', '.join(sorted(self._by_what)) or 'nothing'}>"

    def add(self, what: str, shipper: Shipper[Any]) -> None:
        self._by_what.setdefault(what, []).append(shipper)

    def metrics(self, form: Form) -> Callable[[], bytes]:
        """What writes its part of a page, without an end; nothing, where nothing is sent."""
        known = {what: tuple(shippers) for what, shippers in sorted(self._by_what.items())}
        return lambda: written(form, [_Page(known)]) if known else b""


class _Page(Collector):
    def __init__(self, known: dict[str, tuple[Shipper[Any], ...]]) -> None:
        self._known = known

    def describe(self) -> Iterable[Metric]:
        return []  # nothing to clash with

    def collect(self) -> Iterator[Metric]:
        for name, text in TOLD.items():
            family = CounterMetricFamily(f"attacca_telemetry_{name}", text, labels=["what"])
            for what, shippers in self._known.items():
                family.add_metric([what], sum(getattr(one, name) for one in shippers))
            yield family
        held = GaugeMetricFamily("attacca_telemetry_held", "Those that wait to be sent", labels=["what"])
        for what, shippers in self._known.items():
            held.add_metric([what], sum(one.held for one in shippers))
        yield held
