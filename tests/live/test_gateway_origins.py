"""Whom a function is told it speaks with, what pages of other sites are told, and who hears that a client has gone."""

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.model.function import Signature
from attacca.model.invocation import Ok
from tests.gateway.play import revision
from tests.gateway.wire import get, live, post, site

SHOP = "Origin: https://shop.example"
PREFLIGHT = (SHOP, "Access-Control-Request-Method: POST")
FORWARDED = ("X-Forwarded-For: 6.6.6.6, 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example")


@pytest.mark.parametrize(
    ("proxies", "client", "scheme", "host"),
    [
        (("127.0.0.0/8",), "203.0.113.7", "https", b"shop.example"),
        (("10.0.0.0/8",), "127.0.0.1", "http", b"localhost"),
        ((), "127.0.0.1", "http", b"localhost"),
    ],
)
def test_what_a_named_proxy_says_is_told_to_the_function(
    proxies: tuple[str, ...], client: str, scheme: str, host: bytes
) -> None:
    async def story() -> None:
        config = GatewayConfig(port=0, linger_s=0.2, public=True, proxies=proxies)
        async with site(config) as here, await here.client() as page:
            here.worker.answers["stream"] = lambda _: Ok(b"ok", "text/plain")
            assert (await page.ask(get("/function/stream", *FORWARDED))).status == 200
            request = here.worker.dispatched[0].request
            assert (request.client, request.scheme, dict(request.headers)[b"host"]) == (client, scheme, host)

    live(story)


@pytest.mark.parametrize("proxies", [(), ("10.0.0.0/8",)])
def test_a_proxy_on_this_machine_that_is_not_named_needs_a_token(proxies: tuple[str, ...]) -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, proxies=proxies)) as here, await here.client() as client:
            assert (await client.ask(get("/function/stream", *FORWARDED))).status == 401
            assert here.worker.dispatched == []

    live(story)


def test_options_runs_nothing_that_takes_no_requests() -> None:
    async def story() -> None:
        config = GatewayConfig(port=0, linger_s=0.2, public=True)
        async with site(config) as here, await here.client() as client:
            for fields in ((), PREFLIGHT):
                answer = await client.ask(get("/function/echo", *fields, method="OPTIONS"))
                assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
                assert "access-control-allow-origin" not in answer.headers
            assert here.worker.dispatched == []
            here.worker.answers["stream"] = lambda request: Ok(request.method.encode(), "text/plain")
            assert (await client.ask(get("/function/stream", *PREFLIGHT, method="OPTIONS"))).body == b"OPTIONS"
            assert (await client.ask(get("/function/nobody", method="OPTIONS"))).status == 404

    live(story)


def test_pages_of_a_named_origin_may_ask_and_read() -> None:
    async def story() -> None:
        functions = [
            revision("echo", cors=("https://shop.example",)),
            revision("app", signature=Signature.ASGI, cors=("*",)),
        ]
        config = GatewayConfig(port=0, linger_s=0.2, host="0.0.0.0")  # where functions want a token
        is_token = b"Bearer t".__eq__
        async with site(config, *functions, allow=is_token) as here, await here.client() as client:
            for name, told in (("echo", "https://shop.example"), ("app", "*")):
                asked = await client.ask(get(f"/function/{name}", *PREFLIGHT, method="OPTIONS"))
                assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, told)
            assert here.worker.dispatched == []
            other = ("Origin: https://other.example", PREFLIGHT[1])
            assert (await client.ask(get("/function/echo", *other, method="OPTIONS"))).status == 401
            bare = await client.ask(post("/function/echo", b"x", SHOP))
            assert (bare.status, bare.headers["access-control-allow-origin"]) == (401, "https://shop.example")
            mine = await client.ask(post("/function/echo", b"x", SHOP, "Authorization: Bearer t"))
            assert (mine.status, mine.headers["access-control-allow-origin"]) == (200, "https://shop.example")
            plain = await client.ask(post("/function/echo", b"x", "Authorization: Bearer t"))
            assert (plain.status, plain.headers.get("access-control-allow-origin")) == (200, None)

    live(story)


def test_an_answer_without_a_content_type_has_none() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            for kind in ("", " "):
                here.worker.answers["stream"] = lambda _, kind=kind: Ok(b"x", kind.strip())  # type: ignore[misc]
                answer = await client.ask(get("/function/stream"))
                assert (answer.status, answer.body, "content-type" in answer.headers) == (200, b"x", False)

    live(story)


def test_an_application_hears_at_once_that_a_client_sends_nothing_more_and_others_do_not() -> None:
    async def story() -> None:
        functions = [revision("app", signature=Signature.ASGI), revision("f")]
        async with site(None, *functions) as here, await here.client() as client, await here.client() as other:
            other.send(post("/function/f", b"x"))
            client.send(get("/function/app"))
            await here.until(lambda: len(here.worker.dispatched) == 2)
            for order in here.worker.dispatched:
                here.worker.started(order.id)
            (app,) = [order.id for order in here.worker.dispatched if order.function == "app"]
            other.writer.write_eof()
            client.writer.write_eof()
            await here.until(lambda: bool(here.worker.withdrawn))
            assert [(one.id, one.running) for one in here.worker.withdrawn] == [(app, False)]
            here.worker.ended(app, Ok(b"all the same", "text/plain"))
            assert (await client.answer()).body == b"all the same"
            assert len(here.worker.withdrawn) == 1

    live(story)
