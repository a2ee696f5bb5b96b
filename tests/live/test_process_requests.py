"""Handlers that are told of the whole request, in sandboxes: WSGI, requests, HTTP-shaped events; and streams."""

import json
from functools import partial

import msgspec
import pytest

from attacca.model.function import EventShape, Revision, Signature
from attacca.model.invocation import Invocation, Ok, Request
from attacca.worker.core.reports import Report, RunBody, RunEnded, RunHead
from tests.live.house import House, value, visit

HEADERS = ((b"host", b"shop.example"), (b"x-key", b"k"))
WSGI = """
    def handler(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield environ["REQUEST_METHOD"].encode()
        yield environ["wsgi.input"].read()
        yield environ["REMOTE_ADDR"].encode()
"""
ENDLESS = """
    def handler(event, context):
        try:
            while True:
                yield "tick"
        finally:
            print("the client went")
"""
STREAMS = """
    import asyncio

    async def handler(event, context):
        async def pieces():
            for n in range(3):
                yield f"{n}"
                await asyncio.sleep(0)
        return pieces()
"""


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_wsgi_application_reads_and_writes_in_pieces(concurrency: int) -> None:
    async def story(house: House) -> tuple[object, list[RunHead], bytes]:
        revision = house.function(WSGI, Signature.WSGI, concurrency=concurrency)
        sandbox = await house.sandbox(revision)
        request = Request(body=b" one", method="PUT", headers=HEADERS, client="203.0.113.7", more=True)
        house.runtime.run(sandbox, revision, Invocation("i", revision.function, revision.id, request))
        house.runtime.body(sandbox, "i", b" two ", False)  # noqa: FBT003 - as the runtime says it
        house.runtime.body(sandbox, "i", b"", True)  # noqa: FBT003
        ended = await house.until(lambda report: isinstance(report, RunEnded))
        return ended, *house.streamed()

    ended, heads, body = visit(story)
    assert isinstance(ended, RunEnded)
    assert ended.outcome == Ok(streamed=True)
    assert [(head.status, head.headers) for head in heads] == [(200, ((b"content-type", b"text/plain"),))]
    assert body == b"PUT one two 203.0.113.7"


WAITS = """
    import time

    def handler(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/long":
            while True:
                yield b"tick"
                time.sleep(0.01)
        yield b"short"
"""


def test_a_wsgi_application_that_is_stopped_ends_beside_others() -> None:
    async def story(house: House) -> bytes:
        revision = house.function(WAITS, Signature.WSGI, concurrency=2)
        sandbox = await house.sandbox(revision)
        house.runtime.run(sandbox, revision, Invocation("i", revision.function, revision.id, Request(path="/long")))
        await house.until(partial(is_of, "i", RunBody))
        house.runtime.stop(sandbox, "i")
        await house.until(partial(is_of, "i", RunEnded))
        assert await house.run(sandbox, revision, path="/short") == Ok(streamed=True)
        return house.streamed()[1]

    assert visit(story).endswith(b"tickshort")


def is_of(name: str, kind: type[RunBody | RunEnded], report: Report) -> bool:
    return isinstance(report, kind) and report.invocation == name


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_generator_is_closed_when_its_client_goes_and_its_sandbox_lives_on(concurrency: int) -> None:
    async def story(house: House) -> None:
        revision = house.function(ENDLESS, Signature.EVENT_CONTEXT, concurrency=concurrency)
        sandbox = await house.sandbox(revision)
        for name in ("i1", "i2"):
            house.runtime.run(sandbox, revision, Invocation(name, revision.function, revision.id, Request()))
            await house.until(partial(is_of, name, RunBody))
            house.runtime.leave(sandbox, name)
            ended = await house.until(partial(is_of, name, RunEnded))
            assert isinstance(ended, RunEnded)
            assert ended.outcome == Ok(streamed=True)
        assert house.printed() == "the client went\n" * 2

    visit(story)


@pytest.mark.parametrize("source", [STREAMS, "async def handler(event, context): return (str(n) for n in range(3))"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_coroutine_may_return_pieces(concurrency: int, source: str) -> None:
    async def story(house: House) -> bytes:
        revision = house.function(source, Signature.EVENT_CONTEXT, concurrency=concurrency)
        sandbox = await house.sandbox(revision)
        assert await house.run(sandbox, revision) == Ok(streamed=True)
        return house.streamed()[1]

    assert visit(story) == b"012"


LISTENS = """
    import asyncio

    async def handler(scope, receive, send):
        if scope["type"] == "http":
            assert (await receive())["type"] == "http.request"
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(scope["client"]).encode(), "more_body": True})
            told = await receive()
            await send({"type": "http.response.body", "body": told["type"].encode()})
"""


def test_an_application_that_only_listens_hears_that_its_client_went() -> None:
    async def story(house: House) -> bytes:
        revision = house.function(LISTENS, Signature.ASGI)
        sandbox = await house.sandbox(revision)
        request = Request(headers=HEADERS, client="203.0.113.7", port=5123)
        house.runtime.run(sandbox, revision, Invocation("i", revision.function, revision.id, request))
        await house.until(lambda report: isinstance(report, RunBody))
        house.runtime.leave(sandbox, "i")
        await house.until(lambda report: isinstance(report, RunEnded))
        return house.streamed()[1]

    assert visit(story) == b"('203.0.113.7', 5123)http.disconnect"


def shaped(revision: Revision, shape: EventShape) -> Revision:
    return msgspec.structs.replace(revision, event=shape)


@pytest.mark.parametrize(
    ("shape", "source", "told"),
    [
        (
            EventShape.HTTP,
            "def handler(event, context): return [event.method, event['headers']['X-Key']]",
            ["PUT", "k"],
        ),
        (
            EventShape.API_GATEWAY_V1,
            "def handler(event, context): return [event['httpMethod'], event['body']]",
            ["PUT", "x"],
        ),
        (
            EventShape.API_GATEWAY_V2,
            "def handler(event, context): return [event['rawPath'], event['body']]",
            ["/a", "x"],
        ),
    ],
)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_handler_gets_its_event_in_the_shape_that_is_set(
    shape: EventShape, source: str, told: list[str], concurrency: int
) -> None:
    async def story(house: House) -> list[object]:
        found = []
        for text in (source, f"async {source}"):
            revision = shaped(house.function(text, Signature.EVENT_CONTEXT, concurrency=concurrency), shape)
            sandbox = await house.sandbox(revision)
            outcome = await house.run(sandbox, revision, b"x", method="PUT", path="/a", headers=HEADERS)
            found.append(value(outcome))
        return found

    assert visit(story) == [told, told]


def test_a_function_without_a_framework_gets_a_request_of_ours() -> None:
    source = "def handler(request): return {'told': request.get_json(), 'of': request.remote_addr}, 201"

    async def story(house: House) -> object:
        revision = house.function(source, Signature.REQUEST)
        sandbox = await house.sandbox(revision)
        kind = {"content_type": "application/json", "client": "203.0.113.7"}
        return await house.run(sandbox, revision, b"[1]", headers=HEADERS, **kind)

    outcome = visit(story)
    assert isinstance(outcome, Ok)
    assert (outcome.status, json.loads(outcome.body)) == (201, {"told": [1], "of": "203.0.113.7"})
