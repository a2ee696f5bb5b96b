"""Calls whose answers are fetched later, and keys of requests: each is made once, and as it was sent."""

import asyncio
import re
from random import Random
from typing import Any

import msgspec

from attacca.gateway.async_calls import AsyncCalls
from attacca.gateway.callbacks import Callbacks, parse
from attacca.gateway.config import AsyncConfig
from attacca.io.journal.memory import Book, MemoryJournal
from attacca.kernel.rand import Streams
from attacca.model.async_call import Kind, Record, State
from tests.fuzz.asking import HEADERS, WORDS
from tests.fuzz.door import Door
from tests.fuzz.doors.http import CONFIG, FUNCTIONS, answer
from tests.fuzz.mutation import mutate
from tests.fuzz.reading import Answer, Asked, answers, requests
from tests.fuzz.wire import Place
from tests.gateway.wire import get, post

NOBODY = "0" * 32
TARGETS = (
    "/async-function/echo/a?b=c", "/async-function/stream", "/async-function/later", "/async-function/%65cho",
    "/async-function/nobody", "/async-function/", "/async-function/echo//..%2f", f"/calls/{NOBODY}",
    f"/calls/{NOBODY}/result?wait=0", "/calls/..%2f?wait=x",
    f"/calls/{NOBODY}?wait=1e400", f"/calls/{NOBODY}?wait=%D9%A3",
    "/function/echo", "/function/echo/a?b=c", "/function/stream", "/function/later",
)  # fmt: skip
FIELDS = (
    "Idempotency-Key: one", 'Idempotency-Key: "one"', 'Idempotency-Key: "', "Idempotency-Key:", "Idempotency-Key: ü",
    "Idempotency-Key: " + "k" * 256, "X-Attacca-Callback-URL: https://example.org/done?x",
    "X-Attacca-Callback-URL: http://127.0.0.1:1/", "X-Attacca-Callback-URL: http://[::ffff:7f00:1]/",
    "X-Attacca-Callback-URL: http://u@x/", "X-Attacca-Callback-URL:", "X-Attacca-Call-Id: x",
    "Content-Type: text/plain",
)  # fmt: skip
METHODS = ("POST", "POST", "POST", "PUT", "GET", "DELETE", "HEAD", "OPTIONS", "PROPFIND")
STATUSES = {200, 202, 204, 400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 431, 501}


class Taken(Callbacks):
    """They go nowhere, and are taken there."""

    async def post(self, record: Record) -> str:
        parse(record.call.callback)
        return ""


class Later(Door):
    name = "later"
    words = (*WORDS, b"/async-function/", b"/calls/", b"Idempotency-Key: ", b"X-Attacca-Callback-URL: ")

    def open(self) -> None:
        self._place = Place(CONFIG, FUNCTIONS, answer)

    def close(self) -> None:
        self._place.close()

    def seeds(self) -> list[bytes]:
        key = 'Idempotency-Key: "a"'
        call = post("/async-function/echo/x?y=1", b'{"a":1}', "Content-Type: application/json", key)
        once = post("/function/later", b"once", key)
        many = [post("/async-function/later", b"%d" % number, f"Idempotency-Key: {number}") for number in range(60)]
        stream = post("/async-function/stream", b"z" * 300)
        return [call, call * 2, once * 2, call + once, get(f"/calls/{NOBODY}"), stream, b"".join(many)]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.7:
            data = b"".join(self._one(chance) for _ in range(chance.choice((1, 2, 2, 4))))
            return (mutate(chance, [data], self.words) if chance.random() < 0.2 else data)[: self.largest]
        return mutate(chance, corpus, self.words)[: self.largest]

    def _one(self, chance: Random) -> bytes:
        fields = [chance.choice(FIELDS) for _ in range(chance.choice((0, 1, 1, 2)))]
        fields += [chance.choice(HEADERS)] if chance.random() < 0.1 else []
        method, target = chance.choice(METHODS), chance.choice(TARGETS)
        body = chance.choice((b"", b"x", b"{}", b"\xff" * 200))
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *fields, f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode(errors="replace") + body

    def check(self, data: bytes) -> str:
        try:
            return self._check(data)
        except BaseException:
            self.close()  # the next input finds all as it should be
            self.open()
            raise

    def _check(self, data: bytes) -> str:
        place, asked = self._place, list(requests(data))
        journal = MemoryJournal(Book(), "fuzz", place.clock)
        later = AsyncCalls(place.gateway, journal, AsyncConfig(calls=50), place.clock, Streams(1).stream("async"))
        later.callbacks = Taken((), 10.0)
        place.server.serve_later(later)
        wire = place.connect()
        place.loop.run_until_complete(self._talk(wire, data))
        found = answers(bytes(wire.out), [one.method for one in asked], has_ended=True)
        place.is_as_before()
        assert all(one.status in STATUSES for one in found), f"it fails: {[one.status for one in found]}"
        made_as_sent(journal.book, asked, found, [one.body for one in place.desk.understood])
        assert later.is_idle(), f"something is left over: {later!r}"
        is_clean = bool(asked) and asked[-1].end == len(data)
        return "taken" if is_clean and all(one.status < 300 or one.status == 404 for one in found) else "refused: so"

    async def _talk(self, wire: Any, data: bytes) -> None:
        await wire.feed([data])
        for _ in range(20):  # the journal, the function, the journal
            await asyncio.sleep(0)
        await wire.hang_up()
        if not wire.is_lost:
            await self._place.wait_for_its_end(wire)
        await wire.settle()


def made_as_sent(book: Book, asked: list[Asked], found: list[Answer], bodies: list[bytes]) -> None:
    """What was accepted is in the book once, as it was sent, and was made; what has a key is made once."""
    accepted = {one.all(b"x-attacca-call-id")[0].decode() for one in found if one.status == 202}
    calls = {name for name, record in book.records.items() if record.call.kind is Kind.ASYNC}
    assert accepted <= calls, "a call was accepted that is not in the book"
    for record in book.records.values():
        assert record.call.state is not State.WAITING, f"{record.call} is not over"
        assert record.request is None or record.call.state is State.DEAD
    for ask, told in zip(asked, found, strict=False):
        if told.status == 202 and not told.all(b"idempotency-replayed"):
            record = book.records[told.all(b"x-attacca-call-id")[0].decode()]
            assert record.outcome is not None, "it was accepted, and not made"
            assert ask.body in bodies, "it was made with another body"
            assert msgspec.json.decode(told.body)["id"] == record.call.id
    keys = [record.call.key for record in book.records.values() if record.call.key]
    assert len(keys) == len(set(keys)), "a key has two calls"
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in book.records)
