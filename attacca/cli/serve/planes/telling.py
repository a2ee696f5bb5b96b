"""A plane's telemetry for others: spans, logs and metrics for a collector, where one is named."""

import asyncio
from contextlib import AsyncExitStack

from attacca import __version__
from attacca.cli.serve.planes.delivering import Deliveries
from attacca.control.driver import Control
from attacca.control.tracing import tracing
from attacca.gateway.driver import Gateway
from attacca.gateway.points import points
from attacca.gateway.tracing import Sampling
from attacca.io.otlp.collector import Collector, Metrics, OtlpConfig
from attacca.io.otlp.encoding import Record
from attacca.kernel.clock import Clock
from attacca.model.messages import Logged
from attacca.model.trace import RUN, span_of, trace_of


class Telling:
    """Nothing is told of what it was not given."""

    def __init__(self, config: OtlpConfig, clock: Clock, plane: str, name: str, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._config, self._clock, self._plane, self._name = config, clock, plane, name
        self._collector: Collector | None = None
        self._sampling: Sampling | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Telling of {self._plane} {self._name}: {self._collector!r}>"

    def open(self, closing: AsyncExitStack, gateway: Gateway | None = None, control: Control | None = None) -> None:
        """
        Raises:
            BadConfig: its file of fields is not right.
        """
        config, clock = self._config, self._clock
        if not config.url:
            return
        resource = {
            "service.name": f"attacca-{self._plane}",
            "service.instance.id": self._name,
            "service.version": __version__,
            "faas.name": "attacca",
        }
        metrics: Metrics = tuple if gateway is None else lambda: points(gateway.core)
        collector = self._collector = Collector(config, clock, resource, metrics)
        for what, shipper in collector.shippers().items():
            self._deliveries.add(what, shipper)
        collector.open()
        closing.callback(self._close)
        if "traces" in config.signals and gateway is not None:
            gateway.tracing = self._sampling = Sampling(
                config.rate, config.slow_share, collector.span, gateway.ids.ahead, self._name, config.page
            )
        if "traces" in config.signals and control is not None:
            control.traced = tracing(clock, collector.span)
        if "metrics" in config.signals and gateway is not None:
            self._look()

    def log(self, line: Logged) -> None:
        """What a function wrote; it belongs to its invocation's trace, where that is known here."""
        if self._collector is None or "logs" not in self._config.signals:
            return
        trace = span = ""
        if line.invocation:
            parent = None if self._sampling is None else self._sampling.parent(line.invocation)
            trace = trace_of(line.invocation) if parent is None else parent.trace
            span = span_of(line.invocation, RUN)
        attributes = (
            ("faas.name", line.function), ("faas.version", line.revision.rpartition("@")[2]),
            ("faas.instance", line.sandbox), ("faas.invocation_id", line.invocation),
        )  # fmt: skip
        at = self._clock.wall()
        self._collector.record(
            Record(at=at, text=line.text, stream=line.stream, trace=trace, span=span, attributes=attributes)
        )

    def _look(self) -> None:
        assert self._collector is not None
        self._collector.look()
        self._timer = asyncio.get_running_loop().call_later(self._config.metrics_s, self._look)

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._collector is not None:
            self._collector.close()
