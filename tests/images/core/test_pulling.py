import pytest

from attacca.errors import AttaccaError, BadImage, NotFound, Overloaded, Unauthorized, Unreachable
from attacca.images.core.names import parse
from attacca.images.core.pulling import Again, Challenge, again, challenge, expect_part, failure, place, rest
from tests.cases import each

BEARER = 'Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull"'


@each(
    "tries, status, fields, wanted",
    [
        (1, 500, {}, Again(0.5)),
        (3, 0, {}, Again(2.0)),
        (1, 429, {"retry-after": "3"}, Again(3.0)),
        (1, 503, {"retry-after": "9999"}, Again(20.0)),
        (1, 429, {"retry-after": "Wed, 21 Oct"}, Again(0.5)),
        (6, 500, {}, None),
        (1, 404, {}, None),
        (1, 401, {}, None),
    ],
)
def test_when_it_is_asked_again(tries: int, status: int, fields: dict[str, str], wanted: Again | None) -> None:
    assert again(tries, status, fields) == wanted


def test_where_a_token_is_to_be_had() -> None:
    assert challenge(BEARER, is_plain=False) == Challenge("https://auth.example/token", "r", "repository:a/b:pull")
    assert challenge('Basic realm="x"', is_plain=False) is None
    for field in ('Bearer realm="http://auth.example"', 'Bearer realm="file:///etc/passwd"', "Bearer x"):
        with pytest.raises(Unauthorized, match="which is not asked"):
            challenge(field, is_plain=False)
    assert challenge('Bearer realm="http://127.0.0.1:1/t"', is_plain=True) is not None


@each("host, at, is_plain", [
    ("docker.io", "registry-1.docker.io", False), ("localhost:5000", "localhost:5000", True),
    ("[::1]:5000", "[::1]:5000", True), ("ghcr.io", "ghcr.io", False), ("10.0.0.1:5000", "10.0.0.1:5000", False),
])  # fmt: skip
def test_where_a_registry_is(host: str, at: str, is_plain: bool) -> None:  # noqa: FBT001 - a table's column
    assert place(host) == (at, is_plain)


def test_the_part_that_is_missing() -> None:
    assert rest(5, 10) == "bytes=5-9"
    assert expect_part(206, "bytes 5-9/10", 5, 10)
    assert not expect_part(200, "", 5, 10)
    with pytest.raises(BadImage, match="and sends 'bytes 0-9/10'"):
        expect_part(206, "bytes 0-9/10", 5, 10)


@each("status, kind", [
    (401, Unauthorized), (404, NotFound), (429, Overloaded), (0, Unreachable), (418, BadImage),
])  # fmt: skip
def test_what_an_answer_stands_for(status: int, kind: type[AttaccaError]) -> None:
    error = failure(parse("ghcr.io/a/b"), "a/b:latest", status, "said")
    assert type(error) is kind
    assert "ghcr.io" in error.message
