"""Bodies that nobody will want are not read, and those that somebody may want take no more room than there is."""

import asyncio

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.model.invocation import Ok, Outcome
from tests.gateway.play import revision
from tests.gateway.wire import CHUNKED, Client, Site, chunk, get, live, post, raw, site, time_passes, until
from tests.live.patience import PATIENCE_S

MB = 1 << 20
ANYWHERE = GatewayConfig(host="0.0.0.0", port=0)
NO_PROXIES = GatewayConfig(port=0, proxies=())
TIGHT = GatewayConfig(port=0, buffers_mb=16, max_body_mb=4)  # room for one large body of a function, and two of all
FRAMINGS = {
    "small": ("Content-Length: 9",),
    "large": ("Content-Length: 9000000",),
    "chunked": (CHUNKED,),
    "invited": ("Content-Length: 9", "Expect: 100-continue"),
    "chunked and invited": (CHUNKED, "Expect: 100-continue"),
}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/function/nobody", ("Host: localhost",), 404),
        ("/function/f", ("Host: localhost",), 429),
        ("/function/echo", ("Host: evil.example",), 403),
        ("/function/echo", ("Host: localhost", "Origin: http://evil.example"), 403),
        ("/function/echo", ("Host: localhost", "X-Forwarded-For: 1.2.3.4"), 401),
        ("/function/stream", ("Host: localhost", "Sec-Fetch-Site: cross-site"), 403),
        ("/function/echo", ("Host: localhost:abc",), 400),
        ("/function/echo", (), 400),
        ("/function/echo", ("Host: localhost", "Host: localhost"), 400),
        ("/nothing", ("Host: localhost",), 404),
        ("/healthz", ("Host: localhost",), 405),
    ],
)
def test_what_is_refused_is_refused_when_its_head_is_there(
    path: str, headers: tuple[str, ...], status: int, framing: tuple[str, ...]
) -> None:
    async def story() -> None:
        async with site(NO_PROXIES) as here:
            full = [await here.client() for _ in range(2)]
            for number, one in enumerate(full):
                one.send(post("/function/f", b"x"))
                await here.until(lambda number=number: len(here.worker.dispatched) > number)  # type: ignore[misc]
            async with await here.client() as client:
                assert (await client.ask(raw(path, *headers, *framing, method="POST"))).status == status
            assert len(here.worker.dispatched) == 2
            for one in full:
                one.close()

    live(story)


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_without_a_token_nothing_is_read(framing: tuple[str, ...]) -> None:
    async def story() -> None:
        async with site(ANYWHERE, allow=lambda value: value == b"Bearer right") as here:
            for path in ("/function/echo", "/function/nobody", "/function/stream"):
                async with await here.client() as client:
                    assert (await client.ask(get(path, *framing, method="POST"))).status == 401
            async with await here.client() as client:
                head = get("/function/nobody", *framing, "Authorization: Bearer right", method="POST")
                assert (await client.ask(head)).status == 404

    live(story)


@pytest.mark.parametrize("rest", [b"4\r\nbody\r\n0\r\n\r\n", b"1\r\nx\r\n" * 1000 + b"0\r\nT: 1\r\n\r\n"])
def test_the_rest_of_a_small_one_passes_by_and_the_connection_goes_on(rest: bytes) -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            refused = await client.ask(get("/function/nobody", CHUNKED, method="POST"))
            assert refused.status == 404
            assert "connection" not in refused.headers
            for at in range(0, len(rest), 700):
                client.send(rest[at : at + 700])
                await asyncio.sleep(0)
            client.send(get("/function/nobody", "Content-Length: 4", method="POST") + b"bo")
            assert (await client.answer()).status == 404
            client.send(b"dy" + post("/function/echo", b"x"))
            assert (await client.answer()).body == b"x"

    live(story)


@pytest.mark.parametrize("rest", [chunk(70_000), chunk(30_000) * 3, b"zz\r\n", chunk(1) + b"nonsense"])
def test_of_a_large_or_broken_one_nothing_more_is_answered(rest: bytes) -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            assert (await client.ask(get("/function/nobody", CHUNKED, method="POST"))).status == 404
            client.send(rest)
            assert await client.rest() == b""

    live(story)


def test_a_refused_body_that_stops_is_left() -> None:
    async def story() -> None:
        async with (
            site(GatewayConfig(port=0, body_timeout_s=0.05, linger_s=0.05)) as here,
            await here.client() as client,
        ):
            assert (await client.ask(get("/function/nobody", CHUNKED, method="POST"))).status == 404
            assert await client.rest() == b""

    live(story)


async def occupy(here: Site, function: str = "f") -> Client:
    """An invocation with a large body that waits until the test lets it end."""
    client, count = await here.client(), len(here.worker.dispatched)
    client.send(post(f"/function/{function}", bytes(4 * MB)))
    await here.until(lambda: len(here.worker.dispatched) > count)
    return client


def end(here: Site, outcome: Outcome | None = None) -> None:
    here.worker.ended(here.worker.dispatched[-1].id, outcome or Ok(b"done"))


def test_one_that_there_is_no_room_for_is_not_read_until_there_is() -> None:
    async def story() -> None:
        async with site(TIGHT) as here, await here.client() as client:
            async with await occupy(here) as first:
                client.send(get("/function/f", CHUNKED, method="POST") + chunk(MB) * 3)
                await until(here, lambda: here.server.rooms.bodies.waiting == 1)
                await time_passes(here)
                assert here.server.rooms.bodies.held == 4 * MB
                assert len(here.worker.dispatched) == 1
                end(here)
                assert (await first.answer()).body == b"done"
            client.send(b"0\r\n\r\n")
            await here.until(lambda: len(here.worker.dispatched) == 2)
            assert len(here.worker.dispatched[-1].request.body) == 3 * MB
            assert here.server.rooms.bodies.held == 3 * MB, "what is not needed is given back"
            end(here)
            assert (await client.answer()).body == b"done"
            assert here.server.rooms.bodies.held == here.server.rooms.pieces.held == 0

    live(story)


def test_an_invitation_waits_for_room() -> None:
    async def story() -> None:
        async with site(TIGHT) as here, await here.client() as client:
            async with await occupy(here):
                client.send(get("/function/f", f"Content-Length: {MB * 3}", "Expect: 100-continue", method="POST"))
                await until(here, lambda: here.server.rooms.bodies.waiting == 1)
                end(here)
            assert (await client.answer()).status == 100
            client.send(bytes(MB * 3))
            await here.until(lambda: len(here.worker.dispatched) == 2)
            end(here)
            assert (await client.answer()).status == 200

    live(story)


@pytest.mark.parametrize("framing", [CHUNKED, f"Content-Length: {MB * 4}"])
def test_waiting_for_room_has_an_end(framing: str) -> None:
    async def story() -> None:
        config = GatewayConfig(port=0, buffers_mb=16, max_body_mb=4, body_timeout_s=0.5)
        async with site(config) as here, await here.client() as client, await occupy(here) as first:
            client.send(get("/function/f", framing, method="POST") + chunk(MB))
            answer = await client.answer()
            assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
            assert answer.headers["connection"] == "close"
            end(here)
            assert (await first.answer()).body == b"done"
            assert (here.server.rooms.bodies.held, here.server.rooms.bodies.waiting) == (0, 0)

    live(story)


def test_large_bodies_do_not_keep_small_ones_or_other_functions_waiting() -> None:
    async def story() -> None:
        async with (
            site(TIGHT) as here,
            await occupy(here),
            await here.client() as small,
            await here.client() as other,
        ):
            small.send(get("/function/f", "Content-Length: 60000", method="POST") + bytes(30_000))
            await time_passes(here)
            small.send(bytes(30_000))
            await here.until(lambda: len(here.worker.dispatched) == 2)
            end(here)
            assert (await small.answer()).status == 200
            assert len((await other.ask(post("/function/echo", bytes(4 * MB)))).body) == 4 * MB

    live(story)


@pytest.mark.parametrize(
    ("how", "rest", "status"),
    [
        ("stalls", b"", 408),
        ("is too large", chunk(MB) * 2, 413),
        ("is no HTTP", b"zz\r\n", 400),
        ("is refused at last", b"0\r\n\r\n", 503),
        ("leaves", None, None),
    ],
)
def test_room_is_given_back_however_a_body_ends(how: str, rest: bytes | None, status: int | None) -> None:
    async def story() -> None:
        patience_s = 0.1 if how == "stalls" else 30.0
        config = GatewayConfig(port=0, buffers_mb=16, max_body_mb=2, body_timeout_s=patience_s, linger_s=0.05)
        async with site(config) as here, await here.client() as client:
            client.send(get("/function/echo", CHUNKED, method="POST") + chunk(MB))
            await until(here, lambda: here.server.rooms.bodies.held == 2 * MB)
            if how == "is refused at last":
                here.gateway.drain()
            if rest is None:
                client.close()
            else:
                client.send(rest)
            await until(here, lambda: here.server.rooms.bodies.held == 0)
            if status is not None:
                assert (await client.answer()).status == status

    live(story)


@pytest.mark.parametrize("is_running", [False, True])
def test_a_body_whose_client_has_left_takes_room_until_its_invocation_is_over(is_running: bool) -> None:  # noqa: FBT001
    async def story() -> None:
        async with site(TIGHT) as here:
            client = await occupy(here)
            if is_running:
                here.worker.started(here.worker.dispatched[0].id)
            client.writer.transport.abort()
            await time_passes(here)
            assert here.server.rooms.bodies.held == 4 * MB
            end(here)
            assert here.server.rooms.bodies.held == 0

    live(story)


def test_a_body_whose_invocation_times_out_gives_its_room_back() -> None:
    async def story() -> None:
        async with site(TIGHT, revision("f", wait_s=0.05)) as here, await occupy(here) as client:
            assert (await client.answer()).status == 504
            assert here.server.rooms.bodies.held == 0

    live(story)


def test_many_unfinished_bodies_hold_no_more_than_the_buffers() -> None:
    async def story() -> None:
        config = GatewayConfig(port=0, buffers_mb=16, max_body_mb=4, body_timeout_s=0.3, linger_s=PATIENCE_S / 20)
        async with site(config) as here:
            clients = [await here.client() for _ in range(30)]
            for number, client in enumerate(clients):
                function = ("echo", "f", "nobody")[number % 3]
                client.send(get(f"/function/{function}", CHUNKED, method="POST") + chunk(MB) * 3)
            statuses = [(await client.answer()).status for client in clients]
            assert set(statuses[2::3]) == {404}
            assert set(statuses[0::3] + statuses[1::3]) == {408, 503}
            assert here.server.rooms.bodies.total == 12 * MB
            await until(here, lambda: here.server.rooms.bodies.held == here.server.rooms.pieces.held == 0)
            for client in clients:
                client.close()

    live(story)


def test_a_body_that_stops_is_given_up_however_much_has_come() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, body_timeout_s=0.1)) as here, await here.client() as client:
            client.send(get("/function/echo", CHUNKED, method="POST") + chunk(MB) * 10)
            answer = await client.answer()
            assert (answer.status, answer.code) == (408, "request_timeout")

    live(story)


def test_what_comes_behind_takes_room_too() -> None:
    async def story() -> None:
        config, count = GatewayConfig(port=0, buffers_mb=1, max_body_mb=0.1), 5000
        async with site(config, revision("f"), revision("echo")) as here:
            clients = [await here.client() for _ in range(4)]
            for number, client in enumerate(clients):
                client.send(post("/function/f", b"%d" % number) + get("/function/echo") * count)
                await here.until(lambda number=number: len(here.worker.dispatched) > number)  # type: ignore[misc]
            await time_passes(here)
            assert here.server.rooms.pieces.held <= here.server.rooms.pieces.share
            for invocation in list(here.worker.dispatched):
                here.worker.ended(invocation.id, Ok(invocation.request.body))
            refused = 0
            for number, client in enumerate(clients):
                assert (await client.answer()).body == b"%d" % number, "what came before is answered"
                statuses = [(await client.answer()).status]
                while statuses[-1] == 200 and len(statuses) < count:
                    statuses.append((await client.answer()).status)
                assert set(statuses[:-1]) <= {200}
                refused += statuses[-1] == 503
                client.close()
            assert refused > 0
            await until(here, lambda: here.server.rooms.pieces.held == 0)

    live(story)
