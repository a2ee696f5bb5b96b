import msgspec

from attacca.io.otlp.encoding import Buckets, Record, Sum, metrics, records, spans
from attacca.model.trace import Span

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RESOURCE = {"service.name": "attacca"}


def test_a_span_is_told_as_the_protocol_has_it() -> None:
    one = Span(
        trace=TRACE, span=SPAN, parent="", name="f", is_server=True, began=2.0, ended=1.0, error="timeout: too long",
        attributes=(("a", "x"), ("b", 1), ("c", 0.5), ("d", True)),
    )  # fmt: skip
    told = msgspec.json.decode(spans(RESOURCE, [one]))
    (resource,) = told["resourceSpans"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "attacca"}}]
    (found,) = resource["scopeSpans"][0]["spans"]
    assert (found["traceId"], found["spanId"], found["kind"]) == (TRACE, SPAN, 2)
    assert (found["startTimeUnixNano"], found["endTimeUnixNano"]) == ("2000000000", "2000000000"), (
        "never before it began"
    )
    assert found["status"] == {"code": 2, "message": "timeout: too long"}
    values = [pair["value"] for pair in found["attributes"]]
    assert values == [{"stringValue": "x"}, {"intValue": "1"}, {"doubleValue": 0.5}, {"boolValue": True}]


def test_a_line_that_is_too_long_or_no_text_is_told_as_far_as_it_goes() -> None:
    one = Record(at=1.0, text="\ud83d" + "x" * 100_000, stream="error", trace=TRACE, span=SPAN)
    told = msgspec.json.decode(records(RESOURCE, [one]))
    (found,) = told["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert (found["severityNumber"], found["severityText"], found["traceId"]) == (17, "ERROR", TRACE)
    assert found["body"]["stringValue"].startswith("?x")
    assert len(found["body"]["stringValue"]) == 16 << 10


def test_points_of_one_name_are_one_metric() -> None:
    found: list[Sum | Buckets] = [
        Sum(name="faas.errors", unit="{error}", value=1, attributes=(("error.type", "timeout"),)),
        Buckets(name="faas.invoke_duration", unit="s", bounds=(0.1, 1.0), counts=(1, 2, 3), sum=9.5),
        Sum(name="faas.errors", unit="{error}", value=2, attributes=(("error.type", "cancelled"),)),
        Sum(name="attacca.in_flight", unit="{invocation}", value=3, is_count=False),
    ]
    told = msgspec.json.decode(metrics(RESOURCE, found, 1.0, 2.0))
    errors, duration, inflight = told["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert [point["asDouble"] for point in errors["sum"]["dataPoints"]] == [1, 2]
    assert (errors["sum"]["isMonotonic"], errors["sum"]["aggregationTemporality"]) == (True, 2)
    (point,) = duration["histogram"]["dataPoints"]
    assert (point["count"], point["bucketCounts"], point["explicitBounds"]) == ("6", ["1", "2", "3"], [0.1, 1.0])
    assert inflight["gauge"]["dataPoints"][0]["asDouble"] == 3
