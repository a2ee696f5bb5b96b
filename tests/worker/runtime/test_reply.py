import asyncio

import httptools
import pytest

from attacca.worker.runtime.reply import Reply, TooLong, replied
from tests.cases import each

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!"


def came(data: bytes, most: int = 100) -> Reply:
    """What comes before somebody hangs up."""

    async def read() -> Reply:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await replied(reader, most)

    return asyncio.run(read())


@each(
    "data, status, shown",
    [
        (CHUNKED, 200, "<Reply 2 bytes>"),
        (SIZED, 404, "<Reply 3 bytes>"),
        (CHUNKED[:-6], 200, "<Reply 2 bytes so far>"),
        (SIZED[:-2], 404, "<Reply 1 bytes so far>"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it closes", 200, "<Reply 15 bytes so far>"),
        (b"", 0, "<Reply 0 bytes so far>"),
    ],
)
def test_an_answer_is_whole_when_it_says_so(data: bytes, status: int, shown: str) -> None:
    reply = came(data)
    assert (reply.status, repr(reply)) == (status, shown)


def test_nobody_reads_without_end() -> None:
    assert came(SIZED, 3).is_whole
    with pytest.raises(TooLong):
        came(SIZED, 2)


def test_what_is_no_http_is_said_to_be_none() -> None:
    with pytest.raises(httptools.HttpParserError):
        came(b"220 mail.example.com ESMTP\r\n")
