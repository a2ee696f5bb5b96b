"""A live gateway on a free port, and a client that trusts nothing: it takes answers apart by the letter."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Self

import msgspec
import uvloop

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.access import Allow
from attacca.gateway.http.asgi_adapter import AsgiApp
from attacca.gateway.http.listener import serve
from attacca.gateway.http.server import HttpServer
from attacca.kernel.clock import SystemClock
from attacca.model.function import Revision, Signature
from attacca.model.invocation import Call
from tests.gateway.play import Worker, gateway, revision

CHUNKED = "Transfer-Encoding: chunked"
PATIENCE_S = 5.0  # a test that waits longer than this hangs


class Answer:
    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = dict(headers)
        self.body = body

    @property
    def code(self) -> str:
        found = msgspec.json.decode(self.body)["error"]
        assert set(found) >= {"code", "message", "try"}
        return str(found["code"])


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text[:-4].split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        names = [name for name, _ in headers]
        assert names == [name.lower() for name in names]
        for name in ("content-length", "transfer-encoding", "date", "content-type"):
            assert names.count(name) <= 1
        return int(status), headers

    async def chunk(self) -> bytes:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        data = await self.reader.readexactly(size)
        assert await self.reader.readexactly(2) == b"\r\n"
        return data

    async def answer(self, *, is_head: bool = False) -> Answer:
        status, headers = await self.head()
        found = dict(headers)
        body = b""
        if is_head or status in (100, 204, 304):
            pass
        elif found.get("transfer-encoding") == "chunked":
            assert "content-length" not in found
            while data := await self.chunk():
                body += data
        elif "content-length" in found:
            body = await self.reader.readexactly(int(found["content-length"]))
        else:
            assert found["connection"] == "close"
            body = await self.reader.read()
        return Answer(status, headers, body)

    async def ask(self, request: bytes, *, is_head: bool = False) -> Answer:
        self.send(request)
        return await self.answer(is_head=is_head)

    async def rest(self) -> bytes:
        """What comes until the server closes."""
        return await self.reader.read()

    def close(self) -> None:
        self.writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Site:
    """A listening gateway with the functions echo and f, and an ASGI function called stream."""

    def __init__(self, server: HttpServer, worker: Worker, calls: list[Call], port: int) -> None:
        self.server, self.gateway, self.worker, self.calls, self.port = server, server.gateway, worker, calls, port
        self._moved = asyncio.Event()
        worker.on_message = lambda message: self._moved.set()

    async def client(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port))

    async def until(self, what: Callable[[], bool]) -> None:
        """The worker is told things until this is so."""
        while not what():
            self._moved.clear()
            await self._moved.wait()


FUNCTIONS = (revision("echo"), revision("f", queue=2), revision("stream", signature=Signature.ASGI))


@contextlib.asynccontextmanager
async def site(
    config: GatewayConfig | None = None,
    *functions: Revision,
    admin: AsgiApp | None = None,
    is_ready: Callable[[], bool] = lambda: True,
    allow: Allow | None = None,
) -> AsyncIterator[Site]:
    config = config or GatewayConfig(port=0, linger_s=0.2)
    made, worker, calls = gateway(SystemClock(), *(functions or FUNCTIONS), config=config)
    server = HttpServer(made, config, admin, is_ready, allow)
    listening = await serve(server)
    try:
        yield Site(server, worker, calls, listening.sockets[0].getsockname()[1])
    finally:
        server.end()
        await server.ended()


def live(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On the loop that production uses, and never for long. What a callback raises reaches only the loop."""
    trouble: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: trouble.append(context))
        runner.run(_patiently(story()))
    assert trouble == []


async def _patiently(story: Awaitable[None]) -> None:
    async with asyncio.timeout(PATIENCE_S * 4):
        await story


def post(path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def raw(path: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """A head without a Host, unless it is given one."""
    return "\r\n".join([f"{method} {path} {version}", *headers, "", ""]).encode("latin-1")


def get(path: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return raw(path, "Host: localhost", *headers, method=method, version=version)


def chunk(size: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size, bytes(size))


async def time_passes(here: Site, turns: int = 50) -> None:
    async with await here.client() as other:
        for _ in range(turns):
            assert (await other.ask(get("/healthz"))).status in (200, 503)


async def until(here: Site, what: Callable[[], bool]) -> None:
    while not what():
        await time_passes(here, 1)
