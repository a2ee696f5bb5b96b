"""An event function between two pipes: what it is told it handles in order, and what it says can be read outside."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from attacca.guest import channel as wire
from attacca.guest.instance import CallFailed, Host, InstanceContext, Message, Wires, raw
from attacca.guest.load import Loaded, Unfit, load
from attacca.guest.serve import Server
from attacca.guest.spec import AgentSpec


class Outside:
    """The worker's end."""

    def __init__(self, reader: int, writer: int) -> None:
        self.channel = wire.Channel(reader, writer)
        self.count = 0

    def tell(self, kind: int, source: str = "", data: bytes | None = None, state: bytes | None = None) -> None:
        self.count += 1
        has = wire.HAS_DATA * (data is not None) + wire.HAS_STATE * (state is not None)
        head = wire.EVENT_HEAD.pack(kind, has, len(source), len(data or b""))
        self.channel.write(wire.EVENT, self.count, head, source.encode(), data or b"", state or b"")

    def reply(self, asked: int, kind: int, data: bytes = b"") -> None:
        self.channel.write(wire.REPLIED, 0, wire.REPLIED_HEAD.pack(asked, kind), data)

    def end(self) -> tuple[int, bytes]:
        """The status and the reply of what it has handled."""
        kind, number, payload = self.channel.read()
        assert (kind, number) == (wire.RESULT, self.count), payload
        return wire.RESULT_HEAD.unpack_from(payload)[1], payload[wire.RESULT_HEAD.size :]

    def error(self) -> str:
        kind, _, payload = self.channel.read()
        assert kind == wire.ERROR, payload
        return payload.decode()

    def asked(self, wanted: int) -> tuple[int, float, int, str, bytes]:
        """The id of a call, its seconds, whom it is for and what it says; of a cast the id is 0."""
        kind, _, payload = self.channel.read()
        assert kind == wanted, payload
        number, at = (wire.ID.unpack_from(payload)[0], wire.ID.size) if kind == wire.CALL else (0, 0)
        seconds, mode, size = wire.TARGET_HEAD.unpack_from(payload, at)
        at += wire.TARGET_HEAD.size
        return number, seconds, mode, payload[at : at + size].decode(), payload[at + size :]


@contextmanager
def serving(made: Callable[[], object]) -> Iterator[Outside]:
    order = {"function": "shop", "revision": 1, "memory_mb": 128, "timeout_s": 30.0, "max_body": 10_000}
    order |= {"max_log": 1 << 20, "is_traced": False, "concurrency": 1}
    inner, outer = os.pipe(), os.pipe()
    link = wire.Channel(outer[0], inner[1])
    loaded = Loaded(made, "main:Made", "events", "plain", False, ModuleType("main"), None)  # noqa: FBT003
    server = Server(link.write, cast(AgentSpec, order), loaded)

    def serve() -> None:
        with suppress(wire.Closed):
            Host(server, loaded, link).serve()

    policy = asyncio.get_event_loop_policy()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Outside(inner[0], outer[1])
    finally:
        os.close(outer[1])
        thread.join()
        for descriptor in (inner[0], inner[1], outer[0]):
            os.close(descriptor)
        asyncio.set_event_loop_policy(policy)
        for loop in server.loops:
            loop.close()


class Adder:
    def init(self, ctx: InstanceContext, payload: Message | None, state: Message | None) -> None:
        self.sum = int(state or payload or 0)
        assert (ctx.self_id, ctx.workflow, repr(ctx)) == ("a.1@w", "wf", "<InstanceContext of a.1@w>")

    def cast(self, ctx: InstanceContext, source: str, message: Message) -> None:
        self.sum += int(message)
        ctx.cast("out", {"sum": self.sum})
        ctx.cast_to(source, message.text)
        ctx.delayed_cast(1.5, "self", b"later")

    def call(self, ctx: InstanceContext, source: str, message: Message) -> object:
        return [*message.json(), self.sum] if message else None


@pytest.mark.parametrize(("payload", "state", "sum_"), [(b"5", None, 7), (b"5", b"10", 12), (None, None, 2)])
def test_it_begins_with_its_payload_or_its_state(payload: bytes | None, state: bytes | None, sum_: int) -> None:
    with serving(Adder) as outside:
        outside.tell(wire.INIT, "a.1@w\nwf", payload, state)
        assert outside.end() == (204, b"")
        outside.tell(wire.CASTED, "b.1@w", b"2")
        assert outside.asked(wire.CAST) == (0, 0.0, wire.AN_OUTPUT, "out", b'{"sum":%d}' % sum_)
        assert outside.asked(wire.CAST) == (0, 0.0, wire.AN_INSTANCE, "b.1@w", b"2")
        assert outside.asked(wire.CAST) == (0, 1.5, wire.AN_OUTPUT, "self", b"later")
        assert outside.end() == (204, b"")
        outside.tell(wire.CALLED, "b.1@w", b"[1]")
        assert outside.end() == (200, b"[1,%d]" % sum_)
        outside.tell(wire.CALLED, "b.1@w", b"")
        assert outside.end() == (204, b"")
        outside.tell(wire.HALT)
        assert outside.end() == (204, b"")


def test_what_it_raises_is_told_and_it_lives_on() -> None:
    with serving(Adder) as outside:
        outside.tell(wire.INIT, "a.1@w\nwf")
        outside.end()
        outside.tell(wire.CASTED, "b.1@w", b"no number")
        assert "ValueError" in outside.error()
        outside.tell(wire.CALLED, "b.1@w", b"[]")
        assert outside.end() == (200, b"[0]")


def calling(ctx: Any, source: str, message: Message) -> object:
    try:
        return ctx.call(source, message, timeout=2.5)
    except CallFailed as why:
        return f"failed: {why}"


async def calling_later(ctx: Any, source: str, message: Message) -> object:
    try:
        reply = await ctx.call(source, message, timeout=2.5)
        await ctx.sync(b"state")
    except CallFailed as why:
        return f"failed: {why}"
    return reply


def test_a_call_waits_for_its_reply_and_events_wait_for_it() -> None:
    with serving(lambda: SimpleNamespace(call=calling)) as outside:
        outside.tell(wire.INIT, "a.1@w\nwf")
        outside.end()
        outside.tell(wire.CALLED, "out", b"?")
        asked, *rest = outside.asked(wire.CALL)
        assert rest == [2.5, wire.AN_OUTPUT, "out", b"?"]
        outside.tell(wire.CALLED, "out", b"second")
        outside.reply(asked + 1, wire.A_REPLY, b"another's")
        outside.reply(asked, wire.A_REPLY, b"this")
        outside.count = 2
        assert outside.end() == (200, b"this")
        outside.count = 3
        outside.reply(outside.asked(wire.CALL)[0], wire.AN_ERROR, b"nobody is there")
        assert outside.end() == (200, b"failed: nobody is there")


def test_a_coroutine_awaits_both() -> None:
    with serving(lambda: SimpleNamespace(call=calling_later)) as outside:
        outside.tell(wire.INIT, "a.1@w\nwf")
        outside.end()
        outside.tell(wire.CALLED, "out", b"?")
        outside.reply(outside.asked(wire.CALL)[0], wire.NOTHING)
        kind, _, payload = outside.channel.read()
        assert (kind, payload[wire.ID.size :]) == (wire.SYNC, b"state")
        outside.reply(wire.ID.unpack_from(payload)[0], wire.AN_ERROR, b"the disk is full")
        assert outside.end() == (200, b"failed: the disk is full")


def test_what_lacks_a_handler_says_so() -> None:
    wires = Wires(wire.Channel(0, 1), lambda _, __, ___: None)
    assert repr(wires) == "<Wires 0 asked, 0 open, 0 events wait>"
    with serving(lambda: SimpleNamespace(cast=calling)) as outside:
        outside.tell(wire.INIT, "a.1@w\nwf")
        outside.end()
        outside.tell(wire.CALLED, "x", b"")
        assert "this event function has no call" in outside.error()


def test_a_message_is_bytes_a_text_or_json() -> None:
    assert [raw(one) for one in (b"a", bytearray(b"b"), "é", None, {"a": [1]}, 0)] == [
        b"a", b"b", "é".encode(), b"", b'{"a":[1]}', b"0",
    ]  # fmt: skip
    with pytest.raises(TypeError):
        raw(object())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("class One:\n    def cast(self, ctx, source, message): ...\n", ":One"),
        ("def cast(ctx, source, message): ...\n", ":"),
        ("class A:\n    def call(self, ctx, source, message): ...\nclass B:\n    x = 1\n", ":A"),
    ],
)
def test_it_is_found(text: str, found: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"events_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    loaded = load("", "events", "", str(tmp_path))
    assert (loaded.handler, loaded.signature) == (name + found, "events")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\n", "has no event function"),
        ("class A:\n    def call(self): ...\nclass B:\n    def cast(self): ...\n", "has several event functions: A, B"),
    ],
)
def test_what_is_none_is_refused(text: str, why: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"refused_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Unfit) as refused:
        load("", "events", "", str(tmp_path))
    assert why in refused.value.args[0]
