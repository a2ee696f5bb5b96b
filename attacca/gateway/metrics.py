"""The metrics page, in OpenTelemetry's names for functions; made from plain counters when it is asked for."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from attacca.gateway.core.async_calls.pending import Books
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Function
from attacca.gateway.core.statistics import BOUNDS_S, Histogram
from attacca.model.invocation import Start

NAME = "faas_name"
BOUNDS = [f"{bound:g}" for bound in BOUNDS_S] + ["+Inf"]


def render(gate: GatewayCore, books: Books | None = None) -> bytes:
    """Prometheus text. `books`: of asynchronous calls, where there are such."""
    registry = CollectorRegistry()
    registry.register(_Page(gate, books))
    return generate_latest(registry)


class _Page(Collector):
    def __init__(self, gate: GatewayCore, books: Books | None) -> None:
        self._gate = gate
        self._books = books

    def describe(self) -> Iterable[Metric]:
        return []  # nothing to clash with

    def collect(self) -> Iterator[Metric]:
        functions = list(self._gate.functions.by_name.values())
        yield from _counters(functions, self._gate.unknown)
        yield _histogram(
            "faas_invoke_duration_seconds",
            "From the arrival of an invocation to its answer",
            ((function.name, function.statistics.duration) for function in functions),
        )
        yield _histogram(
            "faas_init_duration_seconds",
            "Making a sandbox and importing its code while an invocation waits for it",
            ((function.name, function.statistics.init) for function in functions),
        )
        waiting = GaugeMetricFamily("faas_queue_depth", "Invocations that wait for a sandbox", labels=[NAME])
        running = GaugeMetricFamily("faas_in_flight", "Invocations that a sandbox has", labels=[NAME])
        for function in functions:
            waiting.add_metric([function.name], function.waiting)
            running.add_metric([function.name], function.running)
        yield waiting
        yield running
        if self._books is not None:
            yield from _async(self._books, [function.name for function in functions])


def _counters(functions: list[Function], unknown: int) -> Iterator[Metric]:
    invocations = CounterMetricFamily(
        "faas_invocations", "Invocations that were admitted and have ended", labels=[NAME, "start"]
    )
    coldstarts = CounterMetricFamily("faas_coldstarts", "Invocations with a sandbox made from nothing", labels=[NAME])
    errors = CounterMetricFamily("faas_errors", "Answers that were errors, refusals included", labels=[NAME, "code"])
    timeouts = CounterMetricFamily("faas_timeouts", "Clocks that fired", labels=[NAME, "clock"])
    refused = CounterMetricFamily("faas_refused", "Invocations that were not admitted", labels=[NAME])
    for function in functions:
        name, statistics = function.name, function.statistics
        for start, count in statistics.ended.items():
            invocations.add_metric([name, start], count)
        coldstarts.add_metric([name], statistics.ended[Start.COLD])
        for code, count in statistics.errors.items():
            errors.add_metric([name, code], count)
        for clock, count in statistics.timeouts.items():
            timeouts.add_metric([name, clock], count)
        refused.add_metric([name], statistics.refused)
    if unknown:
        errors.add_metric(["", "not_found"], unknown)
    return iter((invocations, coldstarts, errors, timeouts, refused))


def _async(books: Books, names: list[str]) -> Iterator[Metric]:
    """Calls whose answers are fetched later, as far as they were this gateway's."""
    pending = GaugeMetricFamily("faas_async_pending", "Calls that are not over", labels=[NAME])
    running = GaugeMetricFamily("faas_async_running", "Attempts that run", labels=[NAME])
    accepted = CounterMetricFamily("faas_async_accepted", "Calls that were accepted", labels=[NAME])
    failures = CounterMetricFamily("faas_async_failures", "Attempts that ran and failed", labels=[NAME])
    ended = CounterMetricFamily("faas_async_ended", "Calls that are over", labels=[NAME, "state"])
    for name in names:
        lane = books.lanes.get(name)
        pending.add_metric([name], 0 if lane is None else lane.count)
        running.add_metric([name], 0 if lane is None else lane.running)
        accepted.add_metric([name], books.accepted[name])
        failures.add_metric([name], books.failures[name])
    for (name, state), count in books.ended.items():
        if name in names:
            ended.add_metric([name, state.value], count)
    return iter((pending, running, accepted, failures, ended))


def _histogram(name: str, text: str, of: Iterable[tuple[str, Histogram]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=[NAME])
    for function, histogram in of:
        so_far, buckets = 0, []
        for bound, count in zip(BOUNDS, histogram.counts, strict=True):
            so_far += count
            buckets.append((bound, so_far))
        family.add_metric([function], buckets=buckets, sum_value=histogram.sum_s)
    return family
