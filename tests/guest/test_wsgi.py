"""WSGI applications, and what PEP 3333 promises them."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from attacca.guest import channel as wire
from tests.guest.pipes import MOST, serving

BOTH = pytest.mark.parametrize("concurrency", [1, 3])


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
