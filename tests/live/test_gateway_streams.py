"""Bodies in pieces, both ways: what is streamed, how fast, and how it looks when it breaks."""

import asyncio

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.model.invocation import Failed, Ok
from attacca.model.messages import Body, Flow, ResponseBody, ResponseHead
from tests.gateway.wire import Client, Site, get, live, post, site

LARGE = 300_000
CHUNKED = "Transfer-Encoding: chunked"


def uploaded(here: Site) -> bytes:
    return here.worker.dispatched[-1].request.body + b"".join(body.data for body in here.worker.bodies)


async def upload(here: Site, client: Client, *headers: str, start: bool = True) -> str:
    """Begin a streamed request; gives its id."""
    client.send(get("/function/stream", *headers, method="POST"))
    await here.until(lambda: bool(here.worker.dispatched))
    name = here.worker.dispatched[-1].id
    if start:
        here.worker.started(name)
    return name


async def download(here: Site, client: Client, request: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> str:
    """Begin a streamed answer; gives its id."""
    client.send(request)
    await here.until(lambda: bool(here.worker.dispatched))
    name = here.worker.dispatched[-1].id
    here.worker.started(name)
    here.gateway.receive(ResponseHead(name, status, headers))
    return name


def test_a_small_body_comes_whole() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            here.worker.answers["stream"] = lambda request: Ok(request.body)
            for size in (0, 10, 64 * 1024):
                assert len((await client.ask(post("/function/stream", b"x" * size))).body) == size
            assert (
                await client.ask(get("/function/stream", CHUNKED, method="POST") + b"1\r\nx\r\n0\r\n\r\n")
            ).body == b"x"
            assert [invocation.request.more for invocation in here.worker.dispatched] == [False] * 4

    live(story)


def test_a_large_body_is_streamed_once_a_sandbox_has_it() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            data = bytes(range(256)) * (LARGE // 256)
            name = await upload(here, client, f"Content-Length: {len(data)}", start=False)
            client.send(data)
            async with await here.client() as other:  # time passes
                await other.ask(post("/function/echo"))
            assert here.worker.bodies == []
            here.worker.started(name)
            await here.until(lambda: bool(here.worker.bodies) and here.worker.bodies[-1].last)
            assert here.worker.dispatched[0].request.more
            assert uploaded(here)[-len(data) :] == data
            here.worker.ended(name, Ok(b"done"))
            assert (await client.answer()).body == b"done"
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)


def test_a_large_body_for_a_plain_function_is_collected() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            assert len((await client.ask(post("/function/echo", b"x" * LARGE))).body) == LARGE
            assert here.worker.bodies == []

    live(story)


def test_a_chunked_body_that_goes_on_is_passed_on_as_it_comes() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await upload(here, client, CHUNKED)
            for text in (b"one", b"two"):
                client.send(b"3\r\n" + text + b"\r\n")
                await here.until(lambda text=text: uploaded(here).endswith(text))  # type: ignore[misc]
            client.send(b"0\r\n\r\n")
            await here.until(lambda: bool(here.worker.bodies) and here.worker.bodies[-1].last)
            assert uploaded(here) == b"onetwo"
            here.worker.ended(name, Ok(b"done"))
            assert (await client.answer()).body == b"done"

    live(story)


def test_a_slow_reader_in_the_sandbox_slows_the_client() -> None:
    async def story() -> None:
        size = 20_000_000
        async with site() as here, await here.client() as client:
            name = await upload(here, client, f"Content-Length: {size}")
            here.gateway.receive(Flow(name, paused=True))
            client.send(b"x" * size)
            async with await here.client() as other:  # time passes
                for _ in range(50):
                    await other.ask(post("/function/echo"))
            assert len(uploaded(here)) < 1_000_000
            here.gateway.receive(Flow(name, paused=False))
            await here.until(lambda: bool(here.worker.bodies) and here.worker.bodies[-1].last)
            assert sum(len(body.data) for body in here.worker.bodies) == size
            here.worker.ended(name, Ok())
            assert (await client.answer()).status == 200

    live(story)


def test_expect_100_continue_before_a_stream() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            await upload(here, client, f"Content-Length: {LARGE}", "Expect: 100-continue", start=False)
            assert (await client.answer()).status == 100
            assert here.worker.dispatched[0].request.body == b""

    live(story)


def test_an_answer_before_the_end_of_the_body_ends_the_connection() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await upload(here, client, f"Content-Length: {LARGE}")
            here.worker.ended(name, Ok(b"enough"))
            client.send(b"x" * 1000)
            answer = await client.answer()
            assert (answer.body, answer.headers["connection"]) == (b"enough", "close")
            assert await client.rest() == b""

    live(story)


def test_a_client_that_leaves_in_the_middle_of_its_body_ends_the_run() -> None:
    async def story() -> None:
        async with site() as here:
            client = await here.client()
            await upload(here, client, CHUNKED)
            client.close()
            await here.until(lambda: bool(here.worker.withdrawn))
            assert here.worker.withdrawn[0].running

    live(story)


@pytest.mark.parametrize(("rest", "status"), [(b"zz\r\n", 400), (b"20000\r\n" + b"x" * 0x20000, 413)])
def test_a_stream_that_cannot_be_finished(rest: bytes, status: int) -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, max_stream_mb=0.1)) as here, await here.client() as client:
            name = await upload(here, client, CHUNKED)
            client.send(b"3\r\none\r\n" + rest)
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (status, "close")
            assert answer.headers["x-attacca-invocation-id"] == name
            (withdraw,) = here.worker.withdrawn
            assert withdraw.running
            assert [call.status for call in here.calls] == [status]

    live(story)


def test_a_chunked_answer() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await download(here, client, get("/function/stream"), (b"X-One", b"1"), (b"connection", b"x"))
            status, headers = await client.head()
            found = dict(headers)
            assert (status, found["transfer-encoding"], found["x-one"]) == (200, "chunked", "1")
            assert found["x-attacca-start"] == "warm"
            assert "connection" not in found
            for text in (b"one", b"", b"three"):
                here.gateway.receive(ResponseBody(name, text))
                if text:
                    assert await client.chunk() == text
            here.worker.ended(name, Ok(streamed=True))
            assert await client.chunk() == b""
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"
            assert [call.status for call in here.calls] == [200, 200]

    live(story)


def test_a_streamed_answer_of_known_length() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await download(here, client, get("/function/stream"), (b"Content-Length", b"6"), status=206)
            for text in (b"one", b"two"):
                here.gateway.receive(ResponseBody(name, text))
            here.worker.ended(name, Ok(streamed=True))
            answer = await client.answer()
            assert (answer.status, answer.body) == (206, b"onetwo")
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)


def test_a_streamed_answer_for_http_1_0_ends_with_the_connection() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await download(here, client, get("/function/stream", version="HTTP/1.0"))
            here.gateway.receive(ResponseBody(name, b"one"))
            here.worker.ended(name, Ok(streamed=True))
            answer = await client.answer()
            assert (answer.body, answer.headers["connection"]) == (b"one", "close")

    live(story)


def test_a_streamed_answer_to_head_or_without_a_body() -> None:
    async def story() -> None:
        for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            async with site() as here, await here.client() as client:
                name = await download(here, client, get("/function/stream", method=method), status=status)
                here.gateway.receive(ResponseBody(name, b"unseen"))
                here.worker.ended(name, Ok(streamed=True))
                answer = await client.answer(is_head=True)
                assert answer.status == status
                assert "transfer-encoding" not in answer.headers
                assert (await client.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)


def test_an_answer_that_breaks_off_looks_like_it() -> None:
    async def story() -> None:
        for headers in ((), ((b"content-length", b"9"),)):
            async with site() as here, await here.client() as client:
                name = await download(here, client, get("/function/stream"), *headers)
                here.gateway.receive(ResponseBody(name, b"one"))
                here.worker.ended(name, Failed("sandbox_lost", "it died"))
                with pytest.raises(asyncio.IncompleteReadError):
                    await client.answer()
        async with site() as here, await here.client() as client:
            name = await download(here, client, get("/function/stream", version="HTTP/1.0"))
            here.worker.ended(name, Failed("sandbox_lost", "it died"))
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.answer()

    live(story)


def test_an_answer_keeps_to_its_length() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await download(here, client, get("/function/stream"), (b"content-length", b"3"))
            here.gateway.receive(ResponseBody(name, b"oneHTTP/1.1 200 OK\r\n\r\n"))
            here.worker.ended(name, Ok(streamed=True))
            assert (await client.answer()).body == b"one"
            assert await client.rest() == b""
        async with site() as here, await here.client() as client:
            name = await download(here, client, get("/function/stream"), (b"content-length", b"30"))
            here.gateway.receive(ResponseBody(name, b"one"))
            here.worker.ended(name, Ok(streamed=True))
            with pytest.raises(asyncio.IncompleteReadError):
                await client.answer()

    live(story)


@pytest.mark.parametrize(
    ("status", "headers"),
    [(200, (b"x", b"a\r\nb: c")), (200, (b"x y", b"a")), (100, (b"x", b"y")), (200, (b"content-length", b"x"))],
)
def test_an_answer_that_http_does_not_allow(status: int, headers: tuple[bytes, bytes]) -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await download(here, client, get("/function/stream"), headers, status=status)
            answer = await client.answer()
            assert (answer.status, answer.code) == (500, "bad_response")
            assert [withdraw.running for withdraw in here.worker.withdrawn] == [True]
            here.gateway.receive(ResponseBody(name, b"unseen"))
            here.worker.ended(name, Ok(streamed=True))
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)


@pytest.mark.parametrize(
    "bad", [Ok(b"x", headers=((b"x", b"a\r\nb: c"),)), Ok(b"x", content_type="a/b\n"), Ok(status=999)]
)
def test_a_whole_answer_that_http_does_not_allow_is_remembered_as_one(bad: Ok) -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            here.worker.answers["f"] = lambda request: bad
            answer = await client.ask(post("/function/f"))
            assert (answer.status, answer.code) == (500, "bad_response")
            assert [(call.status, call.outcome) for call in here.calls] == [(500, "bad_response")]
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)


@pytest.mark.parametrize("count", [201, 20_000])
def test_a_streamed_answer_with_too_large_a_head_is_refused(count: int) -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            headers = tuple((b"x-%d" % number, b"y") for number in range(count))
            name = await download(here, client, get("/function/stream"), *headers)
            here.gateway.receive(ResponseBody(name, b"late"))
            answer = await client.answer()
            assert (answer.status, answer.code) == (500, "bad_response")
            assert [(call.status, call.outcome) for call in here.calls] == [(500, "bad_response")]
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)


def test_a_client_that_reads_slowly_slows_the_function() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await download(here, client, get("/function/stream"))
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            sent = 0
            while not here.worker.flows:
                here.gateway.receive(ResponseBody(name, b"x" * 100_000))
                sent += 100_000
                async with await here.client() as other:  # time passes
                    await other.ask(post("/function/echo"))
            assert here.worker.flows == [True]
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            await client.head()
            while sent:
                sent -= len(await client.chunk())
            await here.until(lambda: here.worker.flows == [True, False])
            here.worker.ended(name, Ok(streamed=True))
            assert await client.chunk() == b""

    live(story)


def test_a_client_that_stops_reading_is_left() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, body_timeout_s=0.1)) as here, await here.client() as client:
            name = await download(here, client, get("/function/stream"))
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            here.gateway.receive(ResponseBody(name, b"x" * 30_000_000))
            await here.until(lambda: bool(here.worker.withdrawn))
            assert here.worker.flows == [True, False]  # nobody listens: the function may finish
            here.worker.ended(name, Ok(streamed=True))
            assert [call.outcome for call in here.calls] == ["ok"]

    live(story)


def test_both_directions_at_once() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            name = await upload(here, client, CHUNKED)
            here.gateway.receive(ResponseHead(name, 200, ()))

            def echo(message: object) -> None:
                if isinstance(message, Body):
                    here.gateway.receive(ResponseBody(name, message.data))
                    if message.last:
                        here.worker.ended(name, Ok(streamed=True))

            here.worker.on_message = echo
            await client.head()
            for number in range(20):
                text = b"%04d" % number
                client.send(b"4\r\n" + text + b"\r\n")
                assert await client.chunk() == text
            client.send(b"0\r\n\r\n")
            assert await client.chunk() == b""
            here.worker.on_message = lambda message: None
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)


def test_an_upload_may_be_as_slow_as_its_function_allows() -> None:
    """The clocks of an invocation are its own; only bodies that are collected have to come in time."""

    async def story() -> None:
        config = GatewayConfig(port=0, body_timeout_s=0.05, idle_timeout_s=0.2)
        async with site(config) as here, await here.client() as client, await here.client() as idle:
            name = await upload(here, client, "Content-Length: 100000")
            assert await idle.rest() == b"", "so much time has passed"
            client.send(bytes(100_000))
            await here.until(lambda: bool(here.worker.bodies) and here.worker.bodies[-1].last)
            here.worker.ended(name, Ok(b"done"))
            assert (await client.answer()).body == b"done"

    live(story)
