"""The FastAPI application, called the way a sandbox calls it: through its ASGI interface."""

import asyncio
import json
from itertools import count
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest

from attacca.guest.asgi import Desk
from attacca.guest.exchange import Exchange
from attacca.guest.payload import Requested
from examples.api import main


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    chunks: list[bytes]

    @property
    def json(self) -> Any:
        return json.loads(b"".join(self.chunks))


@pytest.fixture(autouse=True)
def empty() -> None:
    main.items.clear()
    main.numbers = count(1)


def call(method: str, target: str, body: object = None) -> Answer:
    path, _, query = target.partition("?")
    data = b"" if body is None else json.dumps(body).encode()
    headers = [b"content-type", b"application/json", b"host", b"localhost"]
    asked = Requested("9f-1", method, path, query.encode(), headers, data, more=False)
    link = SimpleNamespace(server=SimpleNamespace(function=SimpleNamespace(name="api")), state={})
    scope = Exchange(cast(Desk, link), 1, asked).scope()
    events: list[dict[str, Any]] = []

    async def run() -> None:
        requests = [{"type": "http.request", "body": data, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not requests:
                await asyncio.Future()  # an open connection that has nothing more to say
            return requests.pop()

        async def send(event: Any) -> None:
            events.append(event)

        await main.app(scope, receive, send)

    asyncio.run(run())
    head, *rest = events
    said = {name.decode(): value.decode() for name, value in head["headers"]}
    return Answer(head["status"], said, [event["body"] for event in rest if event["body"]])


SHELF = {"name": "shelf", "price": 48.5, "tags": ["wood"]}


def test_an_item_lives_from_post_to_delete() -> None:
    made = call("POST", "/items", SHELF)
    assert (made.status, made.headers["location"]) == (201, "items/1")
    assert call("GET", "/items/1").json == {"id": 1, **SHELF}
    assert call("PUT", "/items/1", {"name": "board", "price": 9}).json["tags"] == []
    assert call("DELETE", "/items/1").status == 204
    assert call("GET", "/items/1").status == 404


def test_items_are_found_by_tag_and_page() -> None:
    for name, tags in [("a", ["x"]), ("b", ["y"]), ("c", ["x", "y"])]:
        call("POST", "/items", {"name": name, "price": 1, "tags": tags})
    assert [item["name"] for item in call("GET", "/items?tag=x").json] == ["a", "c"]
    assert [item["name"] for item in call("GET", "/items?skip=1&limit=1").json] == ["b"]


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/items", {"name": "", "price": 1}),
        ("POST", "/items", {"name": "x", "price": -1}),
        ("POST", "/items", {"price": 1}),
        ("GET", "/items/zero", None),
        ("GET", "/items/0", None),
        ("GET", "/items?limit=0", None),
    ],
)
def test_what_makes_no_sense_is_refused(method: str, target: str, body: object) -> None:
    assert call(method, target, body).status == 422


def test_the_export_is_streamed_line_by_line() -> None:
    call("POST", "/items", SHELF)
    call("POST", "/items", {"name": 'a "b", c', "price": 2, "tags": ["x", "y"]})
    answer = call("GET", "/export.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.chunks == [b"id,name,price,tags\r\n", b"1,shelf,48.5,wood\r\n", b'2,"a ""b"", c",2.0,x y\r\n']


def test_a_redirect_and_the_pages_keep_the_functions_address() -> None:
    answer = call("GET", "/items/?limit=1")
    assert (answer.status, answer.headers["location"]) == (307, "http://localhost/function/api/items?limit=1")
    assert b"/function/api/openapi.json" in b"".join(call("GET", "/docs").chunks)
    assert call("GET", "/openapi.json").json["servers"] == [{"url": "/function/api"}]
