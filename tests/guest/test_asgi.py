import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from attacca.guest import channel as wire
from attacca.guest.asgi import Desk
from attacca.guest.exchange import Exchange
from attacca.guest.payload import Requested
from tests.guest.pipes import taken


def scope(path: str) -> dict[str, Any]:
    desk = SimpleNamespace(server=SimpleNamespace(function=SimpleNamespace(name="shop")), state={"pool": 1})
    asked = Requested("9f-1", "GET", path, b"a=1", [b"host", b"localhost"], b"", more=False)
    return Exchange(cast(Desk, desk), 1, asked).scope()


def test_an_application_is_told_its_address_and_which_part_of_the_path_that_is() -> None:
    told = scope("/items/a%20b")
    assert (told["path"], told["raw_path"]) == ("/function/shop/items/a b", b"/function/shop/items/a%20b")
    assert told["root_path"] == "/function/shop"
    assert (told["method"], told["query_string"], told["headers"]) == ("GET", b"a=1", [(b"host", b"localhost")])


class Sent:
    """A desk's channel: what is written to it, taken apart."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int, bytes]] = []
        self.writable = asyncio.Event()
        self.writable.set()
        function = SimpleNamespace(name="shop")
        self.server = SimpleNamespace(function=function, max_body=100, close_books=lambda _: None)

    def write(self, kind: int, number: int, *parts: bytes) -> None:
        self.frames.append((kind, number, b"".join(parts)))

    def exchange(self) -> Exchange:
        return Exchange(cast(Desk, self), 1, Requested("9f-1", "GET", "/", b"", [], b"in", more=False))


def start(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": headers}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def answered(*messages: dict[str, Any]) -> list[tuple[int, Any]]:
    sent = Sent()
    exchange = sent.exchange()
    for message in messages:
        await exchange.send(message)
    heads = (wire.RESULT, wire.RESPONSE_HEAD)
    return [(kind, taken(payload) if kind in heads else payload) for kind, _, payload in sent.frames]


def test_an_answer_that_is_all_there_is_one_frame_and_what_its_body_shows_is_not_said() -> None:
    text, other = (b"Content-Type", b"text/plain"), (b"x-a", b"1")
    told = asyncio.run(answered(start((b"Content-Length", b"2"), text, other), body(b"hi")))
    assert told == [(wire.RESULT, (200, "text/plain", [["x-a", "1"]], b"hi"))]
    for length in (b"3", b"two", b""):
        told = asyncio.run(answered(start((b"content-length", length)), body(b"hi")))
        assert told == [(wire.RESULT, (200, "", [["content-length", length.decode()]], b"hi"))], "is judged elsewhere"
    twice = asyncio.run(answered(start((b"content-length", b"2"), (b"content-length", b"2")), body(b"hi")))
    assert twice == [(wire.RESULT, (200, "", [["content-length", "2"]] * 2, b"hi"))]


def test_an_answer_in_pieces_says_its_length_if_it_knows_it() -> None:
    told = asyncio.run(answered(start((b"content-length", b"3")), body(b"hi", more=True), body(b"!")))
    assert [kind for kind, _ in told] == [wire.RESPONSE_HEAD, *[wire.RESPONSE_BODY] * 2, wire.RESPONSE_END]
    assert told[0][1] == (200, "", [["content-length", "3"]], b"")


def test_nothing_is_sent_before_a_head_nor_after_the_end() -> None:
    with pytest.raises(RuntimeError, match="before"):
        asyncio.run(answered(body(b"hi")))
    with pytest.raises(RuntimeError, match="after the end"):
        asyncio.run(answered(start(), body(b"hi"), body(b"again")))


def test_an_application_hears_its_request_and_then_that_it_is_over() -> None:
    async def story() -> None:
        exchange = Sent().exchange()
        assert repr(exchange) == "<Exchange 1 running, 1 pieces unread>"
        assert await exchange.receive() == {"type": "http.request", "body": b"in", "more_body": False}
        waiting = asyncio.ensure_future(exchange.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        await exchange.send(start())
        await exchange.send(body(b""))
        assert await waiting == {"type": "http.disconnect"}
        assert repr(exchange) == "<Exchange 1 done, 0 pieces unread>"

    asyncio.run(story())
