"""A second reading of HTTP/1.1, by the letter of RFC 9112 and with no forgiveness: of requests, and of our answers."""

import re
from collections.abc import Iterator
from typing import NamedTuple

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
SEEN = rb"[\x21-\x7e\x80-\xff]"
TARGET = rb"/%b*|[A-Za-z][A-Za-z0-9+.-]*:%b+|\*|%b+:[0-9]+" % (SEEN, SEEN, SEEN)
LINE = re.compile(rb"(%b) +(%b) +HTTP/(1\.[01])\r\n" % (TOKEN, TARGET))  # several blanks, as RFC 9112 (3) allows
FIELD = re.compile(
    rb"(%b):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*\r\n" % TOKEN
)
CHUNK = re.compile(rb"(0*[0-9A-Fa-f]{1,16})(?:[ \t]*;[\t \x21-\x7e\x80-\xff]*)?\r\n")
LENGTH = re.compile(rb"[0-9]{1,18}")
STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t \x21-\x7e\x80-\xff]*)\r\n")
LOWER = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
NO_TRAILERS = (b"content-length", b"transfer-encoding", b"connection", b"proxy-connection", b"upgrade")
ONCE = (b"content-length", b"transfer-encoding", b"connection")

Fields = list[tuple[bytes, bytes]]


class Asked(NamedTuple):
    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    body: bytes
    end: int  # where the next one begins
    around: int = 0  # bytes that are not its body

    def all(self, name: bytes) -> list[bytes]:
        return [value for one, value in self.fields if one == name]

    @property
    def keeps(self) -> bool:
        said = b",".join(self.all(b"connection")).lower().replace(b" ", b"").replace(b"\t", b"").split(b",")
        return b"close" not in said and (self.version == b"1.1" or b"keep-alive" in said)


class Answer(NamedTuple):
    status: int
    fields: Fields
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        return [value for one, value in self.fields if one == name]

    @property
    def closes(self) -> bool:
        return self.all(b"connection") == [b"close"]

    @property
    def is_endless(self) -> bool:
        """Only the end of the connection is its end."""
        return not self.all(b"content-length") and not self.all(b"transfer-encoding")


def requests(data: bytes) -> Iterator[Asked]:
    """Those that are whole, up to the first that is not one."""
    at = 0
    while (asked := _request(data, at)) is not None:
        yield asked._replace(around=asked.end - at - len(asked.body))
        at = asked.end


def _request(data: bytes, at: int) -> Asked | None:
    while data.startswith((b"\r", b"\n"), at):  # empty lines, which mean nothing
        at += 1
    line = LINE.match(data, at)
    read = None if line is None else _fields(data, line.end())
    if line is None or read is None:
        return None
    fields, at = read
    asked = Asked(line[1], line[2], line[3], fields, b"", at)
    hosts, lengths, codings = asked.all(b"host"), asked.all(b"content-length"), asked.all(b"transfer-encoding")
    if len(hosts) > 1 or (not hosts and asked.version == b"1.1"):
        return None
    if codings:
        is_chunked = [one.lower() for one in codings] == [b"chunked"] and not lengths and asked.version == b"1.1"
        found = _chunks(data, at) if is_chunked else None
    elif lengths:
        found = _counted(data, at, lengths)
    else:
        found = b"", at
    return None if found is None else asked._replace(body=found[0], end=found[1])


def _fields(data: bytes, at: int) -> tuple[Fields, int] | None:
    fields = []
    while (field := FIELD.match(data, at)) is not None:
        fields.append((field[1].lower(), field[2]))
        at = field.end()
    return (fields, at + 2) if data.startswith(b"\r\n", at) else None


def _counted(data: bytes, at: int, lengths: list[bytes]) -> tuple[bytes, int] | None:
    if len(lengths) > 1 or LENGTH.fullmatch(lengths[0]) is None or at + int(lengths[0]) > len(data):
        return None
    end = at + int(lengths[0])
    return data[at:end], end


def _chunks(data: bytes, at: int) -> tuple[bytes, int] | None:
    body: list[bytes] = []
    while (head := CHUNK.match(data, at)) is not None:
        at, size = head.end(), int(head[1], 16)
        if size == 0:
            trailers = _fields(data, at)
            if trailers is None or any(name in NO_TRAILERS for name, _ in trailers[0]):
                return None
            return b"".join(body), trailers[1]
        body.append(data[at : at + size])
        at += size
        if not data.startswith(b"\r\n", at):
            return None
        at += 2
    return None


def answers(data: bytes, methods: list[bytes], *, has_ended: bool) -> list[Answer]:
    """All that was written, which must be answers and nothing else; provisional ones are left out.

    `methods`: of the requests that they answer, as far as those could be understood.
    """
    at = 0
    found: list[Answer] = []
    while at < len(data):
        line = STATUS.match(data, at)
        assert line is not None, f"this is no status line: {data[at : at + 60]!r}"
        read = _fields(data, line.end())
        assert read is not None, f"this is no head of an answer: {data[at : at + 200]!r}"
        answer, at = Answer(int(line[1]), read[0], b""), read[1]
        assert all(LOWER.fullmatch(name) for name, _ in answer.fields), "a header is not spelled as ours are"
        assert all(len(answer.all(name)) <= 1 for name in ONCE), "a header that means something is there twice"
        if answer.status == 100:
            continue
        assert answer.status >= 200, "an answer is provisional, and no other follows"
        method = methods[len(found)] if len(found) < len(methods) else b""
        body, at = _answered(data, at, answer, method, has_ended=has_ended)
        found.append(answer._replace(body=body))
    return found


def _answered(data: bytes, at: int, answer: Answer, method: bytes, *, has_ended: bool) -> tuple[bytes, int]:
    lengths, codings = answer.all(b"content-length"), answer.all(b"transfer-encoding")
    assert not (lengths and codings), "an answer has two lengths"
    if answer.status in (204, 304):
        assert not codings, "an answer without a body has a coding"
        assert not lengths or answer.status == 304, "an answer without a body has a length"
    is_unread = answer.status >= 400 and answer.closes  # then whoever refuses may not know what was asked
    if answer.status in (204, 304) or (method == b"HEAD" and not is_unread) or (is_unread and at == len(data)):
        return b"", at
    if codings:
        assert codings == [b"chunked"], "an answer has a coding of its own"
        found = _chunks(data, at)
        assert found is not None or has_ended, "an answer breaks off"
        return found or (b"", len(data))
    if lengths:
        found = _counted(data, at, lengths)
        assert found is not None or has_ended, "an answer is shorter than it says"
        return found or (b"", len(data))
    assert answer.closes, "nobody can tell where an answer ends"
    assert has_ended, "an answer does not end"
    return data[at:], len(data)
