"""What a client sends faster than anybody takes it stays with the client: of it the server holds a bounded part."""

from attacca.gateway.config import GatewayConfig
from tests.gateway.wire import Client, Site, get, live, post, site

FLOOD = 32 << 20  # kernels' buffers take some of it


async def unread(here: Site, client: Client, data: bytes) -> int:
    """How much of this is still with the client when the server has had time to read all of it."""
    client.send(data)
    async with await here.client() as other:
        for _ in range(300):
            assert (await other.ask(get("/function/echo"))).status == 200
    size = client.writer.transport.get_write_buffer_size()
    client.writer.transport.abort()
    return size


def test_a_body_that_nobody_takes_is_left_unread() -> None:
    async def story() -> None:
        async with site(GatewayConfig(port=0, max_stream_mb=100)) as here, await here.client() as client:
            client.send(get("/function/stream", f"Content-Length: {FLOOD}", method="POST"))
            await here.until(lambda: bool(here.worker.dispatched))
            assert await unread(here, client, bytes(FLOOD)) > FLOOD / 8

    live(story)


def test_requests_behind_one_that_runs_are_left_unread() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            client.send(post("/function/f"))
            await here.until(lambda: bool(here.worker.dispatched))
            one = post("/function/f", bytes(60_000))
            assert await unread(here, client, one * (FLOOD // len(one))) > FLOOD / 8

    live(story)


def test_requests_of_a_client_that_reads_no_answers_are_left_unread() -> None:
    async def story() -> None:
        async with site() as here, await here.client() as client:
            one = post("/function/echo", bytes(60_000))
            assert await unread(here, client, one * (FLOOD // len(one))) > FLOOD / 8

    live(story)
