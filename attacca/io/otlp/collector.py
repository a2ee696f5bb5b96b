"""Spans, logs and metrics on their way to an OpenTelemetry collector; none of them waits, and what is too much is
dropped."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from attacca.errors import BadConfig
from attacca.io.otlp import encoding
from attacca.io.otlp.encoding import Buckets, Record, Sum, Value
from attacca.io.posting import FIELD_FEED, Posted, checked, post
from attacca.io.shipping import Shipper, ShippingLimits
from attacca.kernel.clock import Clock
from attacca.model.trace import Span

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
JSON = {"content-type": "application/json", "user-agent": "attacca"}
FIELDS_MOST = 64


class OtlpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an OpenTelemetry collector is sent."""

    url: str = ""  # http://HOST:4318 of a collector; empty: nothing is sent, and nothing is sampled
    fields_file: str = ""  # of lines `NAME: VALUE` that each request has, such as a token; empty: none
    page: str = ""  # where a person looks at a trace, TRACE for its name: http://HOST:16686/trace/TRACE; empty: nowhere
    signals: tuple[Literal["traces", "metrics", "logs"], ...] = ("traces", "metrics")
    rate: Share = 0.01  # of invocations that are traced, besides those that their client traces, and those that failed
    slow_share: Share = 0.01  # of each function's invocations, the slowest, which are traced too
    metrics_s: Positive = 15.0  # between two pictures of the metrics
    held: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = (
        20_000  # spans that wait, and as many lines; more: dropped
    )
    timeout_s: Positive = 10.0  # of one request

    def __post_init__(self) -> None:
        for url in (self.url, self.page):
            if url:
                checked(url)


Metrics = Callable[[], Iterable[Sum | Buckets]]


class Collector:
    """`metrics` is asked in another thread."""

    def __init__(self, config: OtlpConfig, clock: Clock, resource: Mapping[str, Value], metrics: Metrics) -> None:
        """
        Raises:
            BadConfig: the file of fields is not right.
        """
        self._url = checked(config.url)
        self._fields = JSON | _fields(config.fields_file)
        self._config, self._clock, self._resource, self._metrics = config, clock, resource, metrics
        self._began = clock.wall()
        limits = ShippingLimits(held=config.held, timeout_s=config.timeout_s)
        seldom = ShippingLimits(held=4, batch=1, timeout_s=config.timeout_s, tries=1)
        name = f"the collector at {self._url}"
        self._spans: Shipper[Span] = Shipper(
            name, lambda batch: self._post("traces", encoding.spans(resource, batch)), limits
        )
        self._logs: Shipper[Record] = Shipper(
            name, lambda batch: self._post("logs", encoding.records(resource, batch)), limits
        )
        self._pictures: Shipper[float] = Shipper(name, self._post_metrics, seldom)
        self.span, self.record = self._spans.put, self._logs.put

    def __repr__(self) -> str:
        return f"<Collector {self._url}: {self._spans}, {self._logs}>"

    def open(self) -> None:
        for shipper in self.shippers().values():
            shipper.open()

    def close(self) -> None:
        """What waits is sent, if that takes no longer than a second."""
        if "metrics" in self._config.signals:
            self.look()
        for shipper in self.shippers().values():
            shipper.close()

    def look(self) -> None:
        """Send a picture of the metrics."""
        self._pictures.put(self._clock.wall())

    def shippers(self) -> dict[str, Shipper[Any]]:
        """By what each sends, of the signals that are told."""
        every: dict[str, Shipper[Any]] = {"traces": self._spans, "logs": self._logs, "metrics": self._pictures}
        return {signal: shipper for signal, shipper in every.items() if signal in self._config.signals}

    def _post_metrics(self, at: list[float]) -> Posted:
        return self._post("metrics", encoding.metrics(self._resource, self._metrics(), self._began, at[-1]))

    def _post(self, signal: str, body: bytes) -> Posted:
        return post(f"{self._url}/v1/{signal}", body, self._fields, self._config.timeout_s)


def _fields(file: str) -> dict[str, str]:
    if not file:
        return {}
    try:
        lines = Path(file).expanduser().read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"otlp.fields_file cannot be read: {error}", "a file of lines NAME: VALUE") from None
    pairs = [line.partition(":") for line in lines if line.strip()]
    names = [name.strip().lower() for name, _, _ in pairs]
    is_right = all(
        colon and name and name.isascii() and " " not in name for name, (_, colon, _) in zip(names, pairs, strict=True)
    )
    if len(pairs) > FIELDS_MOST or not is_right or any(feed in line for line in lines for feed in FIELD_FEED):
        raise BadConfig(
            "otlp.fields_file has a line that is no field", "lines NAME: VALUE, such as authorization: Bearer ..."
        )
    return dict(zip(names, (value.strip() for _, _, value in pairs), strict=True))
