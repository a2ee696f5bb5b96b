"""A sandbox at work, from the frames that it is sent to the frames that it sends."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from attacca.guest import channel as wire
from tests.guest.pipes import serving, taken

BOTH = pytest.mark.parametrize("concurrency", [1, 3])


# Handlers that answer in pieces.


@BOTH
def test_a_generator_is_sent_as_it_goes(concurrency: int) -> None:
    gate = threading.Event()

    def handler(_event: Any) -> Iterator[str]:
        yield "one"
        gate.wait()
        yield "two"

    with serving(handler, "event", concurrency=concurrency) as worker:
        worker.invoke()
        assert taken(worker.read()[2])[:2] == (200, "text/plain; charset=utf-8")
        assert worker.read() == (wire.RESPONSE_BODY, 1, b"one"), "before there is a second"
        gate.set()
        assert worker.read() == (wire.RESPONSE_BODY, 1, b"two")
        assert worker.read()[0] == wire.RESPONSE_END
        worker.invoke(2)
        assert worker.streamed()[2] == [b"one", b"two"]


@BOTH
def test_so_is_an_asynchronous_one(concurrency: int) -> None:
    async def handler(_event: Any) -> AsyncIterator[dict[str, int]]:
        for n in range(2):
            await asyncio.sleep(0)
            yield {"n": n}

    with serving(handler, "event", concurrency=concurrency) as worker:
        worker.invoke()
        assert worker.streamed() == (200, "application/x-ndjson", [b'{"n": 0}\n', b'{"n": 1}\n'])


def test_one_that_fails_before_its_first_piece_is_an_error_and_later_is_broken_off() -> None:
    def handler(event: dict[str, bool]) -> Iterator[Any]:
        if event["late"]:
            yield "x"
        raise KeyError("no")

    with serving(handler, "event") as worker:
        worker.invoke(1, b'{"late": false}')
        assert worker.error() == "KeyError"
        worker.invoke(2, b'{"late": true}')
        kinds = [worker.read()[0] for _ in range(4)]
        assert kinds == [wire.RESPONSE_HEAD, wire.RESPONSE_BODY, wire.LOG, wire.ERROR]


def test_an_empty_one_is_an_empty_answer() -> None:
    with serving(lambda _: iter(()), "event") as worker:
        worker.invoke()
        assert worker.answer() == (200, "", [], b"")


@BOTH
def test_it_is_closed_when_its_client_goes(concurrency: int) -> None:
    ended = threading.Event()

    def handler(_event: Any) -> Iterator[str]:
        try:
            while True:
                yield "tick"
        finally:
            ended.set()

    with serving(handler, "event", concurrency=concurrency) as worker:
        worker.invoke()
        assert worker.read()[0] == wire.RESPONSE_HEAD
        worker.channel.write(wire.GONE, 1)
        while worker.read()[0] != wire.RESPONSE_END:
            pass
        assert ended.is_set()


def test_where_several_run_it_waits_for_a_slow_client() -> None:
    with serving(lambda _: iter(("a", "b", "c")), "event", concurrency=2) as worker:
        worker.channel.write(wire.PAUSE, 1)  # of nobody yet
        worker.invoke()
        assert worker.streamed()[2] == [b"a", b"b", b"c"]


def test_an_awaitable_of_a_plain_function_is_awaited() -> None:
    async def inner(event: Any) -> Any:
        return event

    def outer(event: Any) -> Any:
        return inner(event)

    for concurrency in (1, 2):
        with serving(outer, "event", concurrency=concurrency) as worker:
            worker.invoke(body=b'{"a": 1}')
            assert worker.answer()[3] == b'{"a": 1}'


def test_who_asks_for_the_current_loop_in_a_thread_gets_one() -> None:
    def handler(_event: Any) -> Any:
        loop = asyncio.get_event_loop_policy().get_event_loop()
        try:
            return loop.run_until_complete(asyncio.sleep(0, "done"))
        finally:
            loop.close()
            asyncio.set_event_loop(None)

    with serving(handler, "event", concurrency=2) as worker:
        worker.invoke()
        assert worker.answer()[3] == b"done"


def test_a_header_of_other_letters_is_refused_and_the_next_answer_is_well() -> None:
    told = iter(({"statusCode": 200, "headers": {"x-name": "č"}}, "well"))
    with serving(lambda _: next(told), "event") as worker:
        worker.invoke()
        code, message = worker.refusal()
        assert (code, "x-name" in message, "latin-1" in message) == ("bad_response", True, True)
        worker.invoke(2)
        assert worker.answer()[3] == b"well"


@pytest.mark.long
def test_json_that_is_too_deep_is_the_clients_fault_also_where_the_handler_reads_it() -> None:
    with serving(lambda event: json.loads(event["body"]), "event", "api-gateway-v1") as worker:
        worker.request(body=b"[" * 100_000 + b"]" * 100_000)
        assert worker.refusal() == ("bad_request", "the body is JSON with too many levels")

    def forever(_event: Any) -> Any:
        return forever(_event)

    with serving(forever, "event") as worker:
        worker.invoke()
        assert worker.error() == "RecursionError"


# Handlers that are told of the request.


def test_every_signature_gets_its_event() -> None:
    def told(call: Callable[..., Any], signature: str, event: str = "plain") -> Any:
        with serving(call, signature, event) as worker:
            if event == "plain" and signature != "request":
                worker.invoke(body=b'{"a": 1}')
            else:
                worker.request(body=b'{"a": 1}', headers=(("content-type", "application/json"),))
            return json.loads(worker.answer()[3])

    assert told(lambda event: event, "event") == {"a": 1}
    assert told(lambda text: {"told": text}, "text") == {"told": '{"a": 1}'}
    assert told(lambda event, context: [event["path"], context.aws_request_id], "event_context", "http") == [
        *("/hi", "9f-1")
    ]
    assert told(lambda args: [args["a"], args["q"], args["__ow_path"]], "args", "http") == [1, "1", "/hi"]
    assert told(lambda event: [event["requestContext"]["http"]["sourceIp"]], "event", "api-gateway-v2") == [
        "203.0.113.7"
    ]


def test_an_action_that_is_told_of_the_request_answers_with_its_body() -> None:
    with serving(lambda _: {"body": "hi"}, "args", "http") as worker:
        worker.request()
        assert worker.answer()[1::2] == ("text/plain; charset=utf-8", b"hi")
    with serving(lambda _: {"body": "hi"}, "args") as worker:
        worker.invoke()
        assert worker.answer()[1::2] == ("application/json", b'{"body": "hi"}')


# A request of our own.


def test_a_function_of_a_request_that_brings_no_framework_gets_one_of_ours() -> None:
    def told(request: Any) -> Any:
        known = [request.method, request.path, request.args["q"], request.args.get("n", 7, type=int)]
        known += [request.headers["X-Key"], request.cookies["a"], request.json, request.get_json(silent=True)]
        known += [request.text, request.data.decode(), request.remote_addr, request.url, request.is_json]
        return known, 201

    headers = (("host", "h"), ("x-key", "k"), ("cookie", "a=1"), ("content-type", "application/json"))
    with serving(told, "request") as worker:
        worker.request(method="PUT", path="/a%20b", body=b'{"a": 1}', headers=headers)
        status, _, _, body = worker.answer()
    assert status == 201
    assert json.loads(body) == [
        *("PUT", "/a b", "1", 7, "k", "1", {"a": 1}, {"a": 1}, '{"a": 1}', '{"a": 1}', "203.0.113.7"),
        *("https://h/function/shop/a%20b?q=1", True),
    ]


def test_its_json_is_none_where_it_is_not_said_to_be_and_the_clients_fault_where_it_is_not() -> None:
    with serving(lambda request: {"told": request.get_json()}, "request") as worker:
        worker.request(1, body=b"x=1", headers=(("content-type", "text/plain"),))
        assert worker.answer()[3] == b'{"told": null}'
        worker.request(2, body=b"{", headers=(("content-type", "application/json"),))
        assert worker.refusal()[0] == "bad_request"
    with serving(lambda request: request.form["x"], "request") as worker:
        worker.request(1, body=b"x=1", headers=(("content-type", "application/x-www-form-urlencoded"),))
        assert worker.answer()[3] == b"1"
