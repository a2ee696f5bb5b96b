"""The gateway's own pages, tokens, and the bridge to the admin API."""

import asyncio
import os

import msgspec
import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.asgi_adapter import Message, Receive, Scope, Send
from tests.gateway.wire import get, live, post, site

ANYWHERE = GatewayConfig(host="0.0.0.0", port=0)
TOKEN = "Authorization: Bearer right"


def allow(authorization: bytes | None) -> bool:
    return authorization == b"Bearer right"


def test_health() -> None:
    async def story() -> None:
        ready = [False]
        async with site(is_ready=lambda: ready[0]) as here, await here.client() as client:
            assert (await client.ask(get("/healthz"))).status == 503
            ready[0] = True
            answer = await client.ask(get("/healthz"))
            assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
            here.gateway.drain()
            assert (await client.ask(get("/healthz"))).body == b'{"status":"draining"}'

    live(story)


def test_pages() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            assert msgspec.json.decode((await client.ask(get("/"))).body)["schema"] == "/api/schema"
            answer = await client.ask(post("/healthz", b"x"))
            assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", "GET, HEAD")
            for path in ("/nothing", "/api/functions", "/function", "/favicon.ico"):
                answer = await client.ask(get(path))
                assert (answer.status, answer.code) == (404, "not_found")
            page = await client.ask(get("/metrics"))
            assert page.headers["content-type"].startswith("text/plain")
            assert b"faas_invocations_total" in page.body

    live(story)


def test_metrics_are_for_the_owner() -> None:
    async def story() -> None:
        async with site(allow=allow) as here, await here.client() as client:
            for host, status in (("localhost", 200), ("evil.example", 403)):
                request = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
                assert (await client.ask(request)).status == status
        async with site(ANYWHERE, allow=allow) as here, await here.client() as client:
            assert (await client.ask(get("/metrics"))).status == 401
            assert (await client.ask(get("/metrics", TOKEN))).status == 200
            assert (await client.ask(get("/healthz"))).status == 200

    live(story)


def test_functions_need_a_token_where_others_can_reach_them() -> None:
    async def story() -> None:
        async with site(ANYWHERE, allow=allow) as here, await here.client() as client:
            refused = await client.ask(post("/function/echo", b"x"))
            assert (refused.status, refused.code, refused.headers["www-authenticate"]) == (
                401,
                "unauthorized",
                "Bearer",
            )
            assert (await client.ask(post("/function/echo", b"x", "Authorization: Bearer wrong"))).status == 401
            assert (await client.ask(post("/function/echo", b"x", TOKEN))).body == b"x"
            early = get("/function/echo", "Content-Length: 9", "Expect: 100-continue", method="POST")
            assert (await client.ask(early)).status == 401
        config = GatewayConfig(host="0.0.0.0", port=0, public=True)
        async with site(config, allow=allow) as here, await here.client() as client:
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"
            assert (await client.ask(get("/metrics"))).status == 401

    live(story)


async def answer(send: Send, body: bytes = b"", *, more: bool = False, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def collect(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += bytes(message["body"])
        if not message["more_body"]:
            return body


def test_the_bridge_carries_a_request_and_its_answer() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await answer(send, await collect(receive), status=201)

    async def story() -> None:
        async with site(admin=app) as here, await here.client() as client:
            found = await client.ask(post("/api/%C3%A9?a=%20", b"hello", "X-One: 1"))
            assert (found.status, found.body, found.headers["content-type"]) == (201, b"hello", "text/plain")
            (scope,) = scopes
            assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/api/é", b"/api/%C3%A9", b"a=%20")
            assert (scope["method"], scope["state"]["peer_uid"]()) == ("POST", os.getuid())
            assert (b"x-one", b"1") in scope["headers"]
            assert scope["server"] == ("127.0.0.1", here.port)
            assert (await client.ask(post("/api", b""))).status == 201
            assert (await client.ask(get("/api", method="HEAD"), is_head=True)).status == 201
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"
            assert (await client.ask(get("/api", "Host: other"))).status == 400

    live(story)


def test_the_bridge_takes_large_bodies_slowly() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        size = 0
        while True:
            message = await receive()
            size += len(message["body"])
            await asyncio.sleep(0)
            if not message["more_body"]:
                break
        await answer(send, b"%d" % size)

    async def story() -> None:
        async with site(GatewayConfig(port=0, max_admin_mb=10), admin=app) as here:
            async with await here.client() as client:
                assert (await client.ask(post("/api/x", b"x" * 9_000_000))).body == b"9000000"
                head = get("/api/x", "Content-Length: 5", "Expect: 100-continue", method="POST")
                assert (await client.ask(head)).status == 100
                assert (await client.ask(b"12345")).body == b"5"
            async with await here.client() as client:
                answer_ = await client.ask(get("/api/x", "Content-Length: 11000000", method="POST"))
                assert (answer_.status, answer_.code) == (413, "payload_too_large")
            async with await here.client() as client:
                client.send(get("/api/x", "Transfer-Encoding: chunked", method="POST"))
                for _ in range(11):
                    client.send(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
                assert (await client.answer()).status == 413

    live(story)


def test_the_bridge_streams_answers_until_the_client_leaves() -> None:
    async def story() -> None:
        left = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await collect(receive)
            await answer(send, b"one", more=True)
            await send({"type": "http.response.body", "body": b"two", "more_body": True})
            assert (await receive())["type"] == "http.disconnect"
            left.set()

        async with site(admin=app) as here:
            async with await here.client() as client:
                client.send(get("/api/logs"))
                status, headers = await client.head()
                assert (status, dict(headers)["transfer-encoding"]) == (200, "chunked")
                assert [await client.chunk(), await client.chunk()] == [b"one", b"two"]
            await left.wait()

    live(story)


def test_the_bridge_waits_for_a_slow_reader() -> None:
    async def story() -> None:
        sent: list[int] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await answer(send, b"x" * 1_000_000, more=True)
            for number in range(20):
                sent.append(number)
                await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": number < 19})

        async with site(admin=app) as here, await here.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(get("/api/logs"))
            async with await here.client() as other:  # time passes
                for _ in range(100):
                    await other.ask(post("/function/echo"))
            assert len(sent) < 20
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len((await client.answer()).body) == 21_000_000

    live(story)


@pytest.mark.parametrize("when", ["before", "between", "silent", "nonsense"])
def test_the_bridge_survives_its_application(when: str, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if when == "between":
            await answer(send, b"one", more=True)
        if when == "nonsense":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nb")]})
        if when != "silent":
            raise RuntimeError("boom")

    async def story() -> None:
        async with site(admin=app) as here, await here.client() as client:
            client.send(get("/api/x"))
            if when == "between":
                with pytest.raises(asyncio.IncompleteReadError):
                    await client.answer()
            else:
                found = await client.answer()
                assert (found.status, found.code) == (500, "internal")
                assert (await client.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)
    assert ("the admin API failed" in caplog.text) is (when != "silent")


def test_the_bridge_is_told_of_a_body_once() -> None:
    async def story() -> None:
        heard: list[Message] = []
        over = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            heard.append(await receive())
            watch = asyncio.ensure_future(receive())
            await answer(send, b"ok")
            heard.append(await watch)
            over.set()

        async with site(admin=app) as here:
            async with await here.client() as client:
                assert (await client.ask(post("/api/x", b"body"))).body == b"ok"
            await over.wait()
        assert heard == [{"type": "http.request", "body": b"body", "more_body": False}, {"type": "http.disconnect"}]

    live(story)
