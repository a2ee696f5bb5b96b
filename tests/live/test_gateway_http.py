"""The rules of HTTP, one by one, on a real socket."""

import pytest

from attacca.errors import BadConfig
from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.listener import listen
from attacca.model.invocation import FunctionError, Ok, Request
from tests.gateway.wire import Site, get, live, post, site


def test_an_invocation_and_its_answer() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            answer = await client.ask(post("/function/echo", b'{"a":1}', "Content-Type: application/json"))
            assert (answer.status, answer.body) == (200, b'{"a":1}')
            assert answer.headers["x-attacca-start"] == "warm"
            assert answer.headers["x-attacca-invocation-id"] == here.calls[0].id
            assert answer.headers["server-timing"].startswith("queued;dur=0.250, placed;dur=0.500, sandbox;dur=0,")
            assert answer.headers["server-timing"].partition("run;dur=1.500, total;dur=")[1] != ""
            assert answer.headers["date"].endswith("GMT")
            request = here.worker.dispatched[0].request
            assert request == Request(b'{"a":1}', "application/json")

    live(story)


def test_a_warm_answer_has_its_details_when_they_are_asked_for() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            short = await client.ask(post("/function/echo", b"1"))
            told = await client.ask(post("/function/echo", b"1", "X-Attacca-Detail: 1"))
            details = {"x-attacca-sandbox", "x-attacca-arrived", "x-attacca-waiting"}
            assert told.headers["x-attacca-start"] == short.headers["x-attacca-start"] == "warm"
            assert details <= set(told.headers)
            assert set(short.headers) == set(told.headers) - details

    live(story)


def test_a_plain_function_gets_no_headers_and_an_asgi_function_all() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            here.worker.answers["stream"] = lambda request: Ok(b"ok", "text/plain")
            await client.ask(get("/function/echo/a/b?x=%20", "X-One: 1", method="PATCH"))
            await client.ask(get("/function/stream/a/b?x=%20", "X-One: 1", "X-ONE: 2", method="PROPFIND"))
            plain, asgi = (invocation.request for invocation in here.worker.dispatched)
            assert plain == Request(method="PATCH", path="/a/b", query="x=%20")
            headers = ((b"host", b"localhost"), (b"x-one", b"1"), (b"x-one", b"2"))
            assert asgi.port > 0
            assert asgi == Request(
                method="PROPFIND", path="/a/b", query="x=%20", headers=headers, client="127.0.0.1", port=asgi.port
            )

    live(story)


def test_keep_alive_and_its_end() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            for _ in range(3):
                assert (await client.ask(post("/function/echo", b"x"))).status == 200
            last = await client.ask(post("/function/echo", b"x", "Connection: close"))
            assert last.headers["connection"] == "close"
            assert await client.rest() == b""

    live(story)


def test_http_1_0() -> None:
    async def story() -> None:
        async with site() as here:
            async with await here.client() as client:
                answer = await client.ask(get("/function/echo", version="HTTP/1.0"))
                assert answer.headers["connection"] == "close"
                assert await client.rest() == b""
            async with await here.client() as client:
                for _ in range(2):
                    answer = await client.ask(get("/function/echo", "Connection: keep-alive", version="HTTP/1.0"))
                    assert answer.headers["connection"] == "keep-alive"

    live(story)


def test_pipelined_requests_are_answered_in_order() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            client.send(b"".join(post(path, b"%d" % n) for n, path in enumerate(["/function/echo", "/function/f"] * 2)))
            assert (await client.answer()).body == b"0"
            for body in (b"1", b"3"):
                await here.until(lambda body=body: here.worker.dispatched[-1].request.body == body)  # type: ignore[misc]
                here.worker.started(here.worker.dispatched[-1].id)
                here.worker.ended(here.worker.dispatched[-1].id, Ok(b"f" + body))
                assert (await client.answer()).body == b"f" + body
                if body == b"1":
                    assert (await client.answer()).body == b"2"

    live(story)


def test_a_deep_pipeline_is_held_back_and_all_of_it_answered() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            count = 5000
            client.send(post("/function/f", b"first") + get("/function/echo") * count)
            await here.until(lambda: bool(here.worker.dispatched))
            assert len(here.worker.dispatched) == 1
            here.worker.started(here.worker.dispatched[0].id)
            here.worker.ended(here.worker.dispatched[0].id, Ok(b"done"))
            assert (await client.answer()).body == b"done"
            for _ in range(count):
                assert (await client.answer()).status == 200

    live(story)


def test_chunked_bodies_are_put_together() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            head = get("/function/echo", "Transfer-Encoding: chunked", method="POST")
            client.send(head + b"3\r\nabc\r\n")
            client.send(b"4;ext=1\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n")
            assert (await client.answer()).body == b"abcdefg"
            assert (await client.ask(post("/function/echo", b"next"))).body == b"next"

    live(story)


def test_expect_100_continue() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, max_body_mb=0.001)) as here:
            async with await here.client() as client:
                client.send(get("/function/echo", "Content-Length: 2", "Expect: 100-continue", method="PUT"))
                assert (await client.answer()).status == 100
                assert (await client.ask(b"hi")).body == b"hi"
                assert (await client.ask(post("/function/echo", b"x", "Expect: 100-continue"))).body == b"x"
            for path, size, status in (("/function/nobody", 2, 404), ("/function/echo", 2000, 413)):
                async with await here.client() as client:
                    head = get(path, f"Content-Length: {size}", "Expect: 100-continue", method="PUT")
                    answer = await client.ask(head)
                    assert (answer.status, answer.headers["connection"]) == (status, "close")
                    assert await client.rest() == b""

    live(story)


def test_head() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            here.worker.answers["echo"] = lambda request: Ok(b"four")
            answer = await client.ask(get("/function/echo", method="HEAD"), is_head=True)
            assert answer.headers["content-length"] == "4"
            assert (await client.ask(get("/function/echo"))).body == b"four"
            assert (await client.ask(get("/function/nobody", method="HEAD"), is_head=True)).status == 404
            assert (await client.ask(get("/healthz", method="HEAD"), is_head=True)).status == 200

    live(story)


def test_bodies_over_the_limit() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, max_body_mb=0.1)) as here:
            async with await here.client() as client:
                assert (await client.ask(post("/function/echo", b"x" * 100_000))).status == 200
            async with await here.client() as client:  # announced
                client.send(post("/function/echo", b"x" * 105_000))
                answer = await client.answer()
                assert (answer.status, answer.code) == (413, "payload_too_large")
                await client.rest()
            async with await here.client() as client:  # not announced
                client.send(get("/function/echo", "Transfer-Encoding: chunked", method="POST"))
                client.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
                for _ in range(8):
                    client.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
                assert (await client.answer()).code == "payload_too_large"
            assert len(here.worker.dispatched) == 1

    live(story)


def test_small_limits_hold_for_small_bodies() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, max_body_mb=10 / 1024 / 1024)) as here, await here.client() as client:
            assert (await client.ask(post("/function/echo", b"x" * 10))).status == 200
            assert (await client.ask(post("/function/echo", b"x" * 11))).status == 413
            assert (await client.ask(post("/function/echo", b"x" * 10))).status == 200

    live(story)


def test_heads_over_the_limit() -> None:
    async def story() -> None:
        async with site() as here:
            for request in (get("/function/echo?" + "x" * 40_000), get("/", "X: " + "y" * 40_000)):
                async with await here.client() as client:
                    answer = await client.ask(request)
                    assert (answer.status, answer.code) == (431, "headers_too_large")
                    await client.rest()
            async with await here.client() as client:
                assert (await client.ask(get("/function/echo?" + "x" * 30_000))).status == 200
            async with await here.client() as client:  # trailers are no way around it
                client.send(get("/function/echo", "Transfer-Encoding: chunked", method="POST"))
                client.send(b"1\r\nx\r\n0\r\nX-Trailer: " + b"y" * 80_000)
                assert (await client.answer()).status == 400

    live(story)


def test_targets_in_every_form() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            for target, status in (
                ("http://anything:1/function/echo", 200),
                ("/function/%65cho", 200),
                ("/function/ech%", 404),
                ("/function/" + "%2e" * 500, 404),
                ("/function/", 404),
                ("//", 404),
            ):
                assert (await client.ask(get(target))).status == status
            assert (await client.ask(get("*", method="OPTIONS"))).status == 404
            answer = await client.ask(get("example.org:443", method="CONNECT"))
            assert (answer.status, answer.code) == (405, "method_not_allowed")

    live(story)


def test_an_upgrade_is_passed_over() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            client.send(get("/function/echo", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"))
            assert (await client.answer()).status == 200
            assert (await client.ask(post("/function/echo", b"x"))).body == b"x"
            both = get("/function/echo", "Upgrade: h2c", "Connection: upgrade") + post("/function/echo", b"y")
            assert (await client.ask(both)).body == b""
            assert (await client.answer()).body == b"y"

    live(story)


def test_a_websocket_is_refused() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            answer = await client.ask(get("/function/echo", "Upgrade: WebSocket", "Connection: upgrade"))
            assert (answer.status, answer.code) == (501, "unsupported")
        async with site() as here, await here.client() as client:
            answer = await client.ask(get("/function/echo", "Upgrade: websocket", "Content-Length: 5", method="POST"))
            assert (answer.status, answer.code) == (501, "unsupported"), "also before its body has come"

    live(story)


def test_near_names_and_other_errors() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            here.worker.answers["f"] = lambda request: FunctionError("ValueError", "no", "Traceback")
            missing = await client.ask(post("/function/ecko", b"{}"))
            assert (missing.status, missing.code) == (404, "not_found")
            assert b"echo" in missing.body
            raised = await client.ask(post("/function/f", b"{}"))
            assert (raised.status, raised.code) == (500, "function_error")
            assert b'"type":"ValueError"' in raised.body
            assert raised.headers["x-attacca-start"] == "warm"
            assert (await client.ask(post("/function/echo", b"on"))).body == b"on"

    live(story)


async def dispatch(here: Site, count: int) -> None:
    await here.until(lambda: len(here.worker.dispatched) >= count)


def test_a_full_queue() -> None:
    async def story() -> None:
        async with site() as here:
            first, second, third = [await here.client() for _ in range(3)]
            for number, client in enumerate((first, second)):
                client.send(post("/function/f", b"%d" % number))
                await dispatch(here, number + 1)
            answer = await third.ask(post("/function/f", b"3"))
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (429, "queue_full", "1")
            for invocation in here.worker.dispatched:
                here.worker.ended(invocation.id, Ok(invocation.request.body))
            assert [(await client.answer()).body for client in (first, second)] == [b"0", b"1"]
            for client in (first, second, third):
                client.close()

    live(story)


def test_who_leaves_the_queue_is_withdrawn_and_who_leaves_a_run_is_not_killed() -> None:
    async def story() -> None:
        async with site() as here:
            waits, runs = await here.client(), await here.client()
            waits.send(post("/function/f", b"waits"))
            await dispatch(here, 1)
            runs.send(post("/function/f", b"runs"))
            await dispatch(here, 2)
            here.worker.started(here.worker.dispatched[1].id)
            runs.close()
            waits.close()
            await here.until(lambda: bool(here.worker.withdrawn))
            (withdraw,) = here.worker.withdrawn
            assert (withdraw.id, withdraw.running) == (here.worker.dispatched[0].id, False)
            here.worker.ended(here.worker.dispatched[0].id, withdraw.outcome)
            here.worker.ended(here.worker.dispatched[1].id, Ok())
            assert [call.outcome for call in here.calls] == ["cancelled", "ok"]

    live(story)


def test_who_has_only_finished_sending_still_gets_the_answer_of_a_run() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            client.send(post("/function/f", b"x"))
            await dispatch(here, 1)
            here.worker.started(here.worker.dispatched[0].id)
            client.writer.write_eof()
            async with await here.client() as other:  # by now the end has been seen
                await other.ask(post("/function/echo"))
            here.worker.ended(here.worker.dispatched[0].id, Ok(b"late"))
            assert (await client.answer()).body == b"late"
            assert await client.rest() == b""

    live(story)


def test_timeouts_reach_the_client() -> None:
    from tests.gateway.play import revision

    async def story() -> None:
        async with site(None, revision("f", wait_s=0.01)) as here, await here.client() as client:
            answer = await client.ask(post("/function/f"))
            assert (answer.status, answer.code) == (504, "timeout")
            assert b"wait_s = 0.01" in answer.body

    live(story)


def test_slow_clients() -> None:
    async def story() -> None:
        config = GatewayConfig(port=0, head_timeout_s=0.05, body_timeout_s=0.05, idle_timeout_s=0.05, linger_s=0.05)
        async with site(config) as here:
            for text, status in ((b"GET /function/echo HTT", 408), (post("/function/echo", b"xx")[:-1], 408)):
                async with await here.client() as client:
                    answer = await client.ask(text)
                    assert (answer.status, answer.code) == (status, "request_timeout")
                    assert await client.rest() == b""
            for text in (b"", post("/function/echo")):
                async with await here.client() as client:
                    client.send(text)
                    assert (await client.rest()).count(b"HTTP/1.1") == bool(text)

    live(story)


def test_draining_refuses_and_closes() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, linger_s=0.05)) as here:
            idle, busy, late = [await here.client() for _ in range(3)]
            busy.send(post("/function/f", b"x"))
            await dispatch(here, 1)
            await idle.ask(post("/function/echo"))
            here.gateway.drain()
            answer = await late.ask(post("/function/echo"))
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "draining", "1")
            assert await late.rest() == b""
            assert await idle.rest() == b""
            here.worker.started(here.worker.dispatched[0].id)
            here.worker.ended(here.worker.dispatched[0].id, Ok(b"done"))
            last = await busy.answer()
            assert (last.body, last.headers["connection"]) == (b"done", "close")
            for client in (idle, busy, late):
                client.close()

    live(story)


def test_too_many_connections() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, max_connections=1)) as here, await here.client() as first:
            await first.ask(post("/function/echo"))
            async with await here.client() as second:
                answer = await second.answer()
                assert (answer.status, answer.code, answer.headers["connection"]) == (503, "overloaded", "close")
                assert answer.headers["retry-after"] == "1"
                assert await second.rest() == b""
            assert (await first.ask(post("/function/echo", b"x"))).body == b"x"

    live(story)


def test_a_port_that_is_taken_is_named() -> None:
    async def story() -> None:
        async with site() as here:
            with pytest.raises(BadConfig, match=str(here.port)):
                await listen(here.gateway, GatewayConfig(port=here.port), None, lambda: True)

    live(story)
