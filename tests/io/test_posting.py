import pytest

from attacca.io.posting import _unchunked, checked
from tests.cases import each


@each(
    "url",
    [
        "", "nowhere", "ftp://a", "http://", "http://a:b@c", "http://a b", "http://a\r\nb", "http://ä", "http://a:99999",
        "http://a:x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"url is http"):
        checked(url)


def test_an_address_loses_its_last_slash() -> None:
    assert checked("http://a:4318/") == "http://a:4318"
    assert checked("https://[::1]/x") == "https://[::1]/x"


@each("data, expected", [(b"", b""), (b"3\r\nabc\r\n0\r\n\r\n", b"abc"), (b"zz\r\nabc", b""), (b"9\r\nab", b"ab")])
def test_chunks_are_read_as_far_as_they_go(data: bytes, expected: bytes) -> None:
    assert _unchunked(data) == expected
