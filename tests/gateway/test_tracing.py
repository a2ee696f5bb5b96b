import pytest

from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.inflight import Function, Inflight
from attacca.gateway.core.workers import WorkerHandle
from attacca.gateway.http.request import Head
from attacca.gateway.tracing import TRACED, NoTracing, Sampling, Slowest, ended, phases
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.invocation import Request, Start, Timing, Traced
from attacca.model.messages import AskCalls
from attacca.model.trace import FIELD, RUN, Span, TraceParent, is_chosen, parsed, span_of, trace_of
from tests.worker.stage import revision

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{TRACE}-{SPAN}-01"


class Desk:
    """Who samples, and what it has put."""

    def __init__(self, rate: float = 0.0, slow_share: float = 0.0) -> None:
        self.put: list[Span] = []
        self.ids = Ids(Streams(1).stream("ids"))
        self.sampling = Sampling(rate, slow_share, self.put.append, self.ids.ahead, "g1", "http://traces/TRACE")
        self.function = Function(revision("echo"), 1)

    def run(self, name: str, request: Request | None = None, outcome: str = "ok", total_ms: float = 10.0) -> Request:
        seen = self.sampling.begun(name, request or Request())
        inflight = Inflight(name, self.function, seen, NOBODY, WorkerHandle("w1", 0.0), "there is one", 5.0, 1000.0)
        inflight.outcome, inflight.status, inflight.total_ms, inflight.run_ms = outcome, 200, total_ms, 2.0
        inflight.start, inflight.timing = Start.COLD, Timing(queued=1.0, sandbox=3.0)
        self.sampling.ended(inflight)
        return seen


class Nobody:
    taken: Inflight | None = None

    def started(self) -> None: ...
    def head(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None: ...
    def body(self, data: bytes) -> None: ...
    def flow(self, paused: bool) -> None: ...  # noqa: FBT001 - mirrors Client
    def ended(self, taken: Inflight, outcome: object) -> None: ...


NOBODY = Nobody()


def test_a_trace_of_its_own_goes_on_to_the_function() -> None:
    desk = Desk(rate=1.0)
    seen = desk.run("9f-1")
    assert parsed(seen.trace) == TraceParent(trace_of("9f-1"), span_of("9f-1", RUN), 1)
    whole, *parts = desk.put
    assert (whole.name, whole.parent, whole.is_server, whole.error) == ("echo", "", True, "")
    assert (whole.began, whole.ended) == (1000.0, 1000.01)
    told = dict(whole.attributes)
    assert told["faas.coldstart"] is True
    assert (told["faas.name"], told["faas.invocation_id"], told["attacca.gateway"]) == ("echo", "9f-1", "g1")
    assert [(part.name, part.parent) for part in parts] == [(name, whole.span) for name in ("queued", "sandbox", RUN)]
    assert parts[-1].span == span_of("9f-1", RUN), "what the function has is the span that runs it"
    assert {span.trace for span in desk.put} == {trace_of("9f-1")}


def test_one_that_nobody_has_chosen_is_named_by_who_asks_for_its_trace() -> None:
    desk = Desk()
    assert desk.run("9f-1").trace == ""
    assert desk.run("9f-1", Request(trace="00-x")).trace == ""
    told = desk.run("9f-1", Request(headers=((b"host", b"h"),)))
    assert told.headers == ((b"host", b"h"), (FIELD, told.trace.encode()))
    assert desk.run("9f-1", Request(client="10.0.0.1")).headers == (told.headers[1],), "its client said nothing else"
    assert parsed(told.trace) == TraceParent(trace_of("9f-1"), span_of("9f-1", RUN), 0)


def test_by_rate_those_are_traced_whose_trace_anybody_else_would_choose() -> None:
    desk = Desk(rate=0.1)
    given = (desk.ids.next() for _ in range(250))
    names = [name for number, next_ in enumerate(given) for name in (next_, f"9f3a01c2d4e5-{number:x}")]
    chosen = {name for name in names if parsed(desk.run(name).trace)}
    assert chosen == {name for name in names if is_chosen(trace_of(name), 0.1)}
    assert 25 < len(chosen) < 80
    assert {span.trace for span in desk.put} == {trace_of(name) for name in chosen}


def test_a_clients_trace_is_gone_on_with_and_the_function_is_told_of_our_span() -> None:
    desk = Desk()
    fields = ((b"host", b"h"), (FIELD, SENT.encode()), (b"tracestate", b"a=1"))
    seen = desk.run("9f-1", Request(headers=fields, trace=SENT))
    told = TraceParent(TRACE, span_of("9f-1", RUN), 1)
    assert seen.headers == ((b"host", b"h"), (b"tracestate", b"a=1"), (FIELD, str(told).encode()))
    assert (desk.put[0].trace, desk.put[0].parent) == (TRACE, SPAN)
    assert repr(desk.sampling) == "<Sampling 0, 0 go on with a client's trace>"


def test_a_client_that_does_not_trace_is_not_traced_unless_it_goes_wrong() -> None:
    desk = Desk(rate=1.0)
    quiet = Request(trace=SENT[:-1] + "0")
    desk.run("9f-1", quiet)
    assert desk.put == []
    desk.run("9f-2", quiet, outcome="timeout")
    assert desk.put[0].error.startswith("timeout")
    assert desk.put[0].trace == TRACE


def test_what_is_no_trace_begins_a_new_one() -> None:
    desk = Desk()
    seen = desk.run("9f-1", Request(headers=((FIELD, b"00-x"),), trace="00-x"))
    assert parsed(seen.trace) == TraceParent(trace_of("9f-1"), span_of("9f-1", RUN), 0)
    assert seen.headers == ((FIELD, seen.trace.encode()),)
    fields = [(FIELD, b"")]
    nothing = Head(b"GET", b"/", fields, dict(fields), "1.1", True, False, False, True).traceparent  # noqa: FBT003 - as the reader makes it
    again = desk.run("9f-1", Request(headers=((FIELD, b""),), trace=nothing))
    assert again.headers == seen.headers
    assert desk.put == []


def test_the_slow_tail_is_traced_whatever_the_rate() -> None:
    desk = Desk(slow_share=0.01)
    for number in range(100):
        desk.run(f"q-{number}", total_ms=10.0)
    desk.put.clear()
    desk.run("slow", total_ms=500.0)
    assert dict(desk.put[0].attributes)["faas.invocation_id"] == "slow"


@pytest.mark.long
def test_about_so_many_are_the_slowest() -> None:
    slowest = Slowest(0.05)
    found = sum(slowest.is_slow("f", float(1 + number * 7919 % 1000)) for number in range(20_000))
    assert 600 < found < 1500
    assert repr(slowest) == "<Slowest 0.05 of 1 functions>"


@pytest.mark.long
def test_parents_of_invocations_that_were_refused_do_not_pile_up() -> None:
    desk = Desk()
    for number in range(50_010):
        desk.sampling._parents[f"i-{number}"] = TraceParent(TRACE, SPAN)
        if number >= 50_000:
            del desk.sampling._parents[f"i-{number}"]
            desk.sampling.begun(f"i-{number}", Request(trace=SENT))
    assert len(desk.sampling._parents) == 50_000


def test_without_tracing_what_the_client_sends_passes_through_if_it_is_right() -> None:
    plain = NoTracing()
    assert plain.begun("i", Request(trace=SENT)).trace == SENT
    assert plain.begun("i", Request(trace="nonsense with spaces")).trace == ""
    same = Request()
    assert plain.begun("i", same) is same
    assert repr(plain) == "<NoTracing, 1 have a client's trace>"
    assert (plain.told("i"), plain.told("other")) == (Traced(trace=TRACE, span=SPAN), None)


def test_of_one_that_is_over_its_trace_is_told_and_whether_it_was_sent() -> None:
    desk = Desk()
    desk.run("9f-1")
    desk.run("9f-2", outcome="timeout")
    desk.run("9f-3", Request(trace=SENT[:-1] + "0"))
    assert desk.sampling.told("9f-1") == Traced(trace=trace_of("9f-1"), span=span_of("9f-1"))
    page = f"http://traces/{trace_of('9f-2')}"
    assert desk.sampling.told("9f-2") == Traced(trace=trace_of("9f-2"), span=span_of("9f-2"), is_sent=True, page=page)
    assert desk.sampling.told("9f-3") == Traced(trace=TRACE, span=span_of("9f-3"))
    assert desk.put[0].span == span_of("9f-2")


@pytest.mark.long
def test_of_so_many_traces_the_latest_are_told() -> None:
    plain = NoTracing()
    for number in range(TRACED + 1):
        plain.begun(f"i-{number}", Request(trace=SENT))
    assert repr(plain) == f"<NoTracing, {TRACED} have a client's trace>"
    assert plain.told("i-0") is None


def test_one_that_is_asked_for_alone_has_its_trace() -> None:
    functions, plain = Functions(1), NoTracing()
    functions.by_name["echo"] = function = Function(revision("echo"), 3)
    for name in ("9f-1", "9f-2"):
        seen = plain.begun(name, Request(trace=SENT))
        function.recent.append(Inflight(name, function, seen, NOBODY, WorkerHandle("w1", 0.0), "", 5.0, 1000.0))
    alone = ended(functions, plain, AskCalls("1", "", 1, "9f-1"))
    assert [(call.id, call.traced) for call in alone] == [("9f-1", Traced(trace=TRACE, span=SPAN))]
    assert [(call.id, call.traced) for call in ended(functions, plain, AskCalls("1", "", 1))] == [("9f-2", None)]
    assert ended(functions, plain, AskCalls("1", "", 1, "9f-3")) == ()


def test_phases_that_took_no_time_have_no_span() -> None:
    assert phases("i", TRACE, SPAN, 0.0, Timing()) == []
