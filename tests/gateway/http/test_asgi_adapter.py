"""The admin API's application behind its adapter: bodies and answers in pieces, clients that leave, and bugs."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from attacca.gateway.http.asgi_adapter import BUFFER, AsgiApp, Message, Receive, Scope, Send
from tests.gateway.http.stage import HERE, PEER, Line, Stage, error
from tests.gateway.wire import CHUNKED, chunk, get, post
from tests.logged import Logged


async def start(send: Send, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def body(send: Send, data: bytes = b"", *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


def stage(app: AsgiApp) -> tuple[Stage, Line]:
    here = Stage(admin=app)
    return here, here.connect()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    data = b""
    while (message := await receive())["type"] == "http.request":
        data += message["body"]
        if not message["more_body"]:
            break
    await start(send, (b"content-type", b"text/plain"))
    await body(send, data)


def test_a_request_and_its_answer() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    here, line = stage(app)
    assert line.ask(post("/api/%C3%A9?a=b", b"hello")).body == b"hello"
    assert line.ask(get("/api/x", CHUNKED, method="PUT") + chunk(3) + b"0\r\n\r\n").body == bytes(3)
    scope = scopes[0]
    assert {key: scope[key] for key in ("method", "path", "raw_path", "query_string", "client", "server")} == {
        "method": "POST", "path": "/api/é", "raw_path": b"/api/%C3%A9", "query_string": b"a=b", "client": PEER,
        "server": HERE,
    }  # fmt: skip
    line.leave()
    here.is_quiet()


def test_a_body_comes_in_pieces_and_only_as_fast_as_it_is_wanted() -> None:
    wanted = asyncio.Event()
    sizes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await wanted.wait()
        while (message := await receive())["more_body"]:
            sizes.append(len(message["body"]))
        await start(send)
        await body(send, b"%d" % (sum(sizes) + len(message["body"])))

    here, line = stage(app)
    line.send(post("/api/x", bytes(4 * BUFFER))[: 2 * BUFFER])
    assert (line.is_read, sizes) == (False, [])
    here.do(wanted.set)
    assert line.is_read
    line.send(post("/api/x", bytes(4 * BUFFER))[2 * BUFFER :])
    assert line.answer().body == b"%d" % (4 * BUFFER)
    line.leave()
    here.is_quiet()


def test_the_end_of_a_body_is_told_and_then_only_the_clients() -> None:
    told: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        told.extend([await receive(), await receive()])
        await start(send)
        await body(send, b"x", more=True)
        told.append(await receive())

    here, line = stage(app)
    line.send(get("/api/x"))
    assert told == []
    line.leave()
    assert [message["type"] for message in told] == ["http.request", "http.disconnect", "http.disconnect"]
    here.is_quiet()


def test_an_answer_in_pieces_and_a_client_that_reads_slowly() -> None:
    pieces: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, (b"x-one", b"1"))
        for number in range(4):
            await body(send, bytes(50_000), more=True)
            pieces.append(number)
        await body(send)
        await body(send, b"too late")

    _, line = stage(app)
    line.is_slow = True
    line.send(get("/api/x"))
    assert (pieces, "AsgiAdapter running" in repr(line.connection.exchange.sink)) == ([0], True)
    line.is_slow = False
    line.read(line.unread)
    assert len(line.answer().body) == 200_000
    assert line.ask(get("/healthz")).status == 200


def raises(*steps: Callable[[Send], Any]) -> AsgiApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for step in steps:
            await step(send)
        raise ValueError("a bug")

    return app


@pytest.mark.parametrize(
    ("steps", "status"), [((), 500), ((start,), 500), ((lambda send: start(send, (b"a b", b"")),), 500), ((body,), 500)]
)
def test_a_bug_is_answered(steps: tuple[Callable[[Send], Any], ...], status: int, logged: Logged) -> None:
    with logged.at_level(logging.CRITICAL):
        _, line = stage(raises(*steps))
        assert error(line.ask(get("/api/x"))) == (status, "internal")


def test_a_bug_behind_the_answer_or_in_the_middle_of_it(logged: Logged) -> None:
    with logged.at_level(logging.CRITICAL):
        _, line = stage(raises(start, body))
        assert line.ask(get("/api/x")).status == 200
        assert not line.has_ended
        _, line = stage(raises(start, lambda send: body(send, b"x", more=True)))
        line.send(get("/api/x"))
        assert line.has_ended


def test_a_body_that_breaks_off_is_answered_and_the_application_told() -> None:
    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        told.append(message["type"])
        await start(send)
        await body(send, b"nobody hears it")

    _, line = stage(app)
    line.send(get("/api/x", CHUNKED, method="PUT"), b"zz\r\n")
    assert error(line.answer()) == (400, "bad_request")
    assert told == ["http.disconnect"]


def test_a_client_that_has_finished_sending_ends_what_is_followed() -> None:
    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await start(send)
        await body(send, b"x", more=True)
        told.append((await receive())["type"])

    here, line = stage(app)
    line.send(get("/api/x"))
    line.finish()
    assert (told, line.is_lost) == (["http.disconnect"], True)
    here.is_quiet()
