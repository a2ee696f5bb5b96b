"""What a head says of itself, and which heads are no requests."""

from attacca.gateway.http import request
from attacca.gateway.http.request import Fields, Head, misframed, refuse_upgrade
from tests.cases import each


def head(*fields: tuple[bytes, bytes], method: bytes = b"POST", version: str = "1.1") -> Head:
    listed: Fields = list(fields)
    return request.head(method, b"/x", listed, dict(listed), version, True)  # noqa: FBT003


def test_what_it_says() -> None:
    one = head((b"content-length", b"12"), (b"expect", b"100-Continue"), (b"content-type", b"a/b"))
    assert (one.announced, one.expects, one.content_type, one.verb, one.is_plain) == (12, True, "a/b", "POST", True)
    assert repr(one) == "<Head POST /x, 3 fields>"
    assert (head(method=b"PURGE").verb, head().content_type, head().announced) == ("PURGE", "", 0)
    assert not head((b"expect", b"100-continue"), version="1.0").expects
    assert [head((b"content-length", text)).announced for text in (b"1x", b"", b"1" * 19)] == [-1, -1, -1]
    assert not any(
        one.is_plain for one in (head(method=b"HEAD"), head(version="1.0"), head((b"x-attacca-detail", b"")))
    )


@each(
    "one, code",
    [
        (head(), None),
        (head(version="2.0"), "bad_request"),
        (head((b"transfer-encoding", b"Chunked ")), None),
        (head((b"transfer-encoding", b"chunked"), version="1.0"), "bad_request"),
        (head((b"transfer-encoding", b"gzip, chunked")), "bad_request"),
        (head((b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")), "bad_request"),
        (head(method=b"CONNECT"), "method_not_allowed"),
        (head(method=b"DESCRIBE"), "bad_request"),
        (head(method=b"SOURCE"), "bad_request"),
    ],
)
def test_what_is_no_request(one: Head, code: str | None) -> None:
    error = misframed(one)
    assert (error and error.code) == code


def test_an_upgrade_with_a_body_cannot_be_told_apart() -> None:
    asked = (b"upgrade", b"h2c")
    assert refuse_upgrade(head(asked), has_body=False) is None
    assert refuse_upgrade(head(asked, (b"content-length", b"3")), has_body=True) is None
    for framing in ((b"content-length", b"3"), (b"transfer-encoding", b"chunked")):
        error = refuse_upgrade(head(asked, framing), has_body=False)
        assert error is not None
        assert error.code == "bad_request"
    websocket = refuse_upgrade(head((b"upgrade", b" WebSocket")), has_body=False)
    assert websocket is not None
    assert websocket.code == "unsupported"
