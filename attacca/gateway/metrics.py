"""The metrics page, in OpenTelemetry's names for functions; written from plain counters when it is asked for.

It is for another thread than the gateway's: what changes meanwhile is seen as it is before or after. Thousands of
functions have hundreds of thousands of lines, which are written here rather than each by way of a library.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from attacca.gateway.core.async_calls.pending import Books
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Function
from attacca.gateway.core.statistics import BOUNDS_S, Histogram
from attacca.io.exposition import Form, heading, label, pause
from attacca.model.invocation import Start
from attacca.model.trace import Exemplar

BOUNDS: Final = [str(float(bound)) for bound in BOUNDS_S] + ["+Inf"]
FEW: Final = 100  # functions, after which others have a turn: about a millisecond

Exemplars = Mapping[str, Sequence[Exemplar | None]]  # of functions, by the bucket of their durations


class Family(NamedTuple):
    """`of`: a function's lines, after its name as a label shows it."""

    name: str
    kind: str
    text: str
    of: Callable[[Function, str], str]


def render(
    gate: GatewayCore,
    books: Books | None = None,
    form: Form = Form.TEXT,
    exemplars: Exemplars | None = None,
    rest: Callable[[], None] = lambda: None,
) -> bytes:
    """Without an end. `books`: of asynchronous calls, where there are such. `exemplars`: traces that stand for a
    bucket. `rest` is called every millisecond or so."""
    functions = [(one, label(one.name)) for one in list(gate.functions.by_name.values())]
    traced = exemplars if exemplars is not None and form is Form.OPEN else {}
    parts: list[str] = []
    for family in _families(books, traced):
        parts.append(heading(form, family.name, family.kind, family.text))
        for number, (function, shown) in enumerate(functions):
            parts.append(family.of(function, shown))
            if number % FEW == 0:
                rest()
        if family.name == "faas_errors" and gate.functions.unblamed:
            parts.append(f'faas_errors_total{{code="not_found",faas_name=""}} {gate.functions.unblamed}.0\n')
    return "".join(parts).encode()


def later(gate: GatewayCore, books: Books | None, form: Form, exemplars: Exemplars, more: bytes) -> Callable[[], bytes]:
    """`more`: of what else is on the page."""
    return lambda: render(gate, books, form, exemplars, pause) + more


def _families(books: Books | None, exemplars: Exemplars) -> Iterator[Family]:
    yield _counters(
        "faas_invocations", "Invocations that were admitted and have ended", "start", lambda one: one.statistics.ended
    )
    yield _counter(
        "faas_coldstarts", "Invocations with a sandbox made from nothing", lambda one: one.statistics.ended[Start.COLD]
    )
    yield _counters(
        "faas_errors", "Answers that were errors, refusals included", "code", lambda one: one.statistics.errors
    )
    yield _counters("faas_timeouts", "Clocks that fired", "clock", lambda one: one.statistics.timeouts)
    yield _counter("faas_refused", "Invocations that were not admitted", lambda one: one.statistics.refused)
    yield _histogram(
        "faas_invoke_duration_seconds", "From the arrival of an invocation to its answer",
        lambda one: one.statistics.duration, exemplars,
    )  # fmt: skip
    yield _histogram(
        "faas_init_duration_seconds", "Making a sandbox and importing its code while an invocation waits for it",
        lambda one: one.statistics.init, {},
    )  # fmt: skip
    yield _gauge("faas_queue_depth", "Invocations that wait for a sandbox", lambda one: one.waiting)
    yield _gauge("faas_in_flight", "Invocations that a sandbox has", lambda one: one.running)
    if books is not None:
        yield from _async(books)


def _async(books: Books) -> Iterator[Family]:
    """Calls whose answers are fetched later, as far as they were this gateway's."""
    lanes, ended = dict(books.lanes), dict[str, dict[str, int]]()
    for (name, state), count in list(books.ended.items()):
        ended.setdefault(name, {})[state.value] = count
    yield _gauge(
        "faas_async_pending", "Calls that are not over", lambda one: lanes[one.name].count if one.name in lanes else 0
    )
    yield _gauge(
        "faas_async_running", "Attempts that run", lambda one: lanes[one.name].running if one.name in lanes else 0
    )
    yield _counter("faas_async_accepted", "Calls that were accepted", lambda one: books.accepted.get(one.name, 0))
    yield _counter("faas_async_failures", "Attempts that ran and failed", lambda one: books.failures.get(one.name, 0))
    yield _counters("faas_async_ended", "Calls that are over", "state", lambda one: ended.get(one.name, {}))


def _counter(name: str, text: str, value: Callable[[Function], int]) -> Family:
    return Family(name, "counter", text, lambda one, shown: f'{name}_total{{faas_name="{shown}"}} {value(one)}.0\n')


def _gauge(name: str, text: str, value: Callable[[Function], int]) -> Family:
    return Family(name, "gauge", text, lambda one, shown: f'{name}{{faas_name="{shown}"}} {value(one)}.0\n')


def _counters(name: str, text: str, by: str, values: Callable[[Function], Mapping[str, int]]) -> Family:
    """Several of each function, by another label, `by`."""
    first, second = sorted((by, "faas_name"))

    def of(one: Function, shown: str) -> str:
        rows = []
        for what, count in list(values(one).items()):
            known = {by: label(what), "faas_name": shown}
            rows.append(f'{name}_total{{{first}="{known[first]}",{second}="{known[second]}"}} {count}.0\n')
        return "".join(rows)

    return Family(name, "counter", text, of)


def _histogram(name: str, text: str, histogram: Callable[[Function], Histogram], exemplars: Exemplars) -> Family:
    before = f'{name}_bucket{{faas_name="'
    between = [f'",le="{bound}"}} ' for bound in BOUNDS]

    def of(one: Function, shown: str) -> str:
        found = histogram(one)
        so_far = list(accumulate(list(found.counts)))
        rows = [f"{before}{shown}{bound}{count}.0" for bound, count in zip(between, so_far, strict=True)]
        for number, exemplar in enumerate(list(exemplars.get(one.name, ()))):
            if exemplar is not None:
                rows[number] += f' # {{trace_id="{exemplar.trace}"}} {exemplar.seconds!r} {exemplar.at:.3f}'
        rows.append(f'{name}_count{{faas_name="{shown}"}} {so_far[-1]}.0')
        rows.append(f'{name}_sum{{faas_name="{shown}"}} {found.sum_s!r}\n')
        return "\n".join(rows)

    return Family(name, "histogram", text, of)
