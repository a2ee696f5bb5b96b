"""Whatever bytes come, the gateway answers or closes, stays up, and does not care how they were cut."""

import asyncio
import re
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attacca.gateway.config import GatewayConfig
from attacca.model.function import Signature
from attacca.model.invocation import Ok
from tests.gateway.play import revision
from tests.gateway.wire import Site, get, live, post, raw, site

QUICK = GatewayConfig(
    port=0, head_timeout_s=0.08, body_timeout_s=0.08, idle_timeout_s=0.08, linger_s=0.08, max_body_mb=0.01
)
FUNCTIONS = revision("echo"), revision("stream", signature=Signature.ASGI)
PER_SITE = 12  # requests fuzzed on one listener, side by side

CHUNKED = "Transfer-Encoding: chunked"
VALID = [
    post("/function/echo", b'{"a":1}', "Content-Type: application/json"),
    post("/function/stream/x?y=1", b"z" * 300),
    get("/function/echo?a=b"),
    get("/healthz"),
    get("/nothing/here"),
    get("http://host/function/echo", method="OPTIONS"),
    get("/function/echo", method="HEAD"),
    get("/function/echo", "Transfer-Encoding: chunked", method="PUT")
    + b"5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
    get("/function/nobody", "Transfer-Encoding: chunked", method="PUT") + b"2\r\nhi\r\n0\r\n\r\n",
    get("/function/echo", "Connection: keep-alive", version="HTTP/1.0"),
    post("/function/nobody", b"z" * 300),
    post("/function/echo", b"z" * 300, "Origin: http://evil.example"),
    post("/function/stream", b"z" * 300, "X-Forwarded-For: 1.2.3.4"),
    post("/healthz", b"z" * 300),
    post("/nothing", b"z" * 300),
    raw("/function/echo", "Host: evil.example", "Content-Length: 2", method="POST") + b"hi",
    get("/metrics", "Transfer-Encoding: chunked", method="DELETE") + b"2\r\nhi\r\n0\r\n\r\n",
]
CHANGING = re.compile(rb"(date|x-attacca-(invocation-id|sandbox|arrived|waiting)|server-timing): [^\r]*")


async def converse(here: Site, pieces: list[bytes]) -> bytes:
    """Everything that comes back until the server closes; it always does."""
    async with asyncio.timeout(4), await here.client() as client:
        try:
            for piece in pieces:
                client.send(piece)
                await asyncio.sleep(0)
            return await client.rest()
        except ConnectionError:
            return b""


async def alive(here: Site) -> None:
    async with await here.client() as client:
        assert (await client.ask(post("/function/echo", b"alive"))).body == b"alive"
    assert here.gateway.busy() == 0


def bombard(conversations: list[list[bytes]]) -> list[bytes]:
    answers: list[bytes] = []

    async def story() -> None:
        async with site(QUICK, *FUNCTIONS) as here:
            here.worker.answers["stream"] = lambda request: Ok(request.body)
            answers.extend(await asyncio.gather(*(converse(here, pieces) for pieces in conversations)))
            await alive(here)

    live(story)
    return answers


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % len(data) for place in places} | {0, len(data)}) if data else [0]
    return [data[start:end] for start, end in pairwise(at)]


def well_formed(answer: bytes) -> None:
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")


BYTES = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet="GETPOS /HTP1.0\r\n:;chunkedxTrasfeEoig-", max_size=120).map(str.encode),
)
LIVE = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@LIVE
@given(st.lists(st.lists(BYTES, max_size=3), min_size=PER_SITE, max_size=PER_SITE))
def test_random_bytes(conversations: list[list[bytes]]) -> None:
    for answer in bombard(conversations):
        well_formed(answer)


@LIVE
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(VALID), min_size=1, max_size=4), st.lists(st.integers(0, 2000), max_size=6)),
        min_size=PER_SITE // 2,
        max_size=PER_SITE // 2,
    )
)
def test_the_answer_does_not_depend_on_how_a_request_is_cut(conversations: list[tuple[list[bytes], list[int]]]) -> None:
    whole = [[b"".join(requests)] for requests, _ in conversations]
    in_pieces = [cut(b"".join(requests), places) for requests, places in conversations]
    answers = [CHANGING.sub(b"", answer) for answer in bombard(whole + in_pieces)]
    half = len(conversations)
    assert answers[:half] == answers[half:]
    for answer, (requests, _) in zip(answers, conversations, strict=False):
        assert answer.count(b"HTTP/1.1 ") == len(requests)


MUTATION = st.tuples(
    st.sampled_from(VALID),
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(["flip", "cut", "repeat", "insert"]), st.binary(max_size=4)),
        min_size=1,
        max_size=4,
    ),
)


def mutate(request: bytes, changes: list[tuple[int, str, bytes]]) -> bytes:
    data = bytearray(request)
    for place, how, what in changes:
        at = place % (len(data) + 1)
        match how:
            case "flip" if at < len(data):
                data[at] ^= what[0] if what else 0x20
            case "cut":
                del data[at : at + len(what) + 1]
            case "repeat":
                data[at:at] = data[at : at + 20]
            case _:
                data[at:at] = what
    return bytes(data)


@LIVE
@given(st.lists(MUTATION, min_size=PER_SITE, max_size=PER_SITE))
def test_mutated_requests(mutations: list[tuple[bytes, list[tuple[int, str, bytes]]]]) -> None:
    for answer in bombard([[mutate(request, changes)] for request, changes in mutations]):
        well_formed(answer)
