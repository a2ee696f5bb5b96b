"""InfluxDB's line protocol: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol."""

from functools import lru_cache
from math import isfinite

from attacca.io.timeseries.types import Number, Point

OF_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ ", "\n": " ", "\r": " "})
OF_TAG = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\=", "\n": " ", "\r": " "})
TEXT_MOST = 1000  # characters of a name or of a tag's value
INTEGER_MOST = 2**63 - 1
KNOWN = 2048  # series and names that are told again and again


def line(point: Point) -> str:
    """Empty: it says nothing that can be said. Fields that are no numbers are left out, and tags without a value."""
    fields = [f"{_of_tag(name)}={said}" for name, number in point.fields if (said := _number(number))]
    if not fields or not point.measurement:
        return ""
    return f"{_series(point.measurement, point.tags)} {','.join(fields)} {int(point.at * 1e9)}"


def body(points: list[Point]) -> bytes:
    return "\n".join(told for point in points if (told := line(point))).encode(errors="replace")


def _number(number: Number) -> str:
    """Counts are told as floats too: a field has one type for ever, and a share may happen to be whole."""
    return repr(float(number)) if isfinite(number) and abs(number) <= INTEGER_MOST else ""


@lru_cache(KNOWN)
def _series(measurement: str, tags: tuple[tuple[str, str], ...]) -> str:
    shown = [f"{_of_tag(name)}={told}" for name, value in sorted(tags) if name and (told := _of_tag(value))]
    return ",".join((measurement[:TEXT_MOST].translate(OF_MEASUREMENT), *shown))


@lru_cache(KNOWN)
def _of_tag(text: str) -> str:
    """What ends in a backslash would take what stands behind it."""
    return text[:TEXT_MOST].rstrip("\\").translate(OF_TAG)
