"""The metrics page as a parser of each of its two formats reads it."""

import asyncio

from prometheus_client import parser as text
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics

from attacca.gateway.core.async_calls.pending import Books
from attacca.gateway.driver import Gateway
from attacca.gateway.metrics import FEW, render
from attacca.gateway.tracing import Sampling
from attacca.io.exposition import Form, form_of, label, whole
from attacca.kernel.clock import ManualClock
from attacca.model.async_call import State
from attacca.model.invocation import Request, Start
from attacca.model.trace import Exemplar, Span, trace_of
from tests.gateway.play import Waiter, gateway, revision


def traced() -> tuple[Gateway, list[Span]]:
    """Of two functions one was called twice, which is traced."""
    spans: list[Span] = []

    async def story() -> Gateway:
        made, worker, _ = gateway(ManualClock(100.0), revision("echo"), revision("f"))
        made.tracing = Sampling(1.0, 0.0, spans.append, made.ids.ahead)
        worker.start = Start.COLD
        for _ in range(2):
            made.invoke("echo", Request(b"{}"), Waiter())
        made.invoke("nobody", Request(b"{}"), Waiter())
        return made

    return asyncio.run(story()), spans


def parsed(page: str) -> list[Metric]:
    return list(openmetrics.text_string_to_metric_families(page))  # type: ignore[no-untyped-call] # it has no types


def samples(families: list[Metric]) -> dict[tuple[str, str], float]:
    return {(one.name, str(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_both_formats_say_the_same() -> None:
    made, _ = traced()
    books = Books()
    books.accepted["echo"], books.ended["echo", State.DONE], books.ended["gone", State.DONE] = 3, 2, 1
    old = list(text.text_string_to_metric_families(render(made.core, books).decode()))
    new = parsed(whole(render(made.core, books, Form.OPEN), Form.OPEN).decode())
    assert samples(old) == samples(new)
    assert [(one.name, one.type) for one in old] == [(one.name, one.type) for one in new]
    found = samples(new)
    assert found["faas_async_ended_total", "[('faas_name', 'echo'), ('state', 'done')]"] == 2
    assert found["faas_errors_total", "[('code', 'not_found'), ('faas_name', '')]"] == 1
    assert found["faas_invoke_duration_seconds_bucket", "[('faas_name', 'echo'), ('le', '+Inf')]"] == 2


def test_a_bucket_has_the_trace_that_stands_for_it_where_the_format_has_such() -> None:
    made, spans = traced()
    page = whole(made.metrics(Form.OPEN)(), Form.OPEN).decode()
    found = [one.exemplar for family in parsed(page) for one in family.samples if one.exemplar is not None]
    latest = made.core.functions.calls("echo", 1)[0]
    assert [one.labels for one in found] == [{"trace_id": trace_of(latest.id)}]
    assert spans[-1].trace == trace_of(latest.id)
    assert repr(made.tracing.exemplars["echo"][0]) == repr(Exemplar(trace_of(latest.id), 0.0, latest.at))
    assert b"trace_id" not in made.metrics(Form.TEXT)()


def test_others_have_their_turns_while_it_is_written() -> None:
    rests: list[None] = []
    made, *_ = gateway(ManualClock(), *(revision(f"f{number}") for number in range(2 * FEW + 1)))
    render(made.core, rest=lambda: rests.append(None))
    assert len(rests) == 3 * 9


def test_openmetrics_is_for_those_who_take_it() -> None:
    assert form_of(b"text/plain;q=0.5, application/openmetrics-text; version=1.0.0;q=0.9,*/*") is Form.OPEN
    assert form_of(b"application/openmetrics-text; version=1.0.0; q=0.0, text/plain") is Form.TEXT
    assert form_of(b"text/plain, */*") is form_of(b"") is Form.TEXT


def test_what_would_end_a_label_is_spelt_out() -> None:
    page = f'x{{a="{label(chr(34) + chr(92) + chr(10))}"}} 1\n'
    assert next(iter(text.text_string_to_metric_families(page))).samples[0].labels == {"a": '"\\\n'}
