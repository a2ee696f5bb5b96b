"""What functions answer: whatever a sandbox says, its client sees one answer that is HTTP, and others none of it."""

import contextlib
import re
from random import Random

from attacca.gateway.config import GatewayConfig
from attacca.model.function import Signature
from attacca.model.invocation import Failed, FunctionError, Invocation, Ok
from attacca.model.messages import Ended, ResponseBody, ResponseHead
from tests.fuzz.door import Door
from tests.fuzz.mutation import BYTES, NUMBERS, UNICODE, mutate
from tests.fuzz.reading import Answer, answers
from tests.fuzz.wire import Desk, Place
from tests.gateway.play import revision
from tests.gateway.wire import get, post

WORD, PART = b"\x1e", b"\x1f"  # an input is words, of parts: the sandbox's reports, in their order
HEAD, BODY, END, WHOLE, FAILED, RAISED = b"h", b"b", b"e", b"w", b"f", b"r"
CONFIG = GatewayConfig(port=0)
FUNCTIONS = (revision("echo"), revision("wild", signature=Signature.ASGI))
OURS = {
    b"content-type", b"content-length", b"transfer-encoding", b"date", b"connection", b"server-timing",
    b"retry-after",
    b"x-attacca-invocation-id", b"x-attacca-arrived", b"x-attacca-waiting", b"x-attacca-start", b"x-attacca-sandbox",
}  # fmt: skip
ID = re.compile(rb"[0-9a-f]+-[0-9a-f]+")
NAMES = (
    b"x", b"X-Y", b"content-length", b"Content-Length", b"transfer-encoding", b"connection", b"date",
    b"x-attacca-sandbox", b"X-ATTACCA-START",
    b"set-cookie", b"server-timing", b"upgrade", b"trailer", b"te", b"", b" x", b"x ", b"a:b", b"a\r\nb", b"\xff",
    b"location", b"content-type",
)  # fmt: skip
VALUES = (
    b"1", b"0", b"5", b"chunked", b"close", b"keep-alive", b"a\r\nb: c", b"a\nb", b"a\r", b"\0", b"", b" ", b"\xff",
    b"x" * 2000, b"text/plain",
    b"HTTP/1.1 200 OK", *(number.encode() for number in NUMBERS),
)  # fmt: skip
STATUSES = (
    b"200",
    b"200",
    b"200",
    b"204",
    b"304",
    b"100",
    b"101",
    b"199",
    b"599",
    b"600",
    b"404",
    b"500",
    b"0",
    b"-1",
    b"65535",
)
CODES = (
    b"timeout",
    b"out_of_memory",
    b"sandbox_lost",
    b"no_capacity",
    b"draining",
    b"bad_response",
    b"",
    b"x",
    b"a\r\nb",
)


class Answers(Door):
    name = "answers"
    words = (*NAMES, *VALUES, WORD, PART, *BYTES, *(text.encode() for text in UNICODE))

    def open(self) -> None:
        self._place = Place(CONFIG, FUNCTIONS, self._answer)
        self._data = b""

    def close(self) -> None:
        self._place.close()

    def seeds(self) -> list[bytes]:
        return [
            said((WHOLE, b"200", b"text/plain", b"hello", b"x", b"1")),
            said((WHOLE, b"204", b"", b"")),
            said((WHOLE, b"200", b"application/json", b"x" * 15_000)),
            said((HEAD, b"200", b"content-type", b"text/plain"), (BODY, b"one"), (BODY, b"two"), (END,)),
            said((HEAD, b"200", b"content-length", b"3"), (BODY, b"abc"), (END,)),
        ]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.4:
            return mutate(chance, corpus, self.words)[: self.largest]
        words = [drawn(chance) for _ in range(chance.choice((1, 1, 2, 3, 5)))]
        return said(*words)

    def check(self, data: bytes) -> str:
        self._data = data
        told = [self._talk(method) for method in ("GET", "HEAD")]
        return "taken" if all(one.status < 400 for one in told) else f"refused: {told[0].status} {gist(told[0])}"

    def _talk(self, method: str) -> Answer:
        place = self._place
        try:
            wire = place.connect()
            request = get("/function/wild", method=method)
            place.loop.run_until_complete(wire.feed([request + post("/function/echo", b"me too")]))
            was_open = not wire.has_ended
            place.loop.run_until_complete(wire.hang_up())
            found = answers(bytes(wire.out), [method.encode()], has_ended=True)
            place.is_as_before()
        except BaseException:
            self.close()  # the next input finds all as it should be
            self.open()
            raise
        assert found, "it is not answered"
        harmless(found[0], self._data)
        if was_open:
            assert len(found) == 2, "the connection is open, and the next request is not answered"
        if len(found) > 1:
            assert (found[1].status, found[1].body) == (200, b"me too"), "the next request has another's answer"
        assert len(found) <= 2, "there are more answers than requests"
        return found[0]

    def _answer(self, desk: Desk, invocation: Invocation, body: bytes) -> None:
        name = invocation.id
        if invocation.function == "echo":
            desk.end(name, Ok(body))
            return
        has_head = False
        for word in self._data.split(WORD):
            kind, *parts = word.split(PART)
            message = report(kind, name, [*parts, b"", b"", b""])
            has_head = has_head or kind == HEAD
            if message is not None and (kind != BODY or has_head):  # the worker's own door sees to that
                desk.gateway.receive(message)
        desk.end(name, Ok(streamed=True))


def report(kind: bytes, name: str, parts: list[bytes]) -> ResponseHead | ResponseBody | Ended | None:
    status = 200
    with contextlib.suppress(ValueError):
        status = int(parts[0][:9])
    texts = [text(part) for part in parts[:3]]
    match kind:
        case b"h":
            return ResponseHead(name, status, pairs(parts[1:]))
        case b"b":
            return ResponseBody(name, parts[0])
        case b"e":
            return Ended(name, Ok(streamed=True), 1.0)
        case b"w":
            return Ended(name, Ok(parts[2], parts[1].decode("latin-1"), status, pairs(parts[3:])), 1.0)
        case b"f":
            return Ended(name, Failed(*texts), 1.0)
        case b"r":
            return Ended(name, FunctionError(*texts), 1.0)
        case _:
            return None


def text(raw: bytes) -> str:
    """As JSON may have it, halves of characters too."""
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def pairs(parts: list[bytes]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(zip(parts[::2], parts[1::2], strict=False))[:-1] if len(parts) > 3 else ()


def said(*words: tuple[bytes, ...]) -> bytes:
    return WORD.join(PART.join(word) for word in words)


def drawn(chance: Random) -> tuple[bytes, ...]:
    fields = [
        chance.choice(chance.choice((NAMES, VALUES)))
        if chance.random() < 0.1
        else chance.choice((NAMES, VALUES)[at % 2])
        for at in range(chance.choice((0, 2, 4)))
    ]
    match chance.choice("hhbbewwwfr"):
        case "h":
            return (HEAD, chance.choice(STATUSES), *fields)
        case "b":
            return (BODY, chance.choice(VALUES) * chance.choice((1, 1, 100)))
        case "e":
            return (END,)
        case "w":
            return (
                WHOLE,
                chance.choice(STATUSES),
                chance.choice((b"text/plain", *VALUES)),
                chance.choice(VALUES),
                *fields,
            )
        case "f":
            return (FAILED, chance.choice(CODES), chance.choice(VALUES), chance.choice(VALUES))
        case _:
            return (RAISED, chance.choice(VALUES), chance.choice(VALUES), chance.choice(VALUES))


# The oracle.


def harmless(answer: Answer, data: bytes) -> None:
    """Nothing in the head is there that the function did not set, and nothing that it may not set."""
    theirs = {part.lower() for word in data.split(WORD) for part in word.split(PART)}
    strangers = {name for name, _ in answer.fields} - OURS - theirs
    assert not strangers, f"headers out of nowhere: {sorted(strangers)}"
    assert all(len(answer.all(name)) <= 1 for name in OURS if name.startswith(b"x-")), (
        "one of our own headers is there twice"
    )
    assert all(ID.fullmatch(value) for value in answer.all(b"x-attacca-invocation-id")), "an id that is not ours"
    assert answer.all(b"x-attacca-sandbox") in ([], [b"s1"]), "a sandbox that is not ours"
    assert answer.all(b"x-attacca-start") in ([], [b"warm"]), "a start that is not ours"
    assert answer.all(b"connection") in ([], [b"close"]), "it speaks for the connection"


def gist(answer: Answer) -> str:
    return answer.body[:80].decode("latin-1")
