"""Prometheus' remote write 1.0: protobuf within snappy, which holds what it cannot be bothered to compress as it is.

https://prometheus.io/docs/specs/prw/remote_write_spec
"""

import re
import struct

from attacca.io.posting import Posted, Silent, checked, post
from attacca.io.timeseries.types import Point

FIELDS = {
    "content-type": "application/x-protobuf", "content-encoding": "snappy", "user-agent": "attacca",
    "x-prometheus-remote-write-version": "0.1.0",
}  # fmt: skip
LITERAL = 1 << 16  # bytes of one piece
NO_NAME = re.compile(r"[^a-zA-Z0-9_:]")
NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")
DOUBLE = struct.Struct("<d")


class RemoteWrite:
    """`url` is the receiver's whole address, such as http://HOST:9090/api/v1/write. It cannot be asked."""

    def __init__(self, url: str, token: str = "", timeout_s: float = 10.0) -> None:
        self._url, self._timeout_s = checked(url), timeout_s
        self._fields = FIELDS | ({"authorization": f"Bearer {token}"} if token else {})

    def __repr__(self) -> str:
        return f"<RemoteWrite {self._url}>"

    def write(self, points: list[Point]) -> Posted:
        return post(self._url, snappy(request(points)), self._fields, self._timeout_s)

    def last(self, measurement: str, tag: str, since_s: float, now: float) -> dict[str, dict[str, float]]:
        raise Silent(self._url, "remote write is for writing alone")


def request(points: list[Point]) -> bytes:
    """A WriteRequest: a series for each field, named `measurement_field`, its samples in the order of time."""
    series: dict[tuple[tuple[str, str], ...], list[tuple[int, float]]] = {}
    for point in points:
        labels = {NO_LABEL.sub("_", name): value for name, value in point.tags if value}
        for field, number in point.fields:
            name = NO_NAME.sub("_", f"{point.measurement}_{field}")
            key = tuple(sorted({**labels, "__name__": name}.items()))
            series.setdefault(key, []).append((int(point.at * 1e3), float(number)))
    return b"".join(_field(1, _series(labels, sorted(samples))) for labels, samples in series.items())


def _series(labels: tuple[tuple[str, str], ...], samples: list[tuple[int, float]]) -> bytes:
    told = [_field(1, _field(1, name.encode()) + _field(2, value.encode(errors="replace"))) for name, value in labels]
    told += [_field(2, b"\x09" + DOUBLE.pack(value) + b"\x10" + varint(at)) for at, value in samples]
    return b"".join(told)


def _field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    told = bytearray()
    while value > 0x7F:
        told.append(value & 0x7F | 0x80)
        value >>= 7
    told.append(value)
    return bytes(told)


def snappy(data: bytes) -> bytes:
    """A block of literals: as long as it was, and three bytes for each 64 KB."""
    told = [varint(len(data))]
    for at in range(0, len(data), LITERAL):
        piece = data[at : at + LITERAL]
        told += [b"\xf4" + (len(piece) - 1).to_bytes(2, "little"), piece]
    return b"".join(told)
