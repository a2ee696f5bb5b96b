"""A sandbox at work, from the frames that it is sent to the frames that it sends: over pipes, in a thread."""

import asyncio
import io
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, cast

import pytest

from attacca.worker.runtime.process.guest import channel as wire
from attacca.worker.runtime.process.guest.load import Loaded
from attacca.worker.runtime.process.guest.orders import Order
from attacca.worker.runtime.process.guest.serve import Server

MOST = 100_000
Frame = tuple[int, int, bytes]


class Outside:
    """The worker's end."""

    def __init__(self, reader: int, writer: int) -> None:
        self.channel = wire.Channel(reader, writer)

    def invoke(self, number: int = 1, body: bytes = b"{}") -> None:
        parts = (b"9f-1", b"application/json", b"")
        self.channel.write(wire.INVOKE, number, wire.INVOKE_HEAD.pack(*map(len, parts)), *parts, body)

    def request(
        self,
        number: int = 1,
        method: str = "GET",
        path: str = "/hi",
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (("host", "h:81"),),
        *,
        more: bool = False,
    ) -> None:
        kind = dict(headers).get("content-type", "").encode()
        told = json.dumps(headers).encode()
        parts = (b"9f-1", kind, b"q=1", method.encode(), path.encode(), b"203.0.113.7", b"https", told)
        self.channel.write(wire.REQUEST, number, wire.REQUEST_HEAD.pack(more, 5123, *map(len, parts)), *parts, body)

    def read(self) -> Frame:
        return self.channel.read()

    def answer(self) -> tuple[int, str, list[list[str]], bytes]:
        kind, _, payload = self.read()
        assert kind == wire.RESULT, payload
        return taken(payload)

    def streamed(self) -> tuple[int, str, list[bytes]]:
        kind, _, payload = self.read()
        assert kind == wire.RESPONSE_HEAD, payload
        status, content_type, _, _ = taken(payload)
        pieces = []
        while (frame := self.read())[0] == wire.RESPONSE_BODY:
            pieces.append(frame[2])
        assert frame[0] == wire.RESPONSE_END, frame
        return status, content_type, pieces

    def refusal(self) -> tuple[str, str]:
        kind, _, payload = self.read()
        assert kind == wire.BROKEN, payload
        told = json.loads(payload)
        return told["code"], told["message"]

    def error(self) -> str:
        kind, _, payload = self.read()
        assert kind == wire.ERROR, payload
        return str(json.loads(payload)["type"])


def taken(payload: bytes) -> tuple[int, str, list[list[str]], bytes]:
    _, status, kinds, heads = wire.RESULT_HEAD.unpack_from(payload)
    at = 12 + kinds
    headers = json.loads(payload[at : at + heads] or b"[]")
    return status, payload[12:at].decode("latin-1"), headers, payload[at + heads :]


@contextmanager
def serving(
    call: Callable[..., Any], signature: str, event: str = "plain", concurrency: int = 1, *, is_async: bool = False
) -> Iterator[Outside]:
    loaded = Loaded(call, "main:f", signature, event, is_async, ModuleType("main"), None)
    order = {"function": "shop", "revision": 1, "memory_mb": 128, "timeout_s": 30.0, "max_body": MOST}
    order |= {"max_log": 1 << 20, "concurrency": concurrency}
    inner, outer = os.pipe(), os.pipe()
    link = wire.Channel(outer[0], inner[1])
    server = Server(link.write, cast(Order, order), loaded)

    def serve() -> None:
        with suppress(wire.Closed):
            server.serve_in_threads(link, concurrency) if concurrency > 1 else server.serve_one_by_one(link)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Outside(inner[0], outer[1])
    finally:
        os.close(outer[1])
        thread.join()
        for descriptor in (inner[0], inner[1], outer[0]):
            os.close(descriptor)
        for loop in server.loops:
            loop.close()
        assert server.lines == {}


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


def test_a_header_of_other_letters_is_refused_and_the_next_answer_is_well() -> None:
    told = iter(({"statusCode": 200, "headers": {"x-name": "č"}}, "well"))
    with serving(lambda _: next(told), "event") as worker:
        worker.invoke()
        code, message = worker.refusal()
        assert (code, "x-name" in message, "latin-1" in message) == ("bad_response", True, True)
        worker.invoke(2)
        assert worker.answer()[3] == b"well"


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


# WSGI.


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("201 Created", [("Content-Type", "application/json"), ("X-A", "1")])
    names = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT")
    told = {name: environ[name] for name in (*names, "wsgi.url_scheme", "wsgi.multithread", "wsgi.multiprocess")}
    told["body"] = environ["wsgi.input"].read().decode()
    told["fields"] = {name: value for name, value in environ.items() if name.startswith(("HTTP_", "CONTENT_"))}
    return [json.dumps(told).encode()]


@BOTH
def test_a_wsgi_application_is_told_what_the_specification_says(concurrency: int) -> None:
    headers = (("host", "h:81"), ("content-type", "a/b"), ("content-length", "4"), ("x-a", "1"), ("x-a", "2"))
    with serving(echo, "wsgi", concurrency=concurrency) as worker:
        worker.request(1, "POST", "/a%20b/%C3%A9", b"body", (*headers, ("x_a", "evil")))
        status, kind, found, body = worker.answer()
    assert (status, kind, found) == (201, "application/json", [["X-A", "1"]])
    assert json.loads(body) == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/function/shop",
        "PATH_INFO": "/a b/Ã©",
        "QUERY_STRING": "q=1",
        "REMOTE_ADDR": "203.0.113.7",
        "SERVER_NAME": "h",
        "SERVER_PORT": "81",
        "wsgi.url_scheme": "https",
        "wsgi.multithread": concurrency > 1,
        "wsgi.multiprocess": True,
        "body": "body",
        "fields": {"HTTP_HOST": "h:81", "CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "4", "HTTP_X_A": "1,2"},
    }


@BOTH
def test_it_reads_a_body_while_that_arrives(concurrency: int) -> None:
    def lines(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for line in environ["wsgi.input"]:
            yield line.upper()

    with serving(lines, "wsgi", concurrency=concurrency) as worker:
        worker.request(method="POST", body=b"one\ntw", more=True)
        worker.channel.write(wire.BODY, 1, b"o\nthree")
        worker.channel.write(wire.BODY_END, 1, b"")
        assert b"".join(worker.streamed()[2]) == b"ONE\nTWO\nTHREE"
        worker.request(2, body=b"x\n")
        assert worker.streamed()[2] == [b"X\n"]


@BOTH
def test_its_answer_goes_out_piece_by_piece_unless_it_is_known_to_be_one(concurrency: int) -> None:
    closed: list[str] = []

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            yield from (b"", b"ab", b"cd")

        def close(self) -> None:
            closed.append("closed")

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        length = [("Content-Length", "4")] if environ["PATH_INFO"] == "/one" else []
        write = start_response("200 OK", [("Content-Type", "text/plain"), *length])
        if environ["PATH_INFO"] == "/write":
            write(b"first")
        return [b"abcd"] if environ["PATH_INFO"] == "/list" else iter((b"abcd",)) if length else Pieces()

    with serving(application, "wsgi", concurrency=concurrency) as worker:
        for number, path in enumerate(("/list", "/one"), 1):
            worker.request(number, path=path)
            assert worker.answer()[3] == b"abcd"
        worker.request(3, path="/many")
        assert worker.streamed() == (200, "text/plain", [b"ab", b"cd"])
        worker.request(4, path="/write")
        assert worker.streamed()[2] == [b"first", b"ab", b"cd"]
    assert closed == ["closed"] * 2


def test_an_answer_that_is_too_large_to_go_at_once_goes_in_pieces() -> None:
    def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"x" * (MOST + 1)]

    with serving(application, "wsgi") as worker:
        worker.request()
        assert sum(map(len, worker.streamed()[2])) == MOST + 1


def test_start_response_may_be_called_again_only_with_an_error() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("X-A", "1")])
        try:
            raise KeyError("no")
        except KeyError as error:
            told = (type(error), error, error.__traceback__)
        if environ["PATH_INFO"] == "/late":
            yield b"sent"
        start_response("500 Oh", [("X-B", "1")], None if environ["PATH_INFO"] == "/bare" else told)
        yield b"failed"

    with serving(application, "wsgi") as worker:
        worker.request(1, path="/early")
        assert worker.streamed()[0] == 500
        worker.request(2, path="/bare")
        assert worker.error() == "AssertionError"
        worker.request(3, path="/late")
        kinds = [worker.read()[0] for _ in range(4)]
        assert kinds == [wire.RESPONSE_HEAD, wire.RESPONSE_BODY, wire.LOG, wire.ERROR]


def test_what_a_wsgi_application_must_not_do_is_told() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        match environ["PATH_INFO"]:
            case "/none":
                return [b"x"]
            case "/text":
                start_response("200 OK", [])
                return iter(["text"])
            case "/letters":
                start_response("200 OK", [("X-Name", "č")])
                return []
            case _:
                start_response("OK", [])
                return []

    with serving(application, "wsgi") as worker:
        worker.request(1, path="/none")
        assert worker.error() == "AssertionError"
        for number, (path, says) in enumerate(
            (("/text", "made of bytes"), ("/letters", "X-Name"), ("/", "a number")), 2
        ):
            worker.request(number, path=path)
            code, message = worker.refusal()
            assert (code, says in message) == ("bad_response", True)


def test_a_file_is_wrapped() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"abcdef"), 4)

    with serving(application, "wsgi") as worker:
        worker.request()
        assert worker.streamed()[2] == [b"abcd", b"ef"]


@BOTH
def test_who_waits_for_the_rest_of_a_request_that_will_not_come_is_told(concurrency: int) -> None:
    seen: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            environ["wsgi.input"].read()
        except ConnectionError as error:
            seen.append(str(error))
            raise
        return []

    with serving(application, "wsgi", concurrency=concurrency) as worker:
        worker.request(more=True)
        worker.channel.write(wire.GONE, 1)
        assert worker.read()[0] == wire.RESPONSE_END
    assert seen == ["the client went away in the middle of its request"]


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
