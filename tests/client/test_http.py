import json

import pytest

from attacca.client.http import CLASSES, Client, decoded, failure, quoted
from attacca.errors import AttaccaError, BadConfig, FunctionFailed, envelope
from tests.cases import each


@each("kind", list(CLASSES.values()))
def test_every_error_comes_back_as_itself(kind: type[AttaccaError]) -> None:
    sent = kind("what", "how")
    received = failure(kind.status, json.dumps(envelope(sent)).encode())
    assert (type(received), received.message, received.hint) == (kind, "what", "how")


def test_a_traceback_goes_along() -> None:
    body = json.dumps(envelope(FunctionFailed("boom"), type="ValueError", traceback="Traceback ...")).encode()
    assert failure(500, body).__notes__ == ["Traceback ..."]


@each("body", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"error": {"code": "x"}}', b"\xff"])
def test_an_answer_that_is_not_ours_is_told_as_it_is(body: bytes) -> None:
    assert failure(502, body).message.startswith("the server answered 502")


@each("text", ["[" * 100_000, "<html>", "", b"\xff"])
def test_what_is_no_json_is_told_so(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decoded(text)


def test_an_unknown_code_is_kept() -> None:
    error = failure(418, json.dumps({"error": {"code": "teapot", "message": "short and stout", "try": "tea"}}).encode())
    assert (error.message, error.hint) == ("short and stout (teapot)", "tea")


@each("url", ["ftp://x", "http://", "", "http:///x", "http://[::1", "http://h:99999", "http://h:x", "http://h:0"])
def test_a_wrong_address_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(BadConfig):
        Client(url)


def test_an_address_may_do_without_a_scheme_and_have_a_path() -> None:
    assert Client("localhost:9000").url == "http://localhost:9000"
    assert Client("https://example.org/attacca/").url == "https://example.org"


def test_names_are_quoted() -> None:
    assert quoted("a/b?c") == "a%2Fb%3Fc"
