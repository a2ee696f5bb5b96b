import pytest

from attacca.worker.runtime.container.daemons.protobuf import (
    Malformed,
    field,
    message,
    number_of,
    read,
    texts_of,
    varint,
)
from tests.cases import each


@each(
    "number, raw",
    [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (1 << 32, b"\x80" * 4 + b"\x10")],
)
def test_a_number_is_in_groups_of_seven(number: int, raw: bytes) -> None:
    assert varint(number) == raw
    assert number_of(b"\x10" + raw, 2) == number


def test_a_message_is_read_as_it_was_written() -> None:
    inner = message(((1, "containerd"), (2, b"\xff")))
    whole = message(((1, inner), (2, 137), (3, ""), (4, 0), (5, "a"), (5, "b")))
    assert read(whole) == {1: [inner], 2: [137], 5: [b"a", b"b"]}
    assert texts_of(whole, 5) == [b"a", b"b"]
    assert number_of(whole, 9) == 0
    assert field(1, "") == b""


def test_what_others_wrote_is_read() -> None:
    """As Google's own library writes CreateTaskResponse(container_id="s1", pid=300)."""
    assert read(b"\n\x02s1\x10\xac\x02") == {1: [b"s1"], 2: [300]}


def test_fields_of_a_fixed_width_are_passed_over() -> None:
    assert read(b"\x09" + bytes(8) + b"\x15" + bytes(4) + b"\x18\x05") == {3: [5]}


@each("raw", [b"\x0a\x05ab", b"\x08", b"\x08\x80", b"\x0b", b"\x08" + b"\xff" * 11])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read(raw)
