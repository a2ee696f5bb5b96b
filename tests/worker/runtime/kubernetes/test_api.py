import asyncio
from collections.abc import AsyncIterator

import pytest

from attacca.kernel.clock import ManualClock
from attacca.worker.runtime.kubernetes.access import Access, User
from attacca.worker.runtime.kubernetes.api import Api, ApiAnswer, Declined, complaint, lines, pause_s
from attacca.worker.runtime.kubernetes.sandbox import PodSandbox
from tests.cases import each
from tests.worker.runtime.kubernetes.test_runtime import revision

STATUS = b'{"kind":"Status","message":"pods \\"p\\" not found","reason":"NotFound","code":404}'


async def given(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def test_lines_come_whole() -> None:
    async def main() -> list[bytes]:
        return [line async for line in lines(given(b'{"a', b'":1}\n{"b":2}', b"\n\n{}\n", b"broken off"))]

    assert asyncio.run(main()) == [b'{"a":1}', b'{"b":2}', b"{}"]


def test_a_line_without_end_is_not_kept() -> None:
    async def main() -> None:
        async for _ in lines(given(*[b"x" * (1 << 20)] * 5)):
            pass

    with pytest.raises(Declined, match="more than 4 MB"):
        asyncio.run(main())


@each(
    "head, body, status, reason, message",
    [
        (b"404 Not Found", STATUS, 404, "NotFound", 'the API server answers 404: pods "p" not found'),
        (b"502 Bad Gateway", b"<html>", 502, "", "the API server answers 502: <html>"),
        (b"500 X", b"", 500, "", "the API server answers 500: nothing more"),
        (b"429 X\r\nretry-after: 7", b"{}", 429, "", "the API server answers 429: {}"),
        (b"403 X\r\nretry-after: soon", b"\xff", 403, "", "the API server answers 403: \ufffd"),
    ],
)
def test_what_is_refused_is_told(head: bytes, body: bytes, status: int, reason: str, message: str) -> None:
    answer = ApiAnswer()
    answer.parser.feed_data(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (head, len(body), body))
    error = complaint(answer)
    assert (error.status, error.reason, error.message) == (status, reason, message)
    assert error.may_mend(6) is (status not in (403, 404))
    assert error.may_mend(1) is (status != 404)
    assert error.retry_after_s == (7.0 if status == 429 else 0.0)
    assert repr(answer) == f"<ApiAnswer {len(body)} bytes>"


def test_pauses_grow_and_are_bounded() -> None:
    assert [pause_s(tries) for tries in (0, 1, 2, 10, 10_000)] == [0.05, 0.1, 0.2, 5.0, 5.0]
    assert pause_s(0, 7.0) == 7.0
    assert pause_s(0, 9999.0) == 60.0


def test_nothing_says_its_token() -> None:
    async def main() -> None:
        api = Api(Access("10.0.0.1", 443, "", "default", token="hidden"))
        assert repr(api) == "<Api http://10.0.0.1:443, 0 connections idle>"
        assert repr(User(token="hidden")) == "<User>"

    asyncio.run(main())


def test_what_there_is_of_a_pod() -> None:
    async def main() -> None:
        one = PodSandbox("s1", revision(), ManualClock(), lambda _: None, is_template=False)
        assert repr(one) == "<PodSandbox s1 ordered, 0 running, 0 idle>"
        assert repr(one._errands) == "<Errands 0 on their way, 0 connections idle>"
        one.printed(b"x" * 5000)
        assert len(one.last_words) == 4096

    asyncio.run(main())
