"""A sandbox's server between two pipes, in a thread; the test is the worker."""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, cast

from attacca.guest import channel as wire
from attacca.guest.load import Loaded
from attacca.guest.serve import Server
from attacca.guest.spec import AgentSpec

MOST = 100_000
Frame = tuple[int, int, bytes]


class Outside:
    """The worker's end."""

    server: Server  # at the other

    def __init__(self, reader: int, writer: int) -> None:
        self.channel = wire.Channel(reader, writer)

    def invoke(self, number: int = 1, body: bytes = b"{}") -> None:
        parts = (b"9f-1", b"application/json", b"")
        self.channel.write(wire.INVOKE, number, wire.INVOKE_HEAD.pack(*map(len, parts)), *parts, body)

    def request(
        self,
        number: int = 1,
        method: str = "GET",
        path: str = "/hi",
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (("host", "h:81"),),
        *,
        more: bool = False,
    ) -> None:
        kind, told = dict(headers).get("content-type", ""), (text for pair in headers for text in pair)
        texts = ("9f-1", kind, "q=1", method, path, "203.0.113.7", "https", *told)
        head = wire.lines([text.encode() for text in texts])
        self.channel.write(wire.REQUEST, number, wire.REQUEST_HEAD.pack(more, 5123, len(head)), head, body)

    def read(self) -> Frame:
        return self.channel.read()

    def answer(self) -> tuple[int, str, list[list[str]], bytes]:
        kind, _, payload = self.read()
        assert kind == wire.RESULT, payload
        return taken(payload)

    def streamed(self) -> tuple[int, str, list[bytes]]:
        kind, _, payload = self.read()
        assert kind == wire.RESPONSE_HEAD, payload
        status, content_type, _, _ = taken(payload)
        pieces = []
        while (frame := self.read())[0] == wire.RESPONSE_BODY:
            pieces.append(frame[2])
        assert frame[0] == wire.RESPONSE_END, frame
        return status, content_type, pieces

    def refusal(self) -> tuple[str, str]:
        kind, _, payload = self.read()
        assert kind == wire.BROKEN, payload
        told = json.loads(payload)
        return told["code"], told["message"]

    def error(self) -> str:
        kind, _, payload = self.read()
        assert kind == wire.ERROR, payload
        return str(json.loads(payload)["type"])


def taken(payload: bytes) -> tuple[int, str, list[list[str]], bytes]:
    _, status, kinds, heads = wire.RESULT_HEAD.unpack_from(payload)
    at = 12 + kinds
    headers = [[text.decode("latin-1") for text in pair] for pair in wire.fields(payload[at : at + heads])]
    return status, payload[12:at].decode("latin-1"), headers, payload[at + heads :]


@contextmanager
def serving(
    call: Callable[..., Any], signature: str, event: str = "plain", concurrency: int = 1, *, is_async: bool = False
) -> Iterator[Outside]:
    loaded = Loaded(call, "main:f", signature, event, is_async, ModuleType("main"), None)
    order = {"function": "shop", "revision": 1, "memory_mb": 128, "timeout_s": 30.0, "max_body": MOST}
    order |= {"max_log": 1 << 20, "is_traced": False, "concurrency": concurrency}
    inner, outer = os.pipe(), os.pipe()
    link = wire.Channel(outer[0], inner[1])
    server = Server(link.write, cast(AgentSpec, order), loaded)

    def serve() -> None:
        with suppress(wire.Closed):
            (server.in_threads(link, concurrency) if concurrency > 1 else server.one_by_one(link))()

    policy = asyncio.get_event_loop_policy()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        outside = Outside(inner[0], outer[1])
        outside.server = server
        yield outside
    finally:
        os.close(outer[1])
        thread.join()
        for descriptor in (inner[0], inner[1], outer[0]):
            os.close(descriptor)
        asyncio.set_event_loop_policy(policy)
        for loop in server.loops:
            loop.close()
        assert server.lines == {}
