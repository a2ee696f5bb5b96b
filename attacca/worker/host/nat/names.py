"""What a resolver has to know of DNS (RFC 1035): one question is read, and of an answer its addresses. Pure."""

import struct
from typing import NamedTuple

HEAD = struct.Struct("!6H")  # id, flags, and how many questions, answers, authorities and others
KIND_AND_CLASS, RECORD = struct.Struct("!HH"), struct.Struct("!HHIH")
IS_ANSWER, OPCODE, CUT, RECURSION, CAN_RECURSE = 0x8000, 0x7800, 0x0200, 0x0100, 0x0080
NO_ERROR, FAILED, NO_SUCH_NAME = 0, 2, 3
A, AAAA, INTERNET = 1, 28, 1
LONGEST = 255  # bytes of a name
RECORDS_MOST = 64  # of an answer that are looked at
POINTER = 0xC0


class Query(NamedTuple):
    id: int
    name: str  # lower-case, without the dot at its end
    kind: int
    end: int  # where it ends


def question(data: bytes) -> Query | None:
    """None: it is no question for one name of the Internet."""
    if len(data) < HEAD.size:
        return None
    number, flags, questions, *_ = HEAD.unpack_from(data)
    if flags & (IS_ANSWER | OPCODE) or questions != 1:
        return None
    return _question(data, number)


def _question(data: bytes, number: int) -> Query | None:
    labels, at, size = [], HEAD.size, 0
    while True:
        if at >= len(data):
            return None
        length = data[at]
        if length & POINTER:
            return None
        at += 1
        if length == 0:
            break
        label = data[at : at + length]
        size += length + 1
        if len(label) < length or size > LONGEST or b"." in label or not label.isascii():
            return None
        labels.append(label.decode().lower())
        at += length
    if at + KIND_AND_CLASS.size > len(data):
        return None
    kind, of = KIND_AND_CLASS.unpack_from(data, at)
    return Query(number, ".".join(labels), kind, at + KIND_AND_CLASS.size) if of == INTERNET else None


def empty(data: bytes, asked: Query, code: int = NO_ERROR, *, is_cut: bool = False) -> bytes:
    """An answer that names nothing. `is_cut`: it is to be asked for by TCP."""
    flags = IS_ANSWER | CAN_RECURSE | (HEAD.unpack_from(data)[1] & RECURSION) | (CUT if is_cut else 0) | code
    return HEAD.pack(asked.id, flags, 1, 0, 0, 0) + data[HEAD.size : asked.end]


def is_answer(data: bytes, asked: Query) -> bool:
    """To that very question."""
    if len(data) < HEAD.size:
        return False
    number, flags, questions, *_ = HEAD.unpack_from(data)
    if number != asked.id or not flags & IS_ANSWER or questions != 1:
        return False
    told = _question(data, number)
    return told is not None and (told.name, told.kind) == (asked.name, asked.kind)


def addresses(data: bytes, asked: Query) -> list[tuple[str, int]]:
    """Those that an answer to that question has, each with the seconds for which it is good. What cannot be read is
    left out, with all behind it."""
    found: list[tuple[str, int]] = []
    at, count = asked.end, min(HEAD.unpack_from(data)[3], RECORDS_MOST)
    for _ in range(count):
        at = _after_name(data, at)
        if at < 0 or at + RECORD.size > len(data):
            break
        kind, of, ttl, size = RECORD.unpack_from(data, at)
        at += RECORD.size
        value = data[at : at + size]
        at += size
        if len(value) < size:
            break
        if (kind, of, size) == (A, INTERNET, 4):
            found.append((".".join(map(str, value)), ttl))
    return found


def _after_name(data: bytes, at: int) -> int:
    """Where what follows a name begins; -1: it is none."""
    while at < len(data):
        length = data[at]
        if length & POINTER == POINTER:
            return at + 2
        if length & POINTER:
            return -1
        at += 1 + length
        if length == 0:
            return at
    return -1


def of_resolv_conf(text: str) -> list[str]:
    """The servers that it names, in their order."""
    words = (line.split() for line in text.splitlines())
    return [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
