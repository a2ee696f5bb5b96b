"""The gateway's port: whatever bytes come, and however they are cut, requests are read in one way and answered once."""

import asyncio
import re
from itertools import pairwise
from random import Random
from zlib import crc32

import h11

from attacca.gateway.config import GatewayConfig
from attacca.model.function import Signature
from attacca.model.invocation import Invocation, Ok
from attacca.model.messages import ResponseBody, ResponseHead
from tests.fuzz.asking import CHUNKED, WORDS, drawn
from tests.fuzz.door import Door
from tests.fuzz.mutation import mutate
from tests.fuzz.reading import Answer, Asked, answers, requests
from tests.fuzz.wire import Desk, Place, Understood, Wire
from tests.gateway.play import revision
from tests.gateway.wire import get, post

CONFIG = GatewayConfig(port=0, max_body_mb=0.01, max_stream_mb=0.02, max_admin_mb=0.01, max_head_kb=4)
FUNCTIONS = (revision("echo"), revision("later"), revision("stream", signature=Signature.ASGI))
NAMES = {one.function for one in FUNCTIONS}
PROBE = post("/function/echo", b"still there?")
LATE = (b"Connection: close", b"T: 1\r\nUpgrade: x", b"content-length: 1")  # fields that are none behind a body
CHANGING = re.compile(rb"(date|x-attacca-[a-z-]+|server-timing): [^\r]*")


class Http(Door):
    name = "http"
    words = WORDS

    def open(self) -> None:
        self._place = Place(CONFIG, FUNCTIONS, answer)

    def close(self) -> None:
        self._place.close()

    def seeds(self) -> list[bytes]:
        chunks = b"5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n"
        single = [
            post("/function/echo", b'{"a":1}', "Content-Type: application/json"),
            post("/function/stream/x?y=1", b"z" * 300),
            get("/function/echo?a=b"),
            get("/healthz"),
            get("/nothing/here"),
            get("http://localhost/function/stream", method="OPTIONS"),
            get("/function/echo", method="HEAD"),
            get("/function/echo", CHUNKED, method="PUT") + chunks,
            get("/function/stream", CHUNKED, method="POST") + chunks,
            get("/function/nobody", CHUNKED, method="PUT") + b"2\r\nhi\r\n0\r\n\r\n",
            get("/function/echo", "Connection: keep-alive", version="HTTP/1.0"),
            post("/function/later", b"x" * 100, "Expect: 100-continue"),
            get("/function/stream", "Connection: close"),
            get("/function/stream", "Connection: keep-alive", version="HTTP/1.0") + get("/function/echo"),
        ]
        many = b"".join(post("/function/later", b"%d" % number) for number in range(120))
        return [*single, single[0] + single[6] + single[4] + single[1], single[7] + single[0] + single[11], many]

    def traps(self) -> list[bytes]:
        first, last = post("/function/later", b"first"), post("/function/echo", b"last")
        bad = [
            b"GET /function/echo HTTP/1.1\r\n\r\n",
            get("/function/echo", "Host: localhost"),
            get("/function/echo", "Transfer-Encoding: identity"),
            get("/function/echo", "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
            get("/function/echo", *(f"X-{number}: 1" for number in range(250))),
            get("/function/echo", "Upgrade: websocket", "Connection: upgrade"),
            get("localhost:80", method="CONNECT"),
            b"nonsense\r\n\r\n",
            get("/function/echo", version="RTSP/1.1"),
            get("/function/stream", version="RTSP/1.0", method="OPTIONS"),
            get("/function/echo", version="ICE/1.0", method="SOURCE"),
            *(get("/function/stream", CHUNKED, method="PUT") + b"1\r\nx\r\n0\r\n%b\r\n\r\n" % one for one in LATE),
        ]
        return [start + one + last for one in bad for start in (b"", first, first + last)]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.5:
            data = b"".join(drawn(chance) for _ in range(chance.choice((1, 1, 2, 3))))
            return (mutate(chance, [data], WORDS) if chance.random() < 0.2 else data)[: self.largest]
        return mutate(chance, corpus, WORDS)[: self.largest]

    def check(self, data: bytes) -> str:
        try:
            return self._check(data)
        except BaseException:
            self.close()  # the next input finds all as it should be
            self.open()
            raise

    def _check(self, data: bytes) -> str:
        asked = list(requests(data))
        is_clean = not data or bool(asked and asked[-1].end == len(data))
        methods = [one.method for one in asked]
        is_too_much = any(one.around >= CONFIG.max_head_kb << 10 for one in asked)  # as is seen sooner or later
        place, told = self._place, []
        for pieces in cuttings(data, [one.end for one in asked]):
            wire = place.connect()
            is_well = place.loop.run_until_complete(
                self._talk(wire, pieces, probes=is_clean and all(one.keeps for one in asked))
            )
            understood = list(place.desk.understood)
            found = answers(bytes(wire.out), methods, has_ended=True)
            place.is_as_before()
            if is_well:
                last, probe = found.pop(), understood.pop()
                assert (last.status, last.body, probe.body) == (200, b"still there?", b"still there?"), "it is not well"
            told.append((understood, found))
            if not is_too_much:
                answered(asked, found, understood, is_clean=is_clean, is_open=is_well)
                the_same(told[0], told[-1], asked)
        place.loop.run_until_complete(place.connect().leave_at_once(data))
        place.is_as_before()
        agrees_with_h11(data, asked)
        found = told[0][1]
        return "taken" if is_clean and all(one.status in (200, 404) for one in found) else f"refused: {summary(found)}"

    async def _talk(self, wire: Wire, pieces: list[bytes], *, probes: bool) -> bool:
        """Is the connection still there for another request, and was that answered?"""
        await wire.feed(pieces)
        is_open = not wire.has_ended
        if is_open and probes:
            await wire.feed([PROBE])
        else:
            await self._place.wait_for_its_end(wire)
        await wire.hang_up()
        return is_open and probes


# The functions.


def answer(desk: Desk, invocation: Invocation, body: bytes) -> None:
    name = invocation.id
    match invocation.function:
        case "later":
            asyncio.get_running_loop().call_soon(desk.end, name, Ok(body))
        case "stream":
            desk.gateway.receive(ResponseHead(name, 200, ((b"content-type", b"text/plain"),)))
            for at in range(0, len(body), 1000):
                desk.gateway.receive(ResponseBody(name, body[at : at + 1000]))
            desk.end(name, Ok(streamed=True))
        case _:
            desk.end(name, Ok(body))


# The oracle.


def answered(
    asked: list[Asked], found: list[Answer], understood: list[Understood], *, is_clean: bool, is_open: bool
) -> None:
    """Who reads by the letter sees the same requests as we did, and one answer to each."""
    statuses = [one.status for one in found]
    expected = (
        (501,) if is_clean else (501, 504)
    )  # a body that never comes is waited for as long as its function may run
    assert all(status < 500 or status in expected for status in statuses), f"it fails: {statuses}"
    assert len(found) <= len(asked) + (not is_clean), "there are more answers than requests"
    assert len(found) == len(asked) or not is_open, "a request is not answered, and the connection is open"
    assert not any(one.closes for one in found[:-1]), "it answers behind `connection: close`"
    if len(found) < len(asked):
        assert found, "no request is answered"
        assert found[-1].closes, "a request is not answered"
        last = asked[len(found) - 1]
        is_endless = last.version == b"1.0" and found[-1].is_endless
        assert found[-1].status >= 400 or last.body or not last.keeps or is_endless, "it closes without a reason"
    rest = iter(understood)
    for ask, got in zip(asked, found, strict=False):
        if got.status == 200 and (name := function_of(ask)) in NAMES:
            one = next(rest, None)
            assert one is not None, "an answer of a function that was never asked"
            assert reads(ask, name) == one, "it understood a request that nobody sent"
            assert got.body == (b"" if ask.method == b"HEAD" else ask.body), "the answer belongs to another request"
    assert next(rest, None) is None, "a function was asked, and nobody has its answer"


def function_of(ask: Asked) -> str:
    return reads(ask, "").function


def reads(ask: Asked, name: str) -> Understood:
    """The target taken apart once more."""
    target = re.sub(rb"(?i)^https?://[^/?#]*", b"", ask.target).partition(b"#")[0].decode("latin-1")
    path, _, query = target.partition("?")
    found = re.fullmatch(r"/function/([^/]*)(.*)", path, re.DOTALL)
    function = re.sub("%([0-9A-Fa-f]{2})", lambda code: chr(int(code[1], 16)), found[1]) if found else ""
    kinds = ask.all(b"content-type")
    kind = kinds[-1].decode("latin-1") if kinds else ""
    return Understood(name or function, ask.method.decode(), (found[2] if found else "") or "/", query, kind, ask.body)


def the_same(
    one: tuple[list[Understood], list[Answer]], other: tuple[list[Understood], list[Answer]], asked: list[Asked]
) -> None:
    """However it was cut. What is answered to a broken request behind the others depends on how much of it had come;
    and one that is answered before its body has come takes what is behind it along."""
    (understood, found), (differently, too) = one, other
    count = min(len(understood), len(differently))
    assert understood[:count] == differently[:count], "it understands the same bytes in two ways"
    for ask, this, that in zip(asked, found, too, strict=False):
        is_early = (this.closes != that.closes or 501 in (this.status, that.status)) and ask.body
        if is_early or (this.status >= 400 and that.status >= 400 and (this.closes or that.closes)):
            return
        assert constant(this) == constant(that), "an answer depends on how the bytes were cut"
    whole = len(asked)
    assert min(len(found), whole) == min(len(too), whole), "the number of answers depends on how the bytes were cut"
    assert len(understood) == len(differently), "it understands more when the bytes are cut otherwise"


def constant(one: Answer) -> tuple[int, list[bytes], bytes]:
    return one.status, [CHANGING.sub(b"", b"%b: %b" % field) for field in one.fields], one.body


def agrees_with_h11(data: bytes, asked: list[Asked]) -> None:
    """As far as another parser goes along, it sees the same."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    reader.receive_data(data)
    try:
        for ask in asked:
            head = reader.next_event()
            if not isinstance(head, h11.Request):
                return
            body = b""
            while isinstance(event := reader.next_event(), h11.Data):
                body += event.data
            if not isinstance(event, h11.EndOfMessage):
                return
            assert (head.method, head.target, body) == (ask.method, ask.target, ask.body), "h11 reads otherwise"
            reader.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            reader.send(h11.EndOfMessage())
            if reader.our_state is not h11.DONE:
                return
            reader.start_next_cycle()
    except h11.ProtocolError:
        return


def summary(found: list[Answer]) -> str:
    said = [re.findall(rb'"message":"([^"]*)"', one.body) for one in found if one.status >= 400]
    return " ".join(f"{one.status}" for one in found) + f" {said[-1:]}"


# Requests.


def cuttings(data: bytes, ends: list[int]) -> list[list[bytes]]:
    """As one, anywhere, request by request (then what came before need not be parsed), and as small as can be."""
    chance = Random(crc32(data))
    places = sorted({chance.randint(0, len(data)) for _ in range(chance.randint(1, 6))} | {0, len(data)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    single = (
        [data[at : at + 1] for at in range(len(data))]
        if len(data) <= 600
        else [data[at : at + 97] for at in range(0, len(data), 97)]
    )
    requests = [data[start:end] for start, end in pairwise(sorted({0, *ends, len(data)}))]
    return [[data], [piece for piece in pieces if piece], requests, single]
