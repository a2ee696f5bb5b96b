"""Spans, log records and metrics in the JSON of OTLP 1.x: https://opentelemetry.io/docs/specs/otlp."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from attacca.model.trace import Span

SERVER, INTERNAL = 2, 1
FAILED, UNSET = 2, 0
SCOPE = {"name": "attacca"}
CUMULATIVE = 2
TEXT_MOST = 16 << 10  # characters of one value

Value = str | int | float | bool
SEVERITIES = {"stdout": 9, "debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21, "stderr": 17}


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line that a function wrote. `at`: seconds since 1970."""

    at: float
    text: str
    stream: str
    trace: str = ""
    span: str = ""
    attributes: tuple[tuple[str, Value], ...] = ()


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """A count that only grows, or a number that is as it is."""

    name: str
    unit: str
    value: float
    is_count: bool = True
    attributes: tuple[tuple[str, Value], ...] = ()


class Buckets(msgspec.Struct, frozen=True, kw_only=True):
    """How many were up to each bound, and how many above the last."""

    name: str
    unit: str
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float
    attributes: tuple[tuple[str, Value], ...] = ()


def spans(resource: Mapping[str, Value], found: Iterable[Span]) -> bytes:
    scoped = {"scope": SCOPE, "spans": [_span(one) for one in found]}
    return msgspec.json.encode({"resourceSpans": [{"resource": _resource(resource), "scopeSpans": [scoped]}]})


def records(resource: Mapping[str, Value], found: Iterable[Record]) -> bytes:
    scoped = {"scope": SCOPE, "logRecords": [_record(one) for one in found]}
    return msgspec.json.encode({"resourceLogs": [{"resource": _resource(resource), "scopeLogs": [scoped]}]})


def metrics(resource: Mapping[str, Value], found: Iterable[Sum | Buckets], began: float, now: float) -> bytes:
    """Points of one name are together. `began`: since when they count; both in seconds since 1970."""
    by_name: dict[str, list[Sum | Buckets]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    told = [_metric(points, _nanoseconds(began), _nanoseconds(now)) for points in by_name.values()]
    scoped = {"scope": SCOPE, "metrics": told}
    return msgspec.json.encode({"resourceMetrics": [{"resource": _resource(resource), "scopeMetrics": [scoped]}]})


def _metric(points: list[Sum | Buckets], began: str, now: str) -> dict[str, Any]:
    first = points[0]
    told: dict[str, Any] = {"name": first.name, "unit": first.unit}
    data = [_point(one, began, now) for one in points]
    if isinstance(first, Buckets):
        told["histogram"] = {"dataPoints": data, "aggregationTemporality": CUMULATIVE}
    elif first.is_count:
        told["sum"] = {"dataPoints": data, "aggregationTemporality": CUMULATIVE, "isMonotonic": True}
    else:
        told["gauge"] = {"dataPoints": data}
    return told


def _point(one: Sum | Buckets, began: str, now: str) -> dict[str, Any]:
    told: dict[str, Any] = {"startTimeUnixNano": began, "timeUnixNano": now, "attributes": _pairs(one.attributes)}
    if isinstance(one, Sum):
        return told | {"asDouble": one.value}
    counts = [str(count) for count in one.counts]
    return told | {
        "count": str(sum(one.counts)), "sum": one.sum, "bucketCounts": counts, "explicitBounds": one.bounds,
    }  # fmt: skip


def _span(one: Span) -> dict[str, Any]:
    return {
        "traceId": one.trace,
        "spanId": one.span,
        "parentSpanId": one.parent,
        "name": one.name[:TEXT_MOST],
        "kind": SERVER if one.is_server else INTERNAL,
        "startTimeUnixNano": _nanoseconds(one.began),
        "endTimeUnixNano": _nanoseconds(max(one.ended, one.began)),
        "attributes": _pairs(one.attributes),
        "status": {"code": FAILED, "message": one.error[:TEXT_MOST]} if one.error else {"code": UNSET},
    }


def _record(one: Record) -> dict[str, Any]:
    return {
        "timeUnixNano": _nanoseconds(one.at),
        "severityNumber": SEVERITIES.get(one.stream, 9),
        "severityText": one.stream.upper(),
        "body": {"stringValue": _whole(one.text[:TEXT_MOST])},
        "traceId": one.trace,
        "spanId": one.span,
        "attributes": _pairs(one.attributes),
    }


def _resource(attributes: Mapping[str, Value]) -> dict[str, Any]:
    return {"attributes": _pairs(attributes.items())}


def _pairs(attributes: Iterable[tuple[str, Value]]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes]


def _value(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": _whole(value[:TEXT_MOST])}


def _whole(text: str) -> str:
    """Half a surrogate pair is no text."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _nanoseconds(seconds: float) -> str:
    return str(max(int(seconds * 1e9), 0))
