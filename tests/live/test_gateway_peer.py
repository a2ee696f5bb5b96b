"""Who is at the other end of a real connection, asked of the kernel: exactly, whatever else is connected."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http import peer_uid
from attacca.gateway.http.asgi_adapter import Receive, Scope, Send
from tests.gateway.wire import get, live, post, site

ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
FAMILIES = {
    "IPv4": (socket.AF_INET, "127.0.0.1", socket.AF_INET, "127.0.0.1"),
    "IPv6": (socket.AF_INET6, "::1", socket.AF_INET6, "::1"),
    "an IPv4 client of an IPv6 server": (socket.AF_INET6, "::", socket.AF_INET, "127.0.0.1"),
    "an IPv6 client of an IPv4 server": (socket.AF_INET, "127.0.0.1", socket.AF_INET6, "::ffff:127.0.0.1"),
}
SOMEBODY = 54_321


@pytest.fixture(params=list(FAMILIES.values()), ids=list(FAMILIES))
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's end and the server's."""
    family, address, other_family, other_address = request.param
    with socket.socket(family) as server, socket.socket(other_family) as client:
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind((address, 0))
        server.listen()
        client.connect((other_address, server.getsockname()[1]))
        ours, _ = server.accept()
        with ours:
            yield client, ours


def of(ours: socket.socket) -> int | None:
    return peer_uid.uid(ours.getpeername()[:2], ours.getsockname()[:2])


def test_it_is_us(pair: tuple[socket.socket, socket.socket]) -> None:
    assert of(pair[1]) == os.getuid()


@ONLY_ROOT
def test_it_is_somebody_else(pair: tuple[socket.socket, socket.socket]) -> None:
    client, ours = pair
    os.fchown(client.fileno(), SOMEBODY, -1)
    assert of(ours) == SOMEBODY
    assert peer_uid.uid(client.getpeername()[:2], client.getsockname()[:2]) == 0, "the other way round it is the server"


def test_who_has_gone_or_only_half_is_nobody(pair: tuple[socket.socket, socket.socket]) -> None:
    client, ours = pair
    theirs, here = ours.getpeername()[:2], ours.getsockname()[:2]
    client.shutdown(socket.SHUT_WR)
    assert peer_uid.uid(theirs, here) is None
    client.close()
    assert peer_uid.uid(theirs, here) is None


def test_one_who_only_listens_stands_for_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert peer_uid.uid(server.getsockname(), ("127.0.0.1", 1)) is None


def test_a_kernel_that_does_not_answer_makes_strangers(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_uid, "SOCK_DIAG", 31)  # no such protocol
    assert of(pair[1]) is None


def test_only_what_it_decides_asks_who_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def count(theirs: object, ours: object) -> int:
        asked.append(theirs)
        return os.getuid()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    monkeypatch.setattr(peer_uid, "uid", count)

    async def story() -> None:
        async with site(GatewayConfig(port=0), admin=app) as here, await here.client() as client:
            for path in ("/healthz", "/", "/nothing", "/favicon.ico", "/function/echo", "/function/nobody", "/api/x"):
                await client.ask(get(path))
            await client.ask(post("/metrics"))
            for headers in ("Origin: null", "Sec-Fetch-Site: cross-site", "Via: 1.1 x", "Authorization: Bearer x"):
                assert (await client.ask(get("/metrics", headers))).status in (401, 403)
            assert asked == []
            assert (await client.ask(get("/metrics"))).status == 200
            assert (await client.ask(get("/metrics"))).status == 200
            assert len(asked) == 1, "once for a connection"

    live(story)


def test_no_table_of_the_kernel_is_read() -> None:
    for path in Path(peer_uid.__file__).parent.rglob("*.py"):
        assert "/proc/" not in path.read_text(), path
