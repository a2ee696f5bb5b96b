"""A sandbox's event loop: what its channel brings is begun at once, beside all that an application does on a loop."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from types import ModuleType
from typing import Any, cast

from attacca.guest import channel as wire
from attacca.guest.asgi import Desk
from attacca.guest.load import Loaded
from attacca.guest.loops import ChannelSelector, new_loop
from attacca.guest.spec import AgentSpec
from tests.guest.pipes import taken

Application = Callable[[Any, Any, Any], Awaitable[None]]
SPEC = {"function": "shop", "revision": 1, "memory_mb": 128, "timeout_s": 30.0, "max_body": 1 << 20}


class Outside:
    """A worker's end of a desk's channel."""

    def __init__(self, application: Application, selector: ChannelSelector | None) -> None:
        inner, outer = os.pipe(), os.pipe()
        self._write, self._read = inner[1], outer[0]
        spec = cast(AgentSpec, {**SPEC, "max_log": 1 << 20, "is_traced": False, "concurrency": 64})
        loaded = Loaded(application, "main:app", "asgi", "plain", True, ModuleType("main"), None)  # noqa: FBT003
        self.desk = Desk(wire.Channel(inner[0], outer[1]), spec, loaded, selector)

    def ask(self, number: int, path: str) -> bytes:
        head = wire.lines([text.encode() for text in ("9f-1", "", "", "GET", path, "203.0.113.7", "http")])
        payload = wire.REQUEST_HEAD.pack(0, 5123, len(head)) + head
        return wire.HEAD.pack(len(payload), wire.REQUEST, number) + payload

    def stop(self, number: int) -> bytes:
        return wire.HEAD.pack(0, wire.STOP, number)

    def say(self, *frames: bytes) -> None:
        os.write(self._write, b"".join(frames))

    async def hear(self) -> tuple[int, bytes]:
        size, kind, number = wire.HEAD.unpack(await asyncio.to_thread(os.read, self._read, wire.HEAD.size))
        payload = os.read(self._read, size)
        return number, taken(payload)[3] if kind == wire.RESULT else payload

    async def close(self) -> None:
        os.close(self._write)
        await self.desk.closed.wait()
        os.close(self._read)


async def application(scope: Any, receive: Any, send: Any) -> None:
    name = scope["path"].rpartition("/")[2]
    if name == "thread":
        await asyncio.to_thread(lambda: None)
    if name == "timer":
        await asyncio.sleep(0.001)
    if name == "never":
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": f"{name} in {type(task).__name__}".encode()})


def run(story: Callable[[ChannelSelector | None], Coroutine[Any, Any, None]]) -> None:
    loop, selector = new_loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(story(selector))


def test_requests_are_answered_beside_threads_and_timers() -> None:
    async def story(selector: ChannelSelector | None) -> None:
        outside = Outside(application, selector)
        assert "registered, channel" in repr(selector)
        outside.say(outside.ask(1, "/thread"), outside.ask(2, "/timer"), outside.ask(3, "/at-once"))
        assert await outside.hear() == (3, b"at-once in Task")
        assert sorted([await outside.hear(), await outside.hear()]) == [(1, b"thread in Task"), (2, b"timer in Task")]
        await outside.close()

    run(story)


def test_one_that_is_stopped_leaves_nothing_also_where_it_had_not_begun() -> None:
    async def story(selector: ChannelSelector | None) -> None:
        outside = Outside(application, selector)
        outside.say(outside.ask(1, "/never"), outside.stop(1), outside.ask(2, "/never"))
        outside.say(outside.ask(3, "/at-once"))
        assert await outside.hear() == (3, b"at-once in Task")
        outside.say(outside.stop(2))
        number, told = await outside.hear()
        assert (number, b"CancelledError" in told) == (2, True)
        assert (outside.desk._tasks, outside.desk._exchanges) == ({}, {})
        await outside.close()

    run(story)


def test_a_loop_of_the_functions_own_choice_is_taken_as_it_is() -> None:
    class Chosen(asyncio.DefaultEventLoopPolicy):
        pass

    async def story(selector: ChannelSelector | None) -> None:
        assert selector is None
        outside = Outside(application, selector)
        outside.say(outside.ask(1, "/at-once"))
        assert await outside.hear() == (1, b"at-once in Task")
        await outside.close()

    asyncio.set_event_loop_policy(Chosen())
    try:
        run(story)
    finally:
        asyncio.set_event_loop_policy(None)
