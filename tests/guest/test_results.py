"""Pieces, responses of frameworks, bodies with a head, and what has to be awaited first."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest

from attacca.guest import channel as wire
from attacca.guest.answers import Awaited, Stream, Unsendable, encode, encode_response
from attacca.guest.results import Writer
from tests.cases import each


def pieces(*parts: Any) -> Iterator[Any]:
    yield from parts


async def later(*parts: Any) -> AsyncIterator[Any]:
    for part in parts:
        yield part


@each(
    "parts, kind, body",
    [
        (("a", "é"), b"text/plain; charset=utf-8", "aé".encode()),
        ((b"a", b"\xff", "é"), b"application/octet-stream", b"a\xff" + "é".encode()),
        (({"a": 1}, "x", [2]), b"application/x-ndjson", b'{"a": 1}\n"x"\n[2]\n'),
        (("n ", 1), b"text/plain; charset=utf-8", b"n 1\n"),
    ],
)
def test_the_first_piece_says_what_they_all_are(parts: tuple[Any, ...], kind: bytes, body: bytes) -> None:
    found = encode(pieces(*parts))
    assert isinstance(found, Stream)
    writer = Writer(found.content_type)
    assert b"".join(writer.write(piece) for piece in found.pieces) == body
    assert writer.content_type == kind


def test_what_can_only_be_gone_through_once_is_sent_in_pieces() -> None:
    several: tuple[Any, ...] = (
        pieces("a"),
        map(str, [1]),
        csv.reader(["a,b"]),
        later("a"),
        io.BytesIO(b"abc"),
        io.StringIO("abc"),
    )
    for one in several:
        assert isinstance(encode(one), Stream)
    file = encode(io.BytesIO(b"x" * 100_000))
    assert isinstance(file, Stream)
    assert [len(piece) for piece in file.pieces] == [65_536, 34_464]


def test_pieces_may_have_a_head() -> None:
    events = {"content-type": "text/event-stream", "x-a": "1"}
    several: list[Any] = [(pieces("a"), 201, events), {"statusCode": 201, "headers": events, "body": pieces("a")}]
    for one in several:
        found = encode(one)
        assert isinstance(found, Stream)
        assert (found.status, found.content_type, wire.fields(found.headers)) == (
            *(201, b"text/event-stream"),
            [(b"x-a", b"1")],
        )


def test_a_body_a_status_and_headers_are_an_answer_and_other_tuples_are_lists() -> None:
    assert encode(("no", 404, {"x": "1"})) == (404, b"text/plain; charset=utf-8", b"x\n1", b"no")
    assert encode(({"a": 1}, 201, {})) == (201, b"application/json", b"", b'{"a": 1}')
    lists: list[Any] = [(1, 200), ("a", 404), (1, 200, 3), ("a", 99, {}), ("a", True, {}), (1, 2, 3, 4)]
    for one in lists:
        assert encode(one) == (200, b"application/json", b"", json.dumps(one).encode())


def test_who_takes_a_request_may_answer_as_flasks_views_do() -> None:
    assert encode_response(("no", 404)) == (404, b"text/plain; charset=utf-8", b"", b"no")
    assert encode_response(("no", "404 NOT FOUND")) == (404, b"text/plain; charset=utf-8", b"", b"no")
    assert encode_response(("no", {"x": "1"})) == (200, b"text/plain; charset=utf-8", b"x\n1", b"no")
    assert encode_response(({"a": 1}, 201, [("x", "1")])) == (201, b"application/json", b"x\n1", b'{"a": 1}')
    assert encode_response((1, 2, 3, 4)) == (200, b"application/json", b"", b"[1, 2, 3, 4]")
    with pytest.raises(Unsendable, match="statusCode must be a number from 200 to 599"):
        encode_response(("no", 99))


class Django:
    """Its cookies stand apart."""

    status_code, streaming, content = 200, False, b"x"
    headers = {"Content-Type": "text/html"}  # noqa: RUF012

    def __init__(self) -> None:
        self.cookies = SimpleCookie({"a": "1"})


class Azure:
    status_code, headers, mimetype = 202, {"x": "1"}, "text/plain"

    def get_body(self) -> bytes:
        return b"x"


class Client:
    """What a library for clients has brought, and decoded."""

    status_code, content = 200, b"x"
    headers = {"Content-Encoding": "gzip", "Content-Length": "99", "Content-Type": "text/plain"}  # noqa: RUF012

    def raise_for_status(self) -> None: ...


def test_others_are_known_by_their_attributes() -> None:
    assert encode(Django()) == (200, b"text/html", b"set-cookie\na=1", b"x")
    assert encode(Azure()) == (202, b"text/plain", b"x\n1", b"x")
    assert encode(Client()) == (200, b"text/plain", b"", b"x")


def test_what_has_to_be_awaited_is_not_an_answer_yet() -> None:
    async def answer() -> str:
        return "x"

    found = encode(answer())
    assert isinstance(found, Awaited)
    assert asyncio.run(found.awaitable) == "x"
    waits = answer()
    with pytest.raises(Unsendable, match="nobody awaited"):
        encode((waits, 200, {}))
    waits.close()
