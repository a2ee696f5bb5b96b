"""Traces from the client through gateway, worker and sandbox to a collector, which may behave as it likes."""

from collections.abc import Iterator
from typing import Any

import pytest

from attacca.io.otlp.collector import Collector, OtlpConfig
from attacca.io.posting import Posted, Silent, post
from attacca.kernel.clock import SystemClock
from attacca.model.trace import RUN, Span, TraceParent, parsed, span_of, trace_of
from tests.live.collector import Taker
from tests.live.whole import Whole, until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{TRACE}-{SPAN}-01"
ECHO = """
def echo(event, context):
    print("seen")
    if event == "fail":
        raise ValueError("as it was told")
    return context.traceparent
"""
APP = """
async def app(scope, receive, send):
    found = [value for name, value in scope["headers"] if name == b"traceparent"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b",".join(found)})
"""


@pytest.fixture(scope="module")
def taker() -> Iterator[Taker]:
    one = Taker()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, taker: Taker) -> Iterator[Whole]:
    state = tmp_path_factory.mktemp("state")
    fields = state.with_name("fields")
    fields.write_text("authorization: Bearer sesame\n")
    settings = (
        "rate=0",
        "slow_share=0",
        "metrics_s=0.2",
        f"fields_file={fields}",
        f"url={taker.url}",
        "page=http://traces/TRACE",
    )
    options = [word for one in settings for word in ("--set", f"otlp.{one}")]
    whole = Whole(state, *options, "--set", 'otlp.signals=["traces","metrics","logs"]')
    whole.deploy("echo", ECHO)
    whole.deploy("app", APP)
    yield whole
    whole.stop()


def call(server: Whole, name: str, payload: str, **fields: str) -> Any:
    return server.ask("POST", f"/function/{name}", payload.encode(), {"content-type": "application/json", **fields})


def of(taker: Taker, trace: str) -> list[dict[str, Any]]:
    return [span for span in taker.spans() if span["traceId"] == trace]


def test_a_clients_trace_goes_through_to_the_function_and_to_the_collector(server: Whole, taker: Taker) -> None:
    answer = call(server, "echo", '"x"', traceparent=SENT)
    seen = parsed(answer.body.decode())
    invocation = answer.headers["x-attacca-invocation-id"]
    assert seen is not None
    assert (seen.trace, seen.span, seen.flags) == (TRACE, span_of(invocation, RUN), 1)
    taker.until(lambda: bool(of(taker, TRACE)))
    (whole, *parts) = of(taker, TRACE)
    assert (whole["name"], whole["parentSpanId"], whole["kind"]) == ("echo", SPAN, 2)
    assert RUN in {part["name"] for part in parts}
    assert {part["parentSpanId"] for part in parts} == {whole["spanId"]}
    told = server.get(f"/api/explain/{invocation}")["call"]["traced"]
    assert told == {"trace": TRACE, "span": whole["spanId"], "is_sent": True, "page": f"http://traces/{TRACE}"}


def test_an_application_has_it_as_a_header_and_what_is_none_is_replaced(server: Whole) -> None:
    seen = parsed(call(server, "app", "", traceparent=SENT).body.decode())
    assert seen is not None
    assert (seen.trace, seen.flags) == (TRACE, 1)
    for wrong in ("nonsense", f"00-{'0' * 32}-{SPAN}-01", SENT.upper()):
        seen = parsed(call(server, "app", "", traceparent=wrong).body.decode())
        assert seen is not None
        assert seen.trace != TRACE


def test_what_fails_is_traced_whatever_the_rate_and_its_lines_belong_to_it(server: Whole, taker: Taker) -> None:
    quiet = call(server, "echo", '"quiet"')
    name = quiet.headers["x-attacca-invocation-id"]
    assert parsed(quiet.body.decode()) == TraceParent(trace_of(name), span_of(name, RUN), 0)
    failed = call(server, "echo", '"fail"').headers["x-attacca-invocation-id"]
    taker.until(lambda: any(span["status"].get("code") == 2 for span in taker.spans()))
    (span,) = [span for span in taker.spans() if span["status"].get("code") == 2]
    assert "as it was told" in span["status"]["message"]
    assert {"key": "faas.invocation_id", "value": {"stringValue": failed}} in span["attributes"]
    assert len({one["traceId"] for one in taker.spans() if one["name"] == "echo"}) == 2, "nobody wanted the quiet one"

    def lines() -> list[dict[str, Any]]:
        scopes = [one["resourceLogs"][0]["scopeLogs"][0] for one in taker.told("logs")]
        return [record for scope in scopes for record in scope["logRecords"]]

    taker.until(lambda: any(line["traceId"] == span["traceId"] for line in lines()))


def test_deployments_and_metrics_are_told_with_the_token(server: Whole, taker: Taker) -> None:
    taker.until(lambda: any(span["name"] == "deploy echo" for span in taker.spans()))
    whole = next(span for span in taker.spans() if span["name"] == "deploy echo")
    assert "check" in {span["name"] for span in taker.spans() if span["parentSpanId"] == whole["spanId"]}
    taker.until(lambda: any("faas.invocations" in str(told) for told in taker.told("metrics")))
    assert {fields.get("authorization") for _, _, fields in taker.got} == {"Bearer sesame"}


def test_a_collector_that_is_slow_gone_full_or_lies_costs_nobody_an_answer(server: Whole, taker: Taker) -> None:
    for number in range(3):
        taker.status = 503
        taker.lies = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n" if number == 1 else b""
        if number == 2:
            taker.holds.set()
        for _ in range(20):
            assert call(server, "echo", '"x"', traceparent=SENT).status == 200
    taker.holds.clear()
    taker.status, taker.lies = 200, b""


REFUSALS = {
    "redirects in circles": b"HTTP/1.1 302 Found\r\nlocation: /v1/traces\r\ncontent-length: 0\r\n\r\n",
    "takes not even one": b"HTTP/1.1 413 no\r\ncontent-length: 0\r\n\r\n",
}
PAUSES = {
    "is full for a day": b"HTTP/1.1 429 no\r\nretry-after: 86400\r\ncontent-length: 0\r\n\r\n",
    "speaks TLS": b"\x15\x03\x01\x00\x02\x02\x28",
}


@pytest.mark.parametrize("lies", [*REFUSALS, *PAUSES])
def test_one_that_refuses_holds_nobody_up_and_what_it_did_not_take_is_counted(taker: Taker, lies: str) -> None:
    taker.lies = {**REFUSALS, **PAUSES}[lies]
    collector = Collector(OtlpConfig(url=taker.url, held=100), SystemClock(), {}, tuple)
    spans = collector.shippers()["traces"]
    told = [Span(trace=TRACE, span=SPAN, name=str(number), began=0.0, ended=1.0) for number in range(300)]
    for one in told[:50]:
        collector.span(one)
    collector.open()
    if lies in REFUSALS:
        until(lambda: spans.dropped == 50, "they are dropped")
    else:
        until(lambda: spans.failures > 0, "it was tried")
        for one in told:
            collector.span(one)
        assert (spans.held, spans.dropped) == (100, 200)
    collector.close()
    assert spans.sent == 0
    taker.lies = b""


def test_what_is_lost_stands_on_the_page(server: Whole, taker: Taker) -> None:
    lost = 'attacca_telemetry_dropped_total{what="traces"}'
    before = server.metrics()[lost]
    taker.status = 400
    assert call(server, "echo", '"x"', traceparent=SENT).status == 200
    until(lambda: server.metrics()[lost] > before, "it is counted")
    taker.status = 200


def test_one_deadline_holds_for_all_of_a_request(taker: Taker) -> None:
    taker.holds.set()
    with pytest.raises(Silent, match="no answer in time"):
        post(taker.url, b"{}", {}, timeout_s=0.2)
    taker.holds.clear()
    for lies in (b"nonsense\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 30_000):
        taker.lies = lies
        with pytest.raises(Silent):
            post(taker.url, b"{}", {}, timeout_s=5.0)
    taker.lies = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n"
    assert post(taker.url, b"{}", {}, timeout_s=5.0) == Posted(200, b"abcde")
    taker.lies = b"HTTP/1.1 429 no\r\nretry-after: 7\r\n\r\n" + b"x" * 5000
    assert post(taker.url, b"{}", {}, timeout_s=5.0, most=100) == Posted(429, b"x" * 100, 7.0)
    taker.lies = b""
    with pytest.raises(Silent):
        post("http://127.0.0.1:1", b"", {}, timeout_s=5.0)
    with pytest.raises(Silent):
        post(taker.url.replace("http:", "https:"), b"{}", {}, timeout_s=5.0)
    with pytest.raises(Silent):
        post(taker.url, b"", {"a": "b\r\nc: d"}, timeout_s=5.0)
