"""A gateway's metrics as points for OpenTelemetry, in its names for functions."""

from collections.abc import Iterator

from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Function
from attacca.gateway.core.statistics import BOUNDS_S, Histogram
from attacca.io.otlp.encoding import Buckets, Sum
from attacca.model.invocation import Start

MOST = 20_000  # functions


def points(gate: GatewayCore) -> Iterator[Sum | Buckets]:
    """For another thread than the gateway's: what changes meanwhile is seen as it is before or after."""
    for function in list(gate.functions.by_name.values())[:MOST]:
        yield from _of(function)


def _of(function: Function) -> Iterator[Sum | Buckets]:
    statistics, name = function.statistics, (("faas.name", function.name),)
    for start, count in list(statistics.ended.items()):
        if count:
            yield _count("faas.invocations", "{invocation}", count, (*name, ("attacca.start", start)))
    if cold := statistics.ended[Start.COLD]:
        yield _count("faas.coldstarts", "{coldstart}", cold, name)
    for code, count in list(statistics.errors.items()):
        yield _count("faas.errors", "{error}", count, (*name, ("error.type", code)))
    if timeouts := sum(list(statistics.timeouts.values())):
        yield _count("faas.timeouts", "{timeout}", timeouts, name)
    for what, histogram in (("faas.invoke_duration", statistics.duration), ("faas.init_duration", statistics.init)):
        if histogram.count:
            yield _buckets(what, histogram, name)
    for what, now in (("attacca.queue_depth", function.waiting), ("attacca.in_flight", function.running)):
        if now:
            yield Sum(name=what, unit="{invocation}", value=now, is_count=False, attributes=name)


def _count(name: str, unit: str, value: int, attributes: tuple[tuple[str, str], ...]) -> Sum:
    return Sum(name=name, unit=unit, value=value, attributes=attributes)


def _buckets(name: str, histogram: Histogram, attributes: tuple[tuple[str, str], ...]) -> Buckets:
    counts = tuple(histogram.counts)
    return Buckets(name=name, unit="s", bounds=BOUNDS_S, counts=counts, sum=histogram.sum_s, attributes=attributes)
