"""The multipart body of a deployment: however it is cut, what is taken is byte for byte what was sent."""

import asyncio
import contextlib
import itertools
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from multipart import MultipartError, MultipartSegment, PushMultipartParser  # type: ignore[import-untyped]

from attacca.client.source import multipart
from attacca.control.core.form import HEAD_BYTES, Form, boundary_of
from attacca.control.deploy.reception import FIELD_KB, Reception
from attacca.errors import AttaccaError, BadRequest, PayloadTooLarge
from tests.fuzz.door import Door, refusal
from tests.fuzz.mutation import NUMBERS, UNICODE, mutate

SPLIT = b"\n"  # between the content type, and the body
KNOWN = ("settings", "code", "allow_source_builds")
BY_BYTE = 600  # a body up to here is given byte by byte
BOUNDARIES = (
    *("edge", "a", "-", "--", "----x", "x" * 69, "x" * 70, "x" * 71, "a b", "a ", " a", "'()+_,-./:=?", "é", "", "a;b"),
    *("a\x00b", 'a"b', "a\\b", "a\tb", "boundary=", "0" * 70),
)
KINDS = (
    *("multipart/form-data; boundary=%s", 'multipart/form-data; boundary="%s"', "Multipart/Form-Data;BOUNDARY=%s"),
    *("multipart/form-data; charset=utf-16; boundary=%s", "multipart/form-data; boundary=%s; boundary=other"),
    *("multipart/mixed; boundary=%s", "multipart/form-data", "multipart/form-data; boundary*=utf-8''%s", "%s", ""),
    *("multipart/form-data; boundary*0=%s; boundary*1=more", "multipart/form-data; boundary=%s, text/plain"),
    "application/json; multipart/form-data; boundary=%s",
)
NAMES = (
    *("settings", "code", "allow_source_builds", "settings", "code", "", "Settings", " settings", "settings\x00", "x"),
    *("../code", "code[]", "n" * 5000, "é", "code\xff", 'co\\"de', "__class__", "co de"),
)
HEADS = (
    *('Content-Disposition: form-data; name="%s"', "content-disposition:form-data;name=%s"),
    *('Content-Disposition: form-data; name="%s"; filename="a.tar.gz"', 'Content-Disposition: attachment; name="%s"'),
    *('Content-Disposition: form-data; name="%s"; name="code"', "Content-Disposition: form-data; name*=utf-8''%s"),
    *('Content-Disposition: form-data; filename="; name=\\"code\\""; name="%s"', "X : y"),
    *('Content-Disposition: form-data;\r\n name="%s"', 'Content-Disposition: form-data; name="%s"\r\nX: y', ""),
    *('Content-Disposition: form-data; name="%s"\nX: y', 'Content-Disposition: form-data\x00; name="%s"', "no colon"),
    'Content-Disposition: form-data; name="%s"\r\nContent-Disposition: form-data; name="code"',
    'Content-Disposition: form-data; name="%s"\r\nContent-Transfer-Encoding: base64',
    'X: y\r\nContent-Disposition: form-data; name="%s"\r\nContent-Length: 1',
)  # fmt: skip
LINES = (b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"", b"\r\n\r\n", b"\r\n ", b"\0")


class Sent(NamedTuple):
    """The fields in their order, as one reading has them."""

    fields: tuple[tuple[str, bytes], ...]


class Uploads(Door):
    name = "uploads"
    largest = 48 * 1024
    words = (b"--edge", b"\r\n--edge", b"\r\n--edge--", b"\r\n", b"--", b'name="code"', b"Content-Disposition: ", b"\0")

    def open(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        self._loop = asyncio.new_event_loop()
        self._reception = Reception(self._room, most=1, code_mb=1, wait_s=5.0)
        self._take(*whole())
        self._descriptors = descriptors()

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        shutil.rmtree(self._room)

    def seeds(self) -> list[bytes]:
        hard = b"\r\n--edg\r\n--edg\r\r\n-\r\n--\r\n\r\n--ed"
        parts = body("edge", [(HEADS[0] % "settings", b"{}"), (HEADS[2] % "code", hard)])
        return [
            given(*whole()),
            given(*whole(bytes(range(256)) * 180)),
            given(KINDS[0] % "edge", parts),
            given(KINDS[1] % "a b", body("a b", [(HEADS[1] % "code", b""), (HEADS[0] % "settings", b"")])),
            given(KINDS[0] % "edge", b"preamble\r\n" + parts + b"epilogue"),
        ]

    def traps(self) -> list[bytes]:
        first, second = (HEADS[0] % "settings", b"{}"), (HEADS[0] % "code", b"c")
        kind = KINDS[0] % "edge"
        sizes = range(HEAD_BYTES - 4, HEAD_BYTES + 5)
        longs = ["X: " + "y" * (size - len(first[0]) - 7) + "\r\n" + first[0] for size in sizes]
        return [
            *(given(kind, body("edge", [(long, b"{}"), second])) for long in longs),
            given(kind, b"x" * 40_000),
            given(KINDS[0] % "edge" + "; x*" + "9" * 5000 + "=y", body("edge", [first, second])),
            given(kind, body("edge", [(first[0] + "; x*" + "9" * 4000 + "=y", b"{}"), second])),
            given(kind, b"\r\n--edge" + b"\r\n" * 20_000),
            given(kind, body("edge", [first, (HEADS[0] % "allow_source_builds", b"x" * 1025), second])),
            given(kind, body("edge", [first, (HEADS[0] % "code", b"\r\n--edg" * 6000)])),
            given(kind, body("edge", [first, second]) + b"\r\n--edge\r\n" + b"x" * 20_000),
            given(kind, body("edge", [(HEADS[0] % "settings", b"\xff"), second])),
        ]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.4:
            return mutate(chance, corpus, self.words)[: self.largest]
        return drawn(chance)[: self.largest]

    def check(self, data: bytes) -> str:
        raw, _, sent = data.partition(SPLIT)
        kind = raw.decode("latin-1")
        readings = [self._take(kind, sent, pieces) for pieces in ways(sent)]
        assert os.listdir(self._room) == [], "something is left of it"
        assert descriptors() == self._descriptors, "a descriptor is left of it"
        taken = [one for one in readings if isinstance(one, Sent)]
        assert len(taken) in (0, len(readings)), "whether it is taken hangs on how it was cut"
        if isinstance(readings[0], AttaccaError):
            return refusal(readings[0])
        assert len({*taken}) == 1, "what is read of it hangs on how it was cut"
        agrees(kind, sent, taken[0])
        return "taken"

    def _take(self, kind: str, sent: bytes, pieces: Sequence[bytes] = ()) -> Sent | AttaccaError:
        return self._loop.run_until_complete(self._taking(kind, pieces or [sent]))

    async def _taking(self, kind: str, pieces: Sequence[bytes]) -> Sent | AttaccaError:
        try:
            upload = await self._reception.take(stream(pieces), kind)
        except (BadRequest, PayloadTooLarge) as error:
            return error
        with contextlib.closing(upload):
            fields = {**{name: text.encode() for name, text in upload.fields.items()}, "code": upload.code.read()}
        assert all(len(fields.get(name, b"")) <= most << 10 for name, most in FIELD_KB.items()), "a field is too large"
        return Sent(tuple(sorted(fields.items())))


async def stream(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def ways(sent: bytes) -> list[list[bytes]]:
    """In one piece, in a few that are drawn from what it is, and byte by byte where that is short."""
    chance, cuts = Random(zlib.crc32(sent)), [0, len(sent)]
    cuts += [chance.randint(0, len(sent)) for _ in range(chance.randint(1, 12))]
    for end in itertools.islice(re.finditer(b"\r\n\r\n", sent), 8):
        cuts += range(end.start(), end.end())
    cuts.sort()
    found = [[sent], [sent[begin:end] for begin, end in itertools.pairwise(cuts)]]
    if len(sent) <= BY_BYTE:
        found.append([sent[at : at + 1] for at in range(len(sent))])
    return found


# The oracle's own readings.


def agrees(kind: str, sent: bytes, taken: Sent) -> None:
    boundary = boundary_of(kind)
    parts = by_hand(boundary.encode(), sent)
    assert sorted(content for _, content in parts) == sorted(content for _, content in taken.fields), (
        "it is not as sent"
    )
    for name, content in taken.fields:
        assert any(name.encode() in head and content == one for head, one in parts), "a field has another's content"
    theirs = read_by_another(boundary, sent)
    assert theirs is None or taken == theirs, "another parser reads it otherwise"
    holds_little(boundary, sent)


def by_hand(boundary: bytes, sent: bytes) -> list[tuple[bytes, bytes]]:
    """Heads and contents, all at once, in the plainest way; it may assume that the body is well formed."""
    found: list[tuple[bytes, bytes]] = []
    mark = b"\r\n--" + boundary
    _, _, rest = (b"\r\n" + sent).partition(mark)
    while not rest.startswith(b"--"):
        head, is_whole, rest = rest.partition(b"\r\n\r\n")
        content, is_ended, rest = rest.partition(mark)
        assert is_whole, "a head has no end"
        assert is_ended, "a content has no end"
        assert head.startswith(b"\r\n"), "a boundary is followed by something else"
        assert mark not in head, "a head goes over a boundary"
        found.append((head, content))
    return found


def read_by_another(boundary: str, sent: bytes) -> Sent | None:
    """None: it is stricter."""
    fields: list[tuple[str, bytes]] = []
    try:
        with PushMultipartParser(boundary, max_header_count=1000) as parser:
            for event in parser.parse(sent):
                if isinstance(event, MultipartSegment):
                    fields.append((event.name, b""))
                elif event is not None:
                    fields[-1] = fields[-1][0], fields[-1][1] + event
    except MultipartError:
        return None
    return Sent(tuple(sorted(fields)))


def holds_little(boundary: str, sent: bytes) -> None:
    form = Form(boundary)
    for at in range(0, len(sent), 512):
        form.feed(sent[at : at + 512])
        assert len(form._held) <= HEAD_BYTES + 3, "it keeps more than the head of a field"


# Bodies by the letter.


def given(kind: str, sent: bytes) -> bytes:
    return kind.encode("latin-1", "replace") + SPLIT + sent


def whole(code: bytes = b"\x1f\x8b\0") -> tuple[str, bytes]:
    """As `attacca deploy` sends it, but for a boundary that is the same each time."""
    pieces, kind = multipart({"settings": b'{"name":"x"}', "allow_source_builds": b"false", "code": code})
    sent, drawn = b"".join(piece for piece in pieces if isinstance(piece, bytes)), boundary_of(kind)
    return kind.replace(drawn, "attacca-0"), sent.replace(drawn.encode(), b"attacca-0")


def body(boundary: str, parts: Sequence[tuple[str, bytes]], end: bytes = b"--\r\n") -> bytes:
    mark = b"--" + boundary.encode("latin-1", "replace")
    pieces = [mark + b"\r\n" + encoded(head) + b"\r\n\r\n" + content + b"\r\n" for head, content in parts]
    return b"".join(pieces) + mark + end


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def drawn(chance: Random) -> bytes:
    """Mostly right: a boundary, a head, a line end or the end is what it should not be."""
    boundary = chance.choice(BOUNDARIES) if chance.random() < 0.3 else "edge"
    kind = chance.choice(KINDS) if chance.random() < 0.25 else KINDS[chance.randrange(2)]
    mark = b"--" + boundary.encode("latin-1", "replace")
    sent = chance.choice((b"", b"", b"", b"\r\n", b"preamble\r\n", b"x" * 1100, b"--", mark[:-1] + b"\r\n"))
    names = (
        ["settings", "code"] if chance.random() < 0.7 else [chance.choice(NAMES) for _ in range(chance.randint(0, 6))]
    )
    for name in chance.sample(names, len(names)):
        head = chance.choice(HEADS) if chance.random() < 0.3 else HEADS[chance.randrange(3)]
        head = head.replace("%s", name)
        if chance.random() < 0.1:
            head += chance.choice((";" * 3000, "\r\nX: " + "y" * 4200, *UNICODE, *NUMBERS))
        pieces = [mark, line(chance), encoded(head), line(chance), line(chance), content(chance, mark), line(chance)]
        sent += b"".join(pieces)
    end = (
        mark + b"--\r\n" if chance.random() < 0.8 else chance.choice((b"", mark, mark + b"-", mark + b"--", b"--\r\n"))
    )
    return given(kind.replace("%s", boundary), sent + end + chance.choice((b"", b"", b"epilogue", b"\r\n" + mark)))


def line(chance: Random) -> bytes:
    return b"\r\n" if chance.random() < 0.97 else chance.choice(LINES)


def content(chance: Random, mark: bytes) -> bytes:
    """What looks like a boundary, and is none, or is one."""
    words = (
        b"{}",
        b"\r\n",
        b"\r",
        b"\n",
        mark,
        mark[:-1],
        b"\r\n" + mark[:-1],
        b"--",
        b"\0",
        b"\xff",
        bytes(range(256)),
    )
    some = [chance.choice(words) for _ in range(chance.choice((0, 1, 1, 2, 3, 8)))]
    ours = b"\r\n" + mark if chance.random() < 0.05 else b""
    return b"".join(some) * chance.choice((1, 1, 1, 1, 30)) + ours
