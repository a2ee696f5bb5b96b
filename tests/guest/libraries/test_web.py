"""Functions that take a request become applications of the framework that they bring."""

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from attacca.guest import web
from attacca.guest.load import Loaded
from tests.guest.pipes import serving


def loaded(call: Any, *, is_async: bool = False) -> Loaded:
    return Loaded(call, "main:f", "request", "plain", is_async, ModuleType("main"), None)


def asked(call: Any, *, is_async: bool = False) -> tuple[int, dict[str, str], bytes]:
    """What a function of Starlette's request answers."""
    app = web.starlette_application(loaded(call, is_async=is_async))
    sent: list[dict[str, Any]] = []

    bodies = [b'{"a": 1}']

    async def receive() -> dict[str, Any]:
        if not bodies:
            await asyncio.Future()  # an open connection that has nothing more to say
        return {"type": "http.request", "body": bodies.pop(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"q=1", "headers": [], "extensions": {}}
    asyncio.run(app(scope, receive, send))
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:])


def test_starlettes_request_is_given_to_a_coroutine_and_to_a_function() -> None:
    async def later(request: Request) -> dict[str, Any]:
        return {"told": await request.json(), "q": request.query_params["q"]}

    def now(request: Request) -> Any:
        return PlainTextResponse(request.method, 201)

    status, head, body = asked(later, is_async=True)
    assert (status, head["content-type"], json.loads(body)) == (200, "application/json", {"told": {"a": 1}, "q": "1"})
    assert asked(now)[::2] == (201, b"POST")
    assert asked(lambda: "nothing asked")[::2] == (200, b"nothing asked")


def test_what_it_returns_is_what_others_may_return() -> None:
    async def pieces(_: Request) -> Any:
        async def each() -> AsyncIterator[str]:
            yield "a"
            yield "b"

        return each()

    async def refused(_: Request) -> None:
        raise HTTPException(404, "no such thing", {"x-a": "1"})

    assert asked(lambda _: ("no", 404, {"x-a": "1"})) == (
        404,
        {"content-length": "2", "content-type": "text/plain; charset=utf-8", "x-a": "1"},
        b"no",
    )
    assert asked(pieces, is_async=True)[2] == b"ab"
    status, head, body = asked(refused, is_async=True)
    assert (status, head["x-a"], json.loads(body)) == (404, "1", {"detail": "no such thing"})


def test_a_function_is_made_an_application_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_framework", lambda _: "starlette")
    monkeypatch.setattr(web, "_made", {})

    def function(request: Request) -> str:
        return request.method

    first = web.application(loaded(function))
    assert (first.signature, first.is_async) == ("asgi", True)
    assert web.application(loaded(function)) is first


def test_flasks_request_is_given_and_its_rules_are_kept() -> None:
    flask: Any = importlib.import_module("flask")

    def function(request: Any) -> Any:
        if request.path == "/none":
            flask.abort(403)
        if request.path == "/raise":
            raise KeyError("no")
        told = {"q": request.args["q"], "same": request is flask.request._get_current_object()}
        return flask.jsonify(told, flask.current_app.name) if request.path == "/hi" else ("x", 201, {"x-a": "1"})

    app = web.flask_application(loaded(function))
    with serving(app, "wsgi") as worker:
        worker.request(1)
        assert json.loads(worker.answer()[3]) == [{"q": "1", "same": True}, "main"]
        worker.request(2, path="/")
        assert worker.answer()[0] == 201
        worker.request(3, path="/none")
        assert worker.answer()[0] == 403
        worker.request(4, path="/raise")
        assert worker.error() == "KeyError"


def test_without_a_framework_it_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr(sys, "modules", {})
    assert web._application(loaded(len)).signature == "request"
