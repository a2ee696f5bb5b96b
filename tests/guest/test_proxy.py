"""The small client that asks a program on its port, over a pair of sockets."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from attacca.guest.proxy import Broken, Stale, Upstream, head_of

ENVIRON = {
    "REQUEST_METHOD": "POST", "PATH_INFO": "/a b/\xc3\xa4", "QUERY_STRING": "c=d", "HTTP_HOST": "h",
    "HTTP_X_TWO_WORDS": "1", "HTTP_CONNECTION": "close", "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_TYPE": "t/p",
    "CONTENT_LENGTH": "2",
}  # fmt: skip
PIECES = b"transfer-encoding: Chunked\r\n\r\n3;a\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n"


class Pair:
    """An upstream, and the program's end of it."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.upstream: Upstream = Upstream.__new__(Upstream)
        made: Any = self.upstream
        made._sock, made._data, made._fields, made._is_last, made.is_kept = _Quick(ours), b"", {}, False, False


class _Quick:
    """A Unix socket, which knows none of TCP's options."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.recv, self.sendall, self.close, self.fileno = sock.recv, sock.sendall, sock.close, sock.fileno

    def setsockopt(self, *_: int) -> None:
        return None


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.upstream.close()
    made.theirs.close()


@pytest.mark.parametrize(
    ("said", "body", "is_kept"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", True),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3;a\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n",
            b"hello",
            True,
        ),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello", False),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello", False),
    ],
)
def test_an_answer_is_read_to_its_end_however_that_is_told(
    pair: Pair,
    said: bytes,
    body: bytes,
    is_kept: bool,  # noqa: FBT001 - of a table
) -> None:
    pair.theirs.sendall(said)
    if not is_kept:
        pair.theirs.shutdown(socket.SHUT_WR)
    status, _ = pair.upstream.head()
    assert (status, b"".join(pair.upstream.body("GET", 200)), pair.upstream.is_kept) == ("200 OK", body, is_kept)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", Stale),
        (b"HTTP/1.1 200", Broken),
        (b"hello\r\n\r\n", Broken),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", Broken),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", Broken),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", Broken),
    ],
)
def test_what_is_no_answer_or_not_all_of_one_is_told_apart(pair: Pair, said: bytes, why: type[Exception]) -> None:
    pair.theirs.sendall(said)
    pair.theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(why):
        whole(pair.upstream)


def whole(upstream: Upstream) -> bytes:
    upstream.head()
    return b"".join(upstream.body("GET", 200))


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_some_answers_have_no_body_whatever_they_say(pair: Pair, method: str, status: int) -> None:
    pair.theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    pair.upstream.head()
    assert list(pair.upstream.body(method, status)) == []
    assert not pair.upstream.has_ended()
    assert repr(pair.upstream) == "<Upstream kept, 0 bytes read ahead>"
    pair.theirs.close()
    assert pair.upstream.has_ended()


def test_a_request_is_told_as_it_came_but_for_what_is_the_connections() -> None:
    assert head_of(ENVIRON, is_chunked=False) == (
        b"POST /a%20b/%C3%A4?c=d HTTP/1.1\r\nContent-Type: t/p\r\nContent-Length: 2\r\nHost: h\r\nX-Two-Words: 1"
        b"\r\n\r\n"
    )
    bare = {"REQUEST_METHOD": "GET", "PATH_INFO": "", "QUERY_STRING": ""}
    assert head_of(bare, is_chunked=True) == b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
