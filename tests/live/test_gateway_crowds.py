"""What the gateway holds for clients that do not read, and those that are too many."""

import asyncio

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.model.invocation import Ok
from tests.gateway.wire import CHUNKED, Client, Site, chunk, get, live, post, site, time_passes, until

MB = 1 << 20


async def ask_unread(here: Site, request: bytes) -> Client:
    """One who asks and does not read the answer."""
    client = await here.client()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]
    client.send(request)
    await here.until(lambda: here.worker.dispatched != [])
    await time_passes(here)
    return client


def test_answers_that_nobody_reads_take_room_and_give_it_back() -> None:
    async def story() -> None:
        config = GatewayConfig(port=0, buffers_mb=40, max_body_mb=4)
        async with site(config) as here, await here.client() as reader:
            here.worker.answers["f"] = lambda request: Ok(bytes(15 * MB))
            first = await ask_unread(here, get("/function/f"))
            assert here.server.rooms.answers.held == 15 * MB
            refused = await reader.ask(get("/function/f"))
            assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "overloaded", "1")
            assert here.calls[-1].outcome == "overloaded"
            assert (await reader.ask(get("/function/echo"))).status == 200
            first.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len((await first.answer()).body) == 15 * MB
            assert len((await reader.ask(get("/function/f"))).body) == 15 * MB
            second = await ask_unread(here, get("/function/f"))
            assert here.server.rooms.answers.held == 15 * MB
            second.writer.transport.abort()
            await until(here, lambda: here.server.rooms.answers.held == 0)
            here.worker.answers["f"] = lambda request: Ok(bytes(30 * MB))
            assert len((await reader.ask(get("/function/f"))).body) == 30 * MB, "larger than a share, and alone"
            assert here.server.rooms.answers.held == 0
            first.close()

    live(story)


@pytest.mark.parametrize("half", [False, True])
def test_who_reads_no_answers_gets_no_more_of_them(half: bool) -> None:  # noqa: FBT001
    async def story() -> None:
        async with site() as here:
            client, count = await here.client(), 200
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(get("/function/f") * count)
            await here.until(lambda: here.worker.dispatched != [])
            served = 0
            while served < len(here.worker.dispatched):
                name = here.worker.dispatched[served].id
                here.worker.started(name)
                here.worker.ended(name, Ok(bytes(60_000)))
                served += 1
                await time_passes(here, 3)
            assert served < count
            if half:
                client.writer.write_eof()
                await time_passes(here)
            here.worker.answers["f"] = lambda request: Ok(bytes(60_000))
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            for _ in range(count):
                assert len((await client.answer()).body) == 60_000
            client.close()

    live(story)


def test_who_is_one_too_many_is_told_and_not_for_long() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, max_connections=1, linger_s=0.05)) as here, await here.client() as first:
            assert (await first.ask(post("/function/echo", b"x"))).body == b"x"
            for request in (b"", get("/healthz"), get("/function/echo", CHUNKED, method="POST") + chunk(100_000)):
                async with await here.client() as client:
                    client.send(request)
                    assert (await client.answer()).status == 503
                    assert await client.rest() == b""
            assert (await first.ask(post("/function/echo", b"x"))).body == b"x"
        async with site(GatewayConfig(port=0, max_connections=1, linger_s=60)) as here, await here.client() as first:
            assert (await first.ask(post("/function/echo", b"x"))).body == b"x"
            many = [await here.client() for _ in range(300)]
            answers = await asyncio.gather(*(client.rest() for client in many[150:]), return_exceptions=True)
            assert sum(isinstance(found, bytes) and found != b"" for found in answers) < 150, "others are just closed"
            assert here.server.turned_away <= 128
            for client in many:
                client.close()
            first.close()
        assert here.server.turned_away == 0

    live(story)
