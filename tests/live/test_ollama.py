"""The resource `ollama` against a server that speaks its API strictly: POST /api/chat, answered in one piece."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from aiohttp import web

from attacca.errors import AttaccaError, BadConfig
from attacca.kernel.clock import SystemClock
from attacca.workflow.resources.conformance import Subject, check_resource
from attacca.workflow.resources.making import Classes
from attacca.workflow.resources.ollama import SPEAKERS_MOST, Ollama
from attacca.workflow.resources.reach import Reach
from attacca.workflow.resources.runtime import ResourceRuntime
from attacca.workflow.resources.types import Host

NEAR = Reach(("127.0.0.0/8",))


class Said(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Chat(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    messages: list[Said]
    stream: bool = True


class Model:
    """It says how many messages it was shown, and what the last one was."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.asked: list[Chat] = []

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/api/chat", self._chat)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _chat(self, request: web.Request) -> web.Response:
        try:
            chat = msgspec.json.decode(await request.read(), type=Chat)
        except msgspec.ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        if chat.model != "small":
            return web.json_response({"error": f"model '{chat.model}' not found"}, status=404)
        assert not chat.stream, "it wants the whole"
        self.asked.append(chat)
        text = f"{len(chat.messages)}: {chat.messages[-1].content[:100]}"
        told: dict[str, Any] = {"model": chat.model, "created_at": "2026-11-29T14:02:11Z", "done": True}
        return web.json_response({**told, "message": {"role": "assistant", "content": text}, "done_reason": "stop"})


@asynccontextmanager
async def serving() -> AsyncIterator[Model]:
    model = Model()
    await model.start()
    try:
        yield model
    finally:
        await model.stop()


def test_what_holds_for_all(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving() as model:
            told = {"model": "small", "url": f"http://127.0.0.1:{model.port}"}
            subject = Subject("ollama", told, b"hello", b"hello", model.stop, model.start)
            passed = await check_resource(subject, ResourceRuntime(Classes().find, tmp_path, SystemClock(), NEAR))
        assert len(passed) == 8, passed

    asyncio.run(story())


def test_each_has_a_conversation_of_its_own(tmp_path: Path) -> None:
    async def story() -> None:
        sent: list[tuple[str, bytes]] = []
        clock = SystemClock()
        host = Host(lambda *event: sent.append(event), tmp_path, clock.wall, clock.now, NEAR, patience_s=0.0)
        async with serving() as model:
            told = {"url": f"http://127.0.0.1:{model.port}/", "history": "4"}
            one = Ollama({**told, "model": "small"}, host)
            await one.open("w.me.1@w", "w")
            for number in range(1, 4):
                assert await one.call(f"w.a.{number}@w", b"a") == b"%d: a" % min(2 * number - 1, 5)
            await one.cast("w.b.1@w", b"b")
            assert sent == [("out", b"1: b")]
            assert [said.role for said in model.asked[1].messages] == ["user", "assistant", "user"]
            assert repr(one) == "<Ollama 2 conversations, <HttpClient 4 requests>>"
            for number in range(SPEAKERS_MOST):
                await one.call(f"w.c{number}.1@w", b"c")
            assert await one.call("w.b.1@w", b"b") == b"1: b", "it spoke long ago"
            await one.close()
            unknown = Ollama({**told, "model": "large"}, host)
            await unknown.open("w.me.1@w", "w")
            with pytest.raises(AttaccaError, match=r"404: .*model 'large' not found"):
                await unknown.call("w.a.1@w", b"a")
            with pytest.raises(AttaccaError, match="the event is empty"):
                await unknown.call("w.a.1@w", b" ")
            await unknown.close()
        with pytest.raises(BadConfig, match="needs 'model'"):
            Ollama(told, host)

    asyncio.run(story())
