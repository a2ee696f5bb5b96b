import asyncio

import httptools

from attacca.model.invocation import Request
from attacca.worker.runtime.container.upstream import Fields, Upstream, chunk, head_of
from tests.cases import each


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_over = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.is_over

    def close(self) -> None:
        self.is_over = True

    abort = close


class Client:
    def __init__(self, *, is_bodiless: bool = False) -> None:
        self.is_bodiless = is_bodiless
        self.heard: list[object] = []

    def head(self, status: int, fields: Fields) -> None:
        self.heard.append((status, fields))

    def data(self, data: bytes) -> None:
        self.heard.append(data)

    def end(self) -> None:
        self.heard.append("end")

    def broken(self, why: str) -> None:
        self.heard.append(why)

    def press(self, *, is_slow: bool) -> None:
        self.heard.append(is_slow)


def asked(client: Client) -> tuple[Upstream, Transport]:
    upstream, transport = Upstream(0), Transport()
    upstream.connection_made(transport)
    upstream.ask(client, b"request")
    return upstream, transport


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"


@each(
    "answer, heard, is_kept",
    [
        (LENGTH, [(200, ((b"Content-Length", b"2"),)), b"hi", "end"], True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH, [(200, ((b"Content-Length", b"2"),)), b"hi", "end"], True),
        (CHUNKED, [(200, ()), b"hi", "end"], True),
        (b"HTTP/1.0 404 No\r\nContent-Length: 0\r\n\r\n", [(404, ((b"Content-Length", b"0"),)), "end"], False),
        (b"HTTP/1.1 204 No\r\nX: y\r\n\r\n", [(204, ((b"X", b"y"),)), "end"], True),
    ],
)
def test_an_answer_comes_whole_however_it_is_cut(answer: bytes, heard: list[object], is_kept: bool) -> None:  # noqa: FBT001 - a case
    for step in (len(answer), 7):
        client = Client()
        upstream, transport = asked(client)
        for at in range(0, len(answer), step):
            upstream.data_received(answer[at : at + step])
        pieces = [one for one in client.heard if isinstance(one, bytes)]
        others = [one for one in client.heard if not isinstance(one, bytes)]
        assert b"".join(pieces) == b"".join(one for one in heard if isinstance(one, bytes))
        assert others == [one for one in heard if not isinstance(one, bytes)]
        assert transport.is_over is not is_kept


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    client = Client()
    upstream, _ = asked(client)
    upstream.data_received(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nto the end")
    assert "end" not in client.heard
    upstream.eof_received()
    assert client.heard[1:] == [b"to the end", "end"]


def test_the_answer_to_head_has_no_body() -> None:
    client = Client(is_bodiless=True)
    upstream, _ = asked(client)
    upstream.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    assert client.heard[1:] == ["end"]
    upstream.ask(Client(), b"the next")


@each(
    "answer, why",
    [
        (b"", "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "no HTTP/1.1"),
    ],
)
def test_what_is_no_answer_is_said_once(answer: bytes, why: str) -> None:
    client = Client()
    upstream, _ = asked(client)
    if answer:
        upstream.data_received(answer)
    upstream.connection_lost(None)
    told = [one for one in client.heard if isinstance(one, str)]
    assert len(told) == 1
    assert why in told[0]
    assert not upstream.can_be_asked


def test_what_comes_unasked_ends_the_connection() -> None:
    client = Client()
    upstream, transport = asked(client)
    upstream.data_received(LENGTH)
    assert repr(upstream) == "<Upstream idle, 0 fields>"
    upstream.data_received(LENGTH)
    assert transport.is_over
    assert client.heard.count("end") == 1


class Parsed:
    def __init__(self, data: bytes) -> None:
        self.url, self.fields, self.body = b"", list[tuple[bytes, bytes]](), b""
        httptools.HttpRequestParser(self).feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body += data


def test_a_request_is_said_as_it_came_but_for_what_is_of_a_connection() -> None:
    given = ((b"host", b"example.org"), (b"x-mine", b"1"), (b"connection", b"close"), (b"content-length", b"99"))
    request = Request(b"body", "text/plain", "PUT", "/a b%20c", "q=1", given)
    head, is_chunked = head_of(request, 8080)
    parsed = Parsed(head + request.body)
    assert (parsed.url, parsed.body, is_chunked) == (b"/a%20b%20c?q=1", b"body", False)
    assert parsed.fields == [
        (b"host", b"example.org"),
        (b"x-mine", b"1"),
        (b"content-type", b"text/plain"),
        (b"content-length", b"4"),
    ]


def test_a_body_that_is_still_coming_goes_as_it_comes() -> None:
    head, is_chunked = head_of(Request(more=True), 8080)
    parsed = Parsed(head + chunk(b"one") + chunk(b"two"))
    assert (parsed.body, is_chunked) == (b"onetwo", True)
    assert (b"host", b"localhost:8080") in parsed.fields
    assert not head_of(Request(more=True, headers=((b"content-length", b"6"),)), 8080)[1]


def test_no_path_adds_a_line_to_the_head() -> None:
    head, _ = head_of(Request(path="/x HTTP/1.1\r\nX-Evil: 1", method="GET", query="a b\r\n"), 8080)
    assert Parsed(head).url == b"/x%20HTTP/1.1%0D%0AX-Evil:%201?a%20b%0D%0A"
