"""The API server of `tests.worker.runtime.kubernetes.twin` at a port of this machine, and what HTTP may do to it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import httptools

from attacca.worker.runtime.kubernetes.access import Access
from tests.worker.runtime.kubernetes.twin import Answered, Cluster, failure, query_of

TOKEN, OF_NODE = "let-me-in", "and-me"


class Request:
    def __init__(self) -> None:
        self.target, self.body, self.is_whole = b"", bytearray(), False
        self.fields: dict[bytes, bytes] = {}
        self.parser = httptools.HttpRequestParser(self)

    def __repr__(self) -> str:
        return f"<Request {self.target!r}>"

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_whole = True


class Served:
    """`log` gives what a pod prints, as it comes. `spoil` may answer a worker's request
    with bytes of its own, and hangs up. `token` is the worker's."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.token = cluster, TOKEN
        self.log: Callable[[str, bool], AsyncIterator[bytes]] = self._kept
        self.spoil: Callable[[str, str], bytes | None] = lambda *_: None
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Served port {self.port}, {len(self._tasks)} connections>"

    @property
    def access(self) -> Access:
        return Access("127.0.0.1", self.port, "", self.cluster.namespace, token=TOKEN)

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """All its connections break."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
                while await self._serve(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = Request()
        while not request.is_whole:
            data = await reader.read(65_536)
            if not data:
                return False
            request.parser.feed_data(data)
        method, parts = request.parser.get_method().decode(), urlsplit(request.target.decode())
        who = request.fields.get(b"authorization", b"").decode().removeprefix("Bearer ")
        spoilt = self.spoil(method, parts.path) if who == self.token else None
        if spoilt is not None:
            writer.write(spoilt)
            await writer.drain()
            return False
        query = query_of(parts.query)
        if who not in (self.token, OF_NODE):
            writer.write(_whole(failure(401, "Unauthorized", "Unauthorized")))
        elif (method == "GET" and parts.path.endswith("/log")) or query.get("watch"):
            return await self._stream(parts.path, query, writer)
        else:
            body = json.loads(bytes(request.body)) if request.body else None
            writer.write(_whole(self.cluster.answer(method, parts.path, query, body)))
        await writer.drain()
        return True

    async def _stream(self, path: str, query: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        refused = self.cluster.admit("GET", path, query)
        name = path.split("/")[-2] if path.endswith("/log") else ""
        if name and ("pods", name) not in self.cluster.things:
            refused = failure(404, "NotFound", f'pods "{name}" not found')
        if refused is not None:
            writer.write(_whole(refused))
            return True
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        is_log = bool(name)
        pieces = self.log(name, bool(query.get("follow"))) if is_log else self.cluster.watch("pods", query)
        async for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _kept(self, name: str, follow: bool) -> AsyncIterator[bytes]:  # noqa: FBT001 - a query's
        del follow
        if data := self.cluster.logs.get(name, b""):
            yield data


def _whole(answered: Answered) -> bytes:
    body = answered.body
    head = f"HTTP/1.1 {answered.status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
