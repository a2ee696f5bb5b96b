"""What changes says how it is, in one line and in numbers."""

import asyncio
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from attacca.guest import channel as wire
from attacca.guest.asgi import Desk
from attacca.guest.find import Finder
from attacca.guest.load import Loaded
from attacca.guest.loops import ChannelSelector
from attacca.guest.output import Ledger, Pen
from attacca.guest.pieces import Line, Reply
from attacca.guest.results import Writer
from attacca.guest.source import Reading, Source
from attacca.guest.wsgi import Answering, Body
from tests.guest.pipes import serving


def test_what_writes_says_how_much() -> None:
    ledger = Ledger(lambda *_: None, 100)
    ledger.emit(1, "stdout", "hello")
    ledger.emit(2, "stdout", "hi")
    assert repr(ledger) == "<Ledger 2 have written, 7 bytes, 100 each>"
    pen = Pen("stdout", 1)
    pen.take(b"hello")
    assert repr(pen) == "<Pen stdout, 5 bytes of 1 wait>"


def test_what_is_heard_of_an_invocation() -> None:
    line = Line(None)
    line.hear(wire.BODY, b"one")
    assert repr(line) == "<Line open, 1 pieces, more to come>"
    line.hear(wire.BODY_END, b"two")
    line.hear(wire.PAUSE, b"")
    assert repr(line) == "<Line paused, 2 pieces, all>"
    line.hear(wire.GONE, b"")
    reply: Any = Reply.__new__(Reply)
    reply._number, reply._line, reply.has_begun = 3, line, True
    assert repr(reply) == "<Reply 3 begun, <Line over, 2 pieces, all>>"


def test_a_channel_and_who_serves_on_it() -> None:
    assert repr(wire.Channel(3, 4)) == "<Channel 3 in, 4 out, 0 bytes read ahead>"
    told: list[str] = []

    def handler(_: Any) -> int:
        told.append(repr(server))
        return 1

    with serving(handler, "event") as outside:
        server: Any = outside.server
        outside.invoke()
        outside.answer()
    assert told == ["<Server shop, 0 lines, 0 loops, <Asker 0 asked, 0 open>>"]


def test_what_looks_for_a_handler(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "main.py").write_text("def handler(event):\n    return event['a']\n")
    source = Source(str(tmp_path))
    assert repr(Finder(str(tmp_path), source)) == "<Finder in 2 folders>"
    assert repr(source) == "<Source 0 files parsed>"
    source.tree(str(tmp_path / "main.py"))
    assert repr(source) == "<Source 1 files parsed>"
    assert repr(Reading(source)) == "<Reading 0 functions in 0 files, 0 paths>"


def test_what_makes_bytes_of_answers() -> None:
    writer = Writer(b"")
    assert repr(writer) == "<Writer of nothing yet>"
    writer.write("a")
    assert repr(writer) == "<Writer of text/plain; charset=utf-8>"
    answering = Answering(Reply.__new__(Reply), 100)
    assert repr(answering) == "<Answering nothing yet, 0 bytes held>"
    answering.start("201 Created", [])
    assert repr(answering) == "<Answering 201, 0 bytes held>"
    assert repr(Body(Line(None), b"abc")) == "<Body 3 bytes at hand, more to come>"


def test_a_desk_and_what_its_loop_waits_with() -> None:
    selector, is_async = ChannelSelector(), False
    assert repr(selector) == "<ChannelSelector 0 registered, channel -1>"
    loop, (reader, writer) = asyncio.SelectorEventLoop(selector), os.pipe()
    order: Any = {"function": "shop", "revision": 1, "memory_mb": 128, "timeout_s": 30.0, "max_body": 100}
    loaded = Loaded(lambda: None, "main:f", "asgi", "plain", is_async, ModuleType("main"), None)
    desk = Desk(
        wire.Channel(reader, writer),
        order | {"max_log": 100, "is_traced": False, "concurrency": 1},
        loaded,
        selector,
        loop,
    )
    assert repr(desk).startswith("<Desk 0 tasks, 0 exchanges, <Link ")
    assert repr(selector).endswith(f" registered, channel {reader}>")
    loop.close()
    os.close(reader)
    os.close(writer)
