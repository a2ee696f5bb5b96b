"""What a program says over Lambda's Runtime API, from the bytes on."""

import base64
import json
import socket
from pathlib import Path

import pytest

from attacca.guest.program import Printed, Program, is_served
from attacca.guest.proxy import Proxy
from attacca.guest.runtime_api import Bad, Connection, Reader, RuntimeApi, Telling, failed, outcome, owner

NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"POST /2018-06-01/runtime/invocation/i1/response HTTP/1.1\r\nContent-Length: 5\r\n\r\n[1,2]"
CHUNKED = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"


def read(data: bytes, step: int, most: int = 100) -> list[tuple[str, bytes]]:
    reader = Reader(most)
    pieces = (data[at : at + step] for at in range(0, len(data), step))
    return [(request.path.rpartition("/")[2], request.body) for piece in pieces for request in reader.feed(piece)]


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_requests_are_cut_wherever_they_are_broken(step: int) -> None:
    assert read(NEXT + ANSWER + CHUNKED + NEXT, step) == [
        ("next", b""),
        ("response", b"[1,2]"),
        ("a", b"[1,2]"),
        ("next", b""),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad name : 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n",
        b"GET /" + b"a" * 70_000,
    ],
)
def test_what_is_no_request_or_too_large_is_refused(data: bytes) -> None:
    with pytest.raises(Bad):
        read(data, 100_000)


def test_who_waits_to_be_told_to_go_on_is_told_once() -> None:
    reader = Reader(100)
    head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    assert list(reader.feed(head)) == []
    assert reader.wants_more
    reader.wants_more = False
    assert list(reader.feed(b"a")) == []
    assert not reader.wants_more
    assert [request.body for request in reader.feed(b"b")] == [b"ab"]


def answered(body: bytes, **fields: str) -> Telling:
    request = Telling("POST", "/", {name.replace("_", "-"): value for name, value in fields.items()})
    request.body = body
    return request


def test_an_answer_is_what_a_handler_would_return() -> None:
    assert outcome(answered(b'{"a": 1}')) == {"a": 1}
    assert outcome(answered(b"")) is None
    assert outcome(answered(b"no json")) == "no json"
    assert outcome(answered(b"\xff\x00")) == b"\xff\x00"
    assert outcome(answered(b"[" * 100_000)) == "[" * 100_000


def test_a_streamed_answer_may_begin_with_its_head_or_end_with_an_error() -> None:
    kind = "application/vnd.awslambda.http-integration-response"
    whole = answered(b'{"statusCode": 201, "cookies": ["a=1"]}' + b"\0" * 8 + b"\0body", content_type=kind)
    body = base64.b64encode(b"\0body").decode()
    assert outcome(whole) == {"statusCode": 201, "cookies": ["a=1"], "body": body, "isBase64Encoded": True}
    assert type(outcome(answered(b"[]" + b"\0" * 8, content_type=kind))).__name__ == "InvalidPrelude"
    told = base64.b64encode(b'{"errorMessage": "half-way"}')
    trailers = b"Lambda-Runtime-Function-Error-Type: Sad\r\nLambda-Runtime-Function-Error-Body: " + told
    (request,) = Reader(100).feed(CHUNKED.replace(b"0\r\n\r\n", b"0\r\n" + trailers + b"\r\n\r\n"))
    error = outcome(request)
    assert (type(error).__name__, str(error)) == ("Sad", "half-way")


def test_an_error_is_of_the_class_that_it_names() -> None:
    error = failed(answered(json.dumps({"errorType": "A.B", "errorMessage": "c", "stackTrace": ["d", "e"]}).encode()))
    assert (type(error).__name__, str(error), error.__notes__) == ("A.B", "c", ["d\ne"])
    assert type(failed(answered(b"", lambda_runtime_function_error_type="Named"))).__name__ == "Named"
    assert (type(failed(answered(b"oh"))).__name__, str(failed(answered(b"oh")))) == ("Error", "oh")
    assert type(failed(answered(b'{"errorType": "\\u0000"}'))).__name__ == "Error"


def test_who_has_the_other_end_of_a_connection_is_looked_up(tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    table.write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1F90 0100007F:D2F0 06 00000000:00000000 00:00000000 00000000     7        0 1\n"
        "   1: 0100007F:D2F0 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 2\n"
    )
    assert owner(("127.0.0.1", 0xD2F0), str(table)) == 1000
    assert owner(("127.0.0.1", 0x1F90), str(table)) is None
    assert owner(("127.0.0.2", 0xD2F0), str(table)) is None
    assert not is_served(0x1F90, [str(table), "nowhere"])
    line = "   0: 00000000000000000000000000000000:1F90 0000:0000 0A 0:0 00:0 0 7 0 1\n"
    table.write_text("  sl  local_address remote_address st\n" + line)
    assert is_served(0x1F90, [str(table)])


def test_what_serves_says_how_it_is() -> None:
    assert repr(answered(b"abc")) == "<Telling POST /, 3 bytes>"
    reader = Reader(9)
    assert list(reader.feed(b"GET ")) == []
    assert repr(reader) == "<Reader 4 bytes>"
    api: RuntimeApi = RuntimeApi.__new__(RuntimeApi)
    api._given, api._asking, api._connections = "", None, {}
    program: Program = Program.__new__(Program)
    program.api, program.port, program._ended = api, 0, -1
    assert repr(program) == "<Program not running, <RuntimeApi idle, 0 connections>>"
    program.port = 8080
    assert repr(Proxy(program)) == "<Proxy to <Program not running, HTTP on 8080>, 0 connections idle>"
    printed: Printed = Printed.__new__(Printed)
    printed._end = b"abc"
    assert repr(printed) == "<Printed 3 bytes>"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert repr(Connection(ours, 9)) == "<Connection <Reader 0 bytes>>"
    assert repr(api) == "<RuntimeApi idle, 0 connections>"
