"""What is not HTTP, or could be read in two ways, is answered once and closed."""

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.model.invocation import Ok
from tests.gateway.wire import get, live, post, site, time_passes

SMUGGLING = [
    "Content-Length: 3\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 3",
    "Content-Length: 3\r\nContent-Length: 4",
    "Content-Length: 3\r\nContent-Length: 3",
    "Content-Length: 3, 3",
    "Content-Length: +3",
    "Content-Length: -3",
    "Content-Length: 0x3",
    "Content-Length: 99999999999999999999999",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "Content-Length : 3",
    "Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 3",
    "Content-Length: " + "9" * 18 + "9",
    "Content-Length: " + "9" * 5000,
    "Content-Length: 1e3",
    "Content-Length: 1_0",
    "Content-Length: \xb2",
    "Content-Length:",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding:",
    "Transfer-Encoding: \x0bchunked",
    "Content-Length: 3\r\nTransfer-Encoding: identity",
]


@pytest.mark.parametrize("headers", SMUGGLING)
def test_a_body_has_one_length(headers: str) -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            client.send(get("/function/echo", headers, method="POST") + b"0\r\n\r\nGET /function/echo HTTP/1.1\r\n\r\n")
            answer = await client.answer()
            assert (answer.status, answer.code, answer.headers["connection"]) == (400, "bad_request", "close")
            assert await client.rest() == b""
            assert here.worker.dispatched == []

    live(story)


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTQ/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n\r\n",
        b"FROBNICATE / HTTP/1.1\r\n\r\n",
        b"GET /function/echo RTSP/1.1\r\nHost: localhost\r\n\r\n",
        b"\r\n\r\nPOST  /function/echo  RTSP/1.0\r\nHost: localhost\r\n\r\n",
        b"PLAY /function/echo RTSP/1.1\r\nHost: localhost\r\n\r\n",
        b"SOURCE /function/echo ICE/1.1\r\nHost: localhost\r\n\r\n",
        b"SOURCE /function/echo HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\r\n folded\r\n\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: \x01\r\n\r\n",
    ],
)
def test_what_is_not_http_is_answered_and_closed(request_: bytes) -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            answer = await client.ask(request_)
            assert (answer.status, answer.code, answer.headers["connection"]) == (400, "bad_request", "close")
            assert await client.rest() == b""

    live(story)


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("path", ["/function/echo", "/function/stream", "/api/x", "/healthz"])
def test_http_1_0_has_no_chunks(path: str, connection: str) -> None:
    async def story() -> None:
        async with site() as here:
            for rest in (b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b""):
                async with await here.client() as client:
                    headers = ("Transfer-Encoding: chunked", f"Connection: {connection}")
                    client.send(get(path, *headers, method="POST", version="HTTP/1.0") + rest)
                    assert (await client.answer()).status == 400
                    assert await client.rest() == b""
            assert here.worker.dispatched == []

    live(story)


@pytest.mark.parametrize("size", [b"-1", b"+1", b"0x1", b"1_0", b"", b" 1", b"f" * 17, b"f" * 5000, b"g", b"\xb2"])
def test_a_chunks_size_is_a_number(size: bytes) -> None:
    async def story() -> None:
        async with site() as here:
            for path in ("/function/echo", "/function/stream", "/function/nobody"):
                async with await here.client() as client:
                    client.send(get(path, "Transfer-Encoding: chunked", method="POST") + size + b"\r\nx\r\n0\r\n\r\n")
                    assert (await client.answer()).status == 400
                    assert await client.rest() == b""

    live(story)


@pytest.mark.parametrize("limit_kb", [1, 4, 16, 32])
def test_a_head_is_measured_by_itself_wherever_it_is_cut(limit_kb: int) -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, max_head_kb=limit_kb)) as here, await here.client() as client:
            padding = "X: " + "y" * (limit_kb * 512)
            one = post("/function/echo", b"0", padding)
            count = 200_000 // len(one)
            client.send(one * count)
            for _ in range(count):
                assert (await client.answer()).status == 200
            client.send(one * 3 + get("/function/echo", "X: " + "y" * (limit_kb * 2048)))
            assert [(await client.answer()).status for _ in range(4)] == [200, 200, 200, 431]

    live(story)


def test_a_head_has_at_most_so_many_fields_however_short() -> None:
    async def story() -> None:
        async with site() as here:
            fields = [f"a{number}:" for number in range(199)]
            async with await here.client() as client:
                for _ in range(2):
                    assert (await client.ask(get("/function/echo", *fields))).status == 200
            for more in (1, 7000):
                for path in ("/function/echo", "/healthz", "/api/x"):
                    async with await here.client() as client:
                        answer = await client.ask(get(path, *fields, *["b:"] * more))
                        assert (answer.status, answer.code) == (431, "headers_too_large")
            async with await here.client() as client:  # not complete
                client.send(get("/function/echo", *fields, "b:", "c:")[:-2])
                assert (await client.answer()).status == 431

    live(story)


def test_nonsense_behind_a_request_waits_for_its_turn() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            client.send(post("/function/f", b"x") + b"nonsense\r\n\r\n")
            await here.until(lambda: bool(here.worker.dispatched))
            here.worker.started(here.worker.dispatched[0].id)
            here.worker.ended(here.worker.dispatched[0].id, Ok(b"first"))
            assert (await client.answer()).body == b"first"
            assert (await client.answer()).status == 400
            assert await client.rest() == b""

    live(story)


@pytest.mark.parametrize("target", ["/function/echo", "/function/stream"])
@pytest.mark.parametrize(
    "trailer",
    ["Connection: close", "T: 1\r\nconnection:", "Upgrade: x", "Content-Length: 1", "Transfer-Encoding: chunked"],
)
def test_a_trailer_says_nothing_of_body_or_connection(target: str, trailer: str) -> None:
    async def story() -> None:
        bad = get(target, "Transfer-Encoding: chunked", method="PUT")
        pieces = bad, b"2\r\nhi\r\n", f"0\r\n{trailer}\r\n\r\n".encode()
        for sent in (pieces, (b"".join(pieces),), (get("/healthz") + b"".join(pieces),)):
            async with site() as here, await here.client() as client:
                for piece in sent:
                    client.send(piece)
                    await time_passes(here, 2)
                    if target == "/function/stream" and piece is bad:
                        await here.until(lambda: bool(here.worker.dispatched))
                        here.worker.started(here.worker.dispatched[0].id)
                client.send(get("/function/echo"))
                if sent[0].startswith(b"GET"):
                    assert (await client.answer()).status in (200, 503)
                answer = await client.answer()
                assert (answer.status, answer.code, answer.headers["connection"]) == (400, "bad_request", "close")
                assert await client.rest() == b""

    live(story)


def test_other_trailers_are_read_over() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            for trailer in (b"", b"T: 1\r\n", b"Host: other\r\nContent-Type: x\r\n"):
                head = get("/function/echo", "Transfer-Encoding: chunked", method="PUT")
                answer = await client.ask(head + b"2\r\nhi\r\n0\r\n" + trailer + b"\r\n")
                assert (answer.status, answer.body) == (200, b"hi")

    live(story)


RTSP = get("/function/echo", version="RTSP/1.1")


@pytest.mark.parametrize("cut", range(1, len("GET /function/echo RTSP/1.1")))
def test_rtsp_is_refused_wherever_it_is_cut(cut: int) -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            client.send(post("/function/echo", b"first") + RTSP[:cut])
            assert (await client.answer()).body == b"first"
            client.send(RTSP[cut:] + post("/function/echo", b"last"))
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (400, "close")
            assert await client.rest() == b""
            assert len(here.worker.dispatched) == 1

    live(story)


def test_nothing_overtakes_rtsp_behind_a_request() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            client.send(post("/function/f", b"x") + RTSP)
            await here.until(lambda: bool(here.worker.dispatched))
            client.send(post("/function/echo", b"last"))
            await time_passes(here, 2)
            here.worker.started(here.worker.dispatched[0].id)
            here.worker.ended(here.worker.dispatched[0].id, Ok(b"first"))
            assert (await client.answer()).body == b"first"
            assert (await client.answer()).status == 400
            assert await client.rest() == b""
            assert len(here.worker.dispatched) == 1

    live(story)


def test_a_body_or_a_field_may_speak_of_rtsp() -> None:
    async def story() -> None:
        text = RTSP * 40
        async with site() as here, await here.client() as client:
            client.send(post("/function/echo", text, "X: GET /x RTSP/1.1") * 3)
            for _ in range(3):
                assert (await client.answer()).body == text
            one = post("/function/echo", text)
            for at in range(0, len(one), 61):
                client.send(one[at : at + 61])
                await time_passes(here, 1)
            assert (await client.answer()).body == text

    live(story)
