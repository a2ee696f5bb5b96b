"""On a real socket: which Hosts, pages and proxies get through to functions, the admin API and the pages."""

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.asgi_adapter import Receive, Scope, Send
from tests.gateway.wire import Site, get, live, raw, site

PATHS = ["/function/echo", "/function/nobody", "/healthz", "/", "/nothing", "/metrics", "/api", "/api/x"]
BAD_HOSTS = [
    "", "localhost:", "localhost:abc", "localhost: 80", "localhost: http://evil", "localhost:99999999", "localhost:-1",
    "localhost:" + "9" * 5000, "[::1", "::1", "[::1]:", "[::1%25lo]", "a b", "user@localhost", "localhost/x",
    "l\xf6calhost", "localhost, localhost", "%6cocalhost", "*",
]  # fmt: skip
TOKEN = "Authorization: Bearer right"
PUBLIC = GatewayConfig(port=0, public=True)
NO_PROXIES = GatewayConfig(port=0, proxies=())


def allow(authorization: bytes | None) -> bool:
    return authorization == b"Bearer right"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def status(here: Site, request: bytes) -> int:
    async with await here.client() as client:
        return (await client.ask(request)).status


@pytest.mark.parametrize("config", [GatewayConfig(port=0), PUBLIC, GatewayConfig(host="0.0.0.0", port=0)])
def test_a_request_names_one_host_whatever_it_asks_for(config: GatewayConfig) -> None:
    bad = [[f"Host: {host}"] for host in BAD_HOSTS]
    bad += [
        [],
        ["Host: localhost", "Host: localhost"],
        ["Host: localhost", "Host: evil.example"],
        ["Host: a b", "Host: x"],
    ]

    async def story() -> None:
        async with site(config, admin=app, allow=allow) as here:
            for path in PATHS:
                for hosts in bad:
                    async with await here.client() as client:
                        answer = await client.ask(raw(path, *hosts, TOKEN))
                        assert (answer.status, answer.headers["connection"]) == (400, "close"), (path, hosts)
                        assert answer.code == "bad_request"
            assert here.worker.dispatched == []

    live(story)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_http_1_0_may_do_without_a_host_but_not_have_a_bad_one(version: str) -> None:
    async def story() -> None:
        async with site() as here:
            expected = 200 if version == "HTTP/1.0" else 400
            assert await status(here, raw("/function/echo", version=version)) == expected
            assert await status(here, raw("/function/echo", "Connection: keep-alive", version=version)) == expected
            assert await status(here, raw("/function/echo", "Host: localhost:abc", version=version)) == 400
            assert await status(here, raw("/function/echo", "Host: evil.example", version=version)) == 403

    live(story)


STRANGERS = [
    (403, ["Host: evil.example"]),
    (403, ["Host: evil.example", "Origin: http://evil.example", "Sec-Fetch-Site: same-origin"]),
    (403, ["Host: localhost", "Origin: http://evil.example"]),
    (403, ["Host: localhost", "Origin: null"]),
    (403, ["Host: localhost", "Origin: http://localhost:3000"]),
    (403, ["Host: localhost", "Sec-Fetch-Site: cross-site"]),
    (403, ["Host: localhost", "Sec-Fetch-Site: same-site"]),
    (403, ["Host: localhost", "Sec-Fetch-Site: none", "Origin: "]),
    (401, ["Host: localhost", "X-Forwarded-For: 203.0.113.9"]),
    (401, ["Host: localhost", "Forwarded: for=203.0.113.9"]),
    (401, ["Host: localhost", "Via: 1.1 proxy"]),
    (401, ["Host: localhost", "CF-Connecting-IP: 203.0.113.9"]),
]
TOOLS = [
    (200, ["Host: localhost"]),
    (200, ["Host: 127.0.0.1:8080"]),
    (200, ["Host: [::1]:8080"]),
    (200, ["Host: LOCALHOST.:1"]),
    (200, ["Host: localhost", "Cookie: a", "Cookie: b"]),
    (200, ["Host: localhost", "Sec-Fetch-Site: none"]),
]
OWN_PAGE = (200, ["Host: localhost:8080", "Origin: http://localhost:8080", "Sec-Fetch-Site: same-origin"])


def test_functions_are_for_this_machine_and_their_own_pages() -> None:
    async def story() -> None:
        async with site(NO_PROXIES, allow=allow) as here, await here.client() as client:
            for expected, headers in [*STRANGERS, *TOOLS, OWN_PAGE] * 2:  # on one connection, and with a memory
                assert (await client.ask(raw("/function/echo", *headers))).status == expected, headers
            for expected, headers in STRANGERS:
                assert (await client.ask(raw("/function/echo", *headers, TOKEN))).status == 200
                assert (await client.ask(raw("/function/echo", *headers, "Authorization: x"))).status == expected
            assert (await client.ask(get("/function/echo", "Authorization: x"))).status == 200, "the function's own"

    live(story)


def test_public_functions_are_for_everybody_and_nothing_else_is() -> None:
    async def story() -> None:
        async with site(PUBLIC, allow=allow) as here, await here.client() as client:
            for _, headers in [*STRANGERS, *TOOLS, OWN_PAGE] * 2:
                assert (await client.ask(raw("/function/echo", *headers))).status == 200
            for expected, headers in [*STRANGERS, *TOOLS, (403, OWN_PAGE[1])]:
                assert (await client.ask(raw("/metrics", *headers))).status == expected

    live(story)


def test_functions_may_be_called_through_proxies_that_are_named() -> None:
    """Those on this machine are, unless something else is set. What they say opens no other door."""

    async def story() -> None:
        async with site(allow=allow) as here, await here.client() as client:
            for expected, headers in [*STRANGERS, *TOOLS] * 2:
                known = 200 if expected == 401 else expected
                assert (await client.ask(raw("/function/echo", *headers))).status == known, headers
                assert (await client.ask(raw("/function/echo", *headers, "X-Forwarded-Proto: https"))).status == known
            assert (await client.ask(raw("/function/echo", "Host: evil.example", "Via: 1.1 proxy"))).status == 403

    live(story)


def test_what_a_proxy_sent_does_not_operate_anything() -> None:
    async def story() -> None:
        async with site(allow=allow) as here, await here.client() as client:
            assert (await client.ask(get("/metrics"))).status == 200
            for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Anything", "Via", "X-Real-IP", "True-Client-IP"):
                assert (await client.ask(get("/metrics", f"{name}: x"))).status == 401
                assert (await client.ask(get("/metrics", f"{name}: x", TOKEN))).status == 200

    live(story)
