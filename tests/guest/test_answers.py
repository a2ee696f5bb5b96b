"""From what a handler returns to an answer."""

import base64
from typing import Any

import pytest

from attacca.guest import channel as wire
from attacca.guest.answers import Answer, Unsendable, encode, encode_action, encode_handle
from tests.cases import each


def head(result: Any) -> list[list[str]]:
    answer = encode(result)
    assert isinstance(answer, Answer)
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in wire.fields(answer.headers)]


@each(
    "result, status, kind, body",
    [
        ({"a": 1}, 200, "application/json", b'{"a": 1}'),
        (None, 200, "application/json", b"null"),
        ("ü", 200, "text/plain; charset=utf-8", "ü".encode()),
        (bytearray(b"\x00"), 200, "application/octet-stream", b"\x00"),
        ({"statusCode": 201}, 201, "application/octet-stream", b""),
        ({"statusCode": "404", "body": "no"}, 404, "text/plain; charset=utf-8", b"no"),
        ({"statusCode": 200, "body": None}, 200, "application/json", b""),
        ({"statusCode": 200, "body": {"a": 1}}, 200, "application/json", b'{"a": 1}'),
        ({"statusCode": 200, "body": b"\x00"}, 200, "application/octet-stream", b"\x00"),
        ({"statusCode": 200, "body": "<p>", "headers": {"Content-Type": "text/html"}}, 200, "text/html", b"<p>"),
        (
            {"statusCode": 599, "body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True},
            *(599, "text/plain; charset=utf-8", b"\xff"),
        ),
    ],
)
def test_what_is_returned_becomes_an_answer(result: Any, status: int, kind: str, body: bytes) -> None:
    answer = encode(result)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.content_type.decode(), answer.body, answer.headers) == (status, kind, body, b"")


def test_headers_may_have_all_letters_of_latin_1() -> None:
    assert head({"statusCode": 200, "headers": {"x": "\xe9\xff"}}) == [["x", "\xe9\xff"]]


def test_headers_may_have_several_values() -> None:
    told = {"set-cookie": ["a=1", "b=2"], "x": 1, "on": True, "raw": b"\xe9", "none": None}
    found = [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x", "1"], ["on", "true"], ["raw", "\xe9"]]
    assert head({"statusCode": 200, "headers": told}) == found
    assert head({"statusCode": 200, "headers": [("a", "1"), ("a", "2")]}) == [["a", "1"], ["a", "2"]]


def test_so_may_multi_value_headers_and_cookies_which_are_added() -> None:
    answer = {"statusCode": 200, "headers": {"a": "1", "b": "2"}, "multiValueHeaders": {"a": ["1", "3"]}}
    assert head(answer) == [["a", "1"], ["b", "2"], ["a", "3"]], "what is said twice is sent once, as a gateway does"
    assert head({"statusCode": 200, "cookies": ["a=1", "b=2"]}) == [["set-cookie", "a=1"], ["set-cookie", "b=2"]]
    assert head({"statusCode": 200, "cookies": {"a": 1}}) == [["set-cookie", "a=1"]]
    typed = encode({"statusCode": 200, "multiValueHeaders": {"Content-Type": ["text/css"]}, "body": "x"})
    assert isinstance(typed, Answer)
    assert (typed.content_type, typed.headers) == (b"text/css", b"")


@each(
    "result, says",
    [
        ({"a": object()}, "returned dict, which is not JSON: Object of type object"),
        (float("nan"), "returned float, which is not JSON"),
        ([float("inf")], "returned list, which is not JSON"),
        ({"statusCode": 200, "headers": {"content-type": "te\u010dt"}}, "the header 'content-type' holds"),
        ("\ud800", "cannot be sent as UTF-8"),
        ({"statusCode": 199}, "from 200 to 599, not 199"),
        ({"statusCode": 600}, "from 200 to 599, not 600"),
        ({"statusCode": "ok"}, "not 'ok'"),
        ({"statusCode": 200, "headers": ["a"]}, "headers must be a dict, or a list of pairs"),
        (
            {"statusCode": 200, "headers": {"x": "5 \u20ac"}},
            "the header 'x' holds '\u20ac', and headers can only hold the letters of latin-1",
        ),
        ({"statusCode": 200, "headers": {"x": "\ud800"}}, "the letters of latin-1"),
    ],
)
def test_what_cannot_be_sent_is_told(result: Any, says: str) -> None:
    with pytest.raises(Unsendable, match=says):
        encode(result)


@pytest.mark.parametrize("headers", [{"x": "y" * 66_000}, {f"x-{number}": "" for number in range(201)}])
def test_a_head_that_nobody_would_take_is_not_sent(headers: dict[str, str]) -> None:
    with pytest.raises(Unsendable, match="at most 200 with 64 KB"):
        encode({"statusCode": 200, "headers": headers})
    encode(
        {"statusCode": 200, "headers": dict(list(headers.items())[:200]) if len(headers) > 1 else {"x": "y" * 65_000}}
    )


def test_a_handle_needs_no_status_to_answer_with_a_body() -> None:
    whole = {"body": "hi", "headers": {"Content-Type": ["text/html"], "x-a": "1"}}
    assert encode_handle(whole) == Answer(200, b"text/html", b"x-a\n1", b"hi")
    assert encode_handle({"body": "aGk=", "isBase64Encoded": True, "statusCode": 201}).body == b"hi"  # type: ignore[union-attr]
    assert encode_handle({"body": 1, "more": 2}) == encode({"body": 1, "more": 2})


def test_an_action_needs_no_status_to_answer_with_a_body() -> None:
    found = [encode_action(one) for one in ({"body": "hi"}, {"body": {"a": 1}}, {"body": 1, "more": 2}, {"a": 1})]
    assert found == [
        (200, b"text/plain; charset=utf-8", b"", b"hi"),
        (200, b"application/json", b"", b'{"a": 1}'),
        (200, b"application/json", b"", b'{"body": 1, "more": 2}'),
        (200, b"application/json", b"", b'{"a": 1}'),
    ]
    picture = {"headers": {"content-type": "image/png"}, "body": base64.b64encode(b"\x89PNG").decode()}
    assert encode_action(picture) == (200, b"image/png", b"", b"\x89PNG")
