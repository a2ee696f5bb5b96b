"""Which invocations are traced, and what their spans are.

By rate those whose trace is chosen, as everybody chooses who goes by its name; those whose client traces them; and,
when they are over, all that failed and the slowest of each function.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.core.statistics import BOUNDS_S
from attacca.model.invocation import Call, Request, Start, Timing, Traced
from attacca.model.messages import AskCalls
from attacca.model.trace import (
    FIELD,
    RUN,
    SAMPLED,
    Exemplar,
    Span,
    TraceParent,
    bound_of,
    goes_on,
    number_of,
    parsed,
    span_of,
    trace_of,
)  # fmt: skip

PHASES = ("queued", "placed", "sandbox", "network", "image", "code", "imports", "readiness", RUN)
MOST = 50_000  # invocations that are not over, of those that clients trace, and of those that are chosen
TRACED = 20_000  # that are over, and were sent or have a client's trace
FUNCTIONS = 50_000  # of which is known how slow the slow are
Kept = TypeVar("Kept")
STEP = 0.05  # by which that is corrected, of itself
AHEAD = 64  # names that are chosen among at once: between two invocations all that is needed for one has to come anew


class Tracing(Protocol):
    def begun(self, invocation: str, request: Request) -> Request:
        """As its function is to see it: with what it continues the trace by."""

    def ended(self, inflight: Inflight) -> None: ...

    def told(self, invocation: str) -> Traced | None:
        """The trace of one that is over. None: it has none, or it is forgotten."""

    @property
    def exemplars(self) -> Mapping[str, Sequence[Exemplar | None]]:
        """Of each function the latest that was traced in each bucket of durations."""


class NoTracing:
    """What clients send passes through."""

    def __init__(self) -> None:
        self._traced: dict[str, Traced] = {}

    def __repr__(self) -> str:
        return f"<NoTracing, {len(self._traced)} have a client's trace>"

    def begun(self, invocation: str, request: Request) -> Request:
        if not request.trace:
            return request
        parent = parsed(request.trace)
        if parent is None:
            return replace(request, trace="")
        _keep(self._traced, invocation, Traced(trace=parent.trace, span=parent.span), TRACED)
        return replace(request, trace=str(parent))

    def ended(self, inflight: Inflight) -> None: ...

    def told(self, invocation: str) -> Traced | None:
        return self._traced.get(invocation)

    @property
    def exemplars(self) -> Mapping[str, Sequence[Exemplar | None]]:
        return {}


class Slowest:
    """Of each function the time that all but a `share` of its invocations take less than: it is raised when one
    took longer, and lowered a little when one did not (Ma, Muthukrishnan and Sandler, Frugal Streaming, 2013)."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._bounds: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Slowest {self._share:g} of {len(self._bounds)} functions>"

    def is_slow(self, function: str, total_ms: float) -> bool:
        bound = self._bounds.get(function)
        if bound is None:
            if len(self._bounds) >= FUNCTIONS:
                self._bounds.clear()
            self._bounds[function] = total_ms
            return False
        step = max(bound, 1e-3) * STEP
        is_slow = total_ms > bound
        self._bounds[function] = bound + step * (1 - self._share) if is_slow else max(bound - step * self._share, 0.0)
        return is_slow


class Sampling:
    """A `Tracing`. `put` takes the spans of an invocation that is over; `names` says what so many invocations will be
    called that come next and have no name yet. `page`: where a person can look at a trace, with TRACE where its name
    is to stand; empty: nowhere."""

    def __init__(
        self,
        rate: float,
        slow_share: float,
        put: Callable[[Span], None],
        names: Callable[[int], Sequence[str]],
        gateway: str = "",
        page: str = "",
    ) -> None:
        self._rate, self._put, self._names, self._gateway, self._page = rate, put, names, gateway, page
        self._bound = bound_of(rate)
        self._traced: dict[str, Traced] = {}  # what was sent, and what has a client's trace
        self._slowest = Slowest(slow_share) if slow_share else None
        self._parents: dict[str, TraceParent] = {}
        self._ahead: dict[str, bool] = {}  # whether they will be chosen
        self._chosen: dict[str, None] = {}  # by rate, of those that are not over
        self._exemplars: dict[str, list[Exemplar | None]] = {}

    def __repr__(self) -> str:
        return f"<Sampling {self._rate:g}, {len(self._parents)} go on with a client's trace>"

    @property
    def exemplars(self) -> Mapping[str, Sequence[Exemplar | None]]:
        return self._exemplars

    def parent(self, invocation: str) -> TraceParent | None:
        """What its client sent, if it is not over."""
        return self._parents.get(invocation)

    def begun(self, invocation: str, request: Request) -> Request:
        is_chosen = self._is_chosen(invocation)
        headers, parent = request.headers, None
        if request.trace:
            parent = parsed(request.trace)
            headers = tuple(field for field in headers if field[0] != FIELD)
        if parent is not None:
            _keep(self._parents, invocation, parent)
            told = str(TraceParent(parent.trace, span_of(invocation, RUN), parent.flags))
        elif is_chosen:
            _keep(self._chosen, invocation, None)
            told = str(TraceParent(trace_of(invocation), span_of(invocation, RUN), SAMPLED))
        elif (
            not request.headers and not request.client
        ):  # who is not told of the whole names it where that is asked for
            return request if not request.trace else replace(request, trace="")
        else:
            told = goes_on(invocation)
        if not request.headers and not request.client:
            return replace(request, trace=told)
        return replace(request, trace=told, headers=(*headers, (FIELD, told.encode())))

    def _is_chosen(self, invocation: str) -> bool:
        known = self._ahead.pop(invocation, None)
        if known is not None:
            return known
        if not self._ahead:
            self._ahead = {name: number_of(name) < self._bound for name in self._names(AHEAD)}
        return number_of(invocation) < self._bound

    def ended(self, inflight: Inflight) -> None:
        name = inflight.id
        parent = self._parents.pop(name, None) if self._parents else None
        is_slow = self._slowest is not None and self._slowest.is_slow(inflight.function.name, inflight.total_ms)
        is_wanted = parent is not None and parent.is_sampled
        if name in self._chosen:
            del self._chosen[name]
            is_wanted = True
        if is_wanted or is_slow or inflight.outcome != "ok":
            trace = trace_of(name) if parent is None else parent.trace
            for span in spans(inflight, trace, "" if parent is None else parent.span, self._gateway):
                self._put(span)
            self._stand_for(inflight, trace)
            page = self._page.replace("TRACE", trace)
            _keep(self._traced, name, Traced(trace=trace, span=span_of(name), is_sent=True, page=page), TRACED)
        elif parent is not None:
            _keep(self._traced, name, Traced(trace=parent.trace, span=span_of(name)), TRACED)

    def told(self, invocation: str) -> Traced | None:
        known = self._traced.get(invocation)
        return known or Traced(trace=trace_of(invocation), span=span_of(invocation))

    def _stand_for(self, inflight: Inflight, trace: str) -> None:
        name, seconds = inflight.function.name, inflight.total_ms / 1e3
        known = self._exemplars.get(name)
        if known is None:
            if len(self._exemplars) >= FUNCTIONS:
                del self._exemplars[next(iter(self._exemplars))]
            known = self._exemplars[name] = [None] * (len(BOUNDS_S) + 1)
        known[bisect_left(BOUNDS_S, seconds)] = Exemplar(trace, seconds, inflight.at + seconds)


def ended(functions: Functions, tracing: Tracing, asked: AskCalls) -> tuple[Call, ...]:
    """What control asks for."""
    if not asked.call:
        return tuple(functions.calls(asked.function or None, asked.limit))
    found = functions.call(asked.call)
    return () if found is None else (replace(found, traced=tracing.told(found.id)),)


def _keep(among: dict[str, Kept], invocation: str, what: Kept, most: int = MOST) -> None:
    if len(among) >= most:
        del among[next(iter(among))]
    among[invocation] = what


def spans(inflight: Inflight, trace: str, parent: str, gateway: str) -> list[Span]:
    """One of the whole, and one of each phase that took time, one after the other."""
    call = inflight.call()
    whole = span_of(call.id)
    attributes: list[tuple[str, str | int | float | bool]] = [
        ("faas.name", call.function),
        ("faas.version", str(call.revision)),
        ("faas.invocation_id", call.id),
        ("faas.trigger", "http"),
        ("faas.coldstart", call.start is Start.COLD),
        ("http.response.status_code", call.status),
        ("attacca.outcome", call.outcome),
    ]
    attributes += [
        (name, value)
        for name, value in (
            ("faas.instance", call.sandbox), ("attacca.start", "" if call.start is None else call.start.value),
            ("attacca.worker", call.worker), ("attacca.gateway", gateway), ("attacca.why.start", call.reasons.start),
            ("attacca.why.turn", call.reasons.turn), ("attacca.why.place", call.reasons.place),
        )
        if value
    ]  # fmt: skip
    found = [
        Span(
            trace=trace, span=whole, parent=parent, name=call.function, is_server=True, began=call.at,
            ended=call.at + call.total_ms / 1e3, error="" if call.outcome == "ok" else f"{call.outcome}: {call.why}",
            attributes=tuple(attributes),
        )
    ]  # fmt: skip
    return found + phases(call.id, trace, whole, call.at, call.timing)


def phases(name: str, trace: str, parent: str, at: float, timing: Timing) -> list[Span]:
    found = []
    for phase, spent_ms in zip(PHASES, msgspec.structs.astuple(timing), strict=True):
        if spent_ms > 0:
            ended = at + spent_ms / 1e3
            span = span_of(name, phase)
            found.append(Span(trace=trace, span=span, parent=parent, name=phase, began=at, ended=ended))
            at = ended
    return found
