import os

import pytest

from attacca.errors import Forbidden, Unauthorized
from attacca.gateway.front.access import is_loopback, is_page, refuse_operator, refuse_token

ME = os.getuid()
TOKEN = (b"authorization", b"Bearer right")


def allow(authorization: bytes | None) -> bool:
    return authorization == b"Bearer right"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST."])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("fields", "page"),
    [
        ([], False),
        ([(b"host", b"localhost:8080")], False),
        ([(b"host", b"[::1]:8080")], False),
        ([(b"host", b"127.0.0.1")], False),
        ([(b"host", b"evil.example")], True),
        ([(b"host", b"localhost"), (b"host", b"evil.example")], True),
        ([(b"host", b"localhost:8080"), (b"origin", b"http://localhost:8080")], True),
        ([(b"host", b"localhost:8080"), (b"sec-fetch-site", b"none")], False),
        ([(b"host", b"localhost:8080"), (b"sec-fetch-site", b"same-origin")], True),
        ([(b"sec-fetch-site", b"cross-site")], True),
        ([(b"sec-fetch-site", b"none"), (b"sec-fetch-site", b"same-site")], True),
        ([(b"host", b"localhost:8080"), (b"origin", b"http://localhost:3000")], True),
        ([(b"host", b"localhost:8080"), (b"origin", b"null")], True),
        ([(b"origin", b"http://evil.example")], True),
    ],
)
def test_pages(fields: list[tuple[bytes, bytes]], page: bool) -> None:  # noqa: FBT001
    assert is_page(fields) is page


def test_the_owner_needs_no_token_on_loopback() -> None:
    assert refuse_operator([], ME, None, on_loopback=True) is None
    assert refuse_operator([], 0, None, on_loopback=True) is None
    assert isinstance(refuse_operator([], ME, allow, on_loopback=False), Unauthorized)
    assert isinstance(refuse_operator([], None, allow, on_loopback=True), Unauthorized)
    assert isinstance(refuse_operator([], ME + 1, allow, on_loopback=True), Unauthorized)
    refused = refuse_operator([(b"host", b"evil.example")], ME, allow, on_loopback=True)
    assert isinstance(refused, Forbidden)
    assert refused.message == "a page in a browser may not ask for this"


def test_a_token_decides_alone() -> None:
    assert refuse_operator([TOKEN], None, allow, on_loopback=False) is None
    assert isinstance(refuse_operator([(b"authorization", b"x")], ME, allow, on_loopback=True), Unauthorized)
    assert refuse_token([TOKEN], allow) is None
    assert isinstance(refuse_token([TOKEN], None), Unauthorized)
    for fields, says in (([], "no token came with the request"), ([(b"authorization", b"x")], "is not known")):
        refused = refuse_token(fields, allow)
        assert isinstance(refused, Unauthorized)
        assert says in refused.message
