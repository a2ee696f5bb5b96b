import struct

import pytest

from attacca.io.posting import Silent
from attacca.io.timeseries.remote_write import RemoteWrite, request, snappy, varint
from attacca.io.timeseries.types import Point


def unsnapped(data: bytes) -> bytes:
    """Of literals alone."""
    size, at = number(data, 0)
    found = b""
    while at < len(data):
        assert data[at] == 0xF4, "a literal whose length has two bytes"
        length = int.from_bytes(data[at + 1 : at + 3], "little") + 1
        found += data[at + 3 : at + 3 + length]
        at += 3 + length
    assert len(found) == size
    return found


def number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data: bytes) -> list[tuple[int, bytes | int]]:
    found: list[tuple[int, bytes | int]] = []
    at = 0
    while at < len(data):
        key, at = number(data, at)
        if key & 7 == 2:
            size, at = number(data, at)
            found.append((key >> 3, data[at : at + size]))
            at += size
        elif key & 7 == 1:
            found.append((key >> 3, data[at : at + 8]))
            at += 8
        else:
            value, at = number(data, at)
            found.append((key >> 3, value))
    return found


def test_each_field_is_a_series_with_its_labels_in_order() -> None:
    tags = (("node_type", "worker"), ("name", "w é"), ("empty", ""))
    points = [
        Point(measurement="worker_load", tags=tags, fields=(("cpu.util", 0.5),), at=2.0),
        Point(measurement="worker_load", tags=tags, fields=(("cpu.util", 0.25),), at=1.0),
    ]
    ((_, series),) = fields(request(points))
    assert isinstance(series, bytes)
    told = fields(series)
    labels = [[text for _, text in fields(label)] for kind, label in told if kind == 1 and isinstance(label, bytes)]
    assert labels == [
        [b"__name__", b"worker_load_cpu_util"], [b"name", "w é".encode()], [b"node_type", b"worker"],
    ]  # fmt: skip
    samples = [fields(sample) for kind, sample in told if kind == 2 and isinstance(sample, bytes)]
    assert samples == [[(1, struct.pack("<d", 0.25)), (2, 1000)], [(1, struct.pack("<d", 0.5)), (2, 2000)]]


def test_what_is_large_goes_in_pieces() -> None:
    for size in (0, 1, 1 << 16, (1 << 16) + 1, 200_000):
        data = bytes(range(256)) * (size // 256 + 1)
        assert unsnapped(snappy(data[:size])) == data[:size]
    assert varint(300) == b"\xac\x02"


def test_it_is_for_writing_alone() -> None:
    series = RemoteWrite("http://a:1/api/v1/write", "sesame")
    assert repr(series) == "<RemoteWrite http://a:1/api/v1/write>"
    with pytest.raises(Silent, match="writing alone"):
        series.last("m", "t", 1.0, 1.0)
