"""As much of Protocol Buffers' wire format as a door to containerd needs: numbers, texts, and messages in messages."""

from collections.abc import Iterable

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
WIDTH = {FIXED64: 8, FIXED32: 4}
MORE, LOW = 0x80, 0x7F
NUMBER_MOST = 10  # bytes


class Malformed(ValueError):
    """This is no message."""


def varint(number: int) -> bytes:
    out = bytearray()
    while number > LOW:
        out.append(number & LOW | MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, value: str | bytes | int) -> bytes:
    """What is zero or empty is left out, as is the way of version 3."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value) if value else b""
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | LENGTH) + varint(len(raw)) + raw if raw else b""


def message(fields: Iterable[tuple[int, str | bytes | int]]) -> bytes:
    return b"".join(field(number, value) for number, value in fields)


def read(data: bytes) -> dict[int, list[bytes | int]]:
    """Its fields by number; what has a fixed width is left out.

    Raises:
        Malformed: it ends within one, or has what no message has.
    """
    found: dict[int, list[bytes | int]] = {}
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind in WIDTH:
            at += WIDTH[kind]
            continue
        value, at = _number(data, at)
        if kind == LENGTH:
            if at + value > len(data):
                raise Malformed("it ends within a field")
            found.setdefault(key >> 3, []).append(data[at : at + value])
            at += value
        elif kind == VARINT:
            found.setdefault(key >> 3, []).append(value)
        else:
            raise Malformed(f"a field of kind {kind}")
    return found


def number_of(data: bytes, field_number: int) -> int:
    """0: it has none."""
    return next((one for one in read(data).get(field_number, ()) if isinstance(one, int)), 0)


def texts_of(data: bytes, field_number: int) -> list[bytes]:
    return [one for one in read(data).get(field_number, ()) if isinstance(one, bytes)]


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for position in range(at, min(at + NUMBER_MOST, len(data))):
        value |= (data[position] & LOW) << shift
        if not data[position] & MORE:
            return value, position + 1
        shift += 7
    raise Malformed("a number without its end")
