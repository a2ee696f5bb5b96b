import pytest

from attacca.errors import BadRequest
from attacca.images.core.names import Reference, is_repository, is_tag, parse
from tests.cases import each

SHA = "sha256:" + "0a" * 32


@each(
    "text, host, repository, which",
    [
        ("fn", "docker.io", "library/fn", "latest"),
        ("team/fn:v1", "docker.io", "team/fn", "v1"),
        ("localhost/fn", "localhost", "fn", "latest"),
        ("localhost:8080/fn:v1", "localhost:8080", "fn", "v1"),
        (f"ghcr.io/a/b:v1@{SHA}", "ghcr.io", "a/b", SHA),
        ("[::1]:5000/fn", "[::1]:5000", "fn", "latest"),
    ],
)
def test_a_reference_says_where_and_which(text: str, host: str, repository: str, which: str) -> None:
    found = parse(text)
    assert (found.host, found.repository, found.which) == (host, repository, which)


@each("text", ["Fn", "", "fn:", "fn@", "fn@sha256:0", "a//b", "fn:.x", "-x.y/fn\n", "a/" * 200 + "b"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="the name of no image"):
        parse(text)


def test_names_of_repositories_and_tags() -> None:
    assert [name for name in ("a", "a--b", "a__b", "a.b/c", "a___b", "a/", "A", "a_-b") if is_repository(name)] == [
        "a", "a--b", "a__b", "a.b/c",
    ]  # fmt: skip
    assert [tag for tag in ("v1", "_", "-", "a" * 128, "a" * 129, "a/b", "v1\n") if is_tag(tag)] == [
        "v1",
        "_",
        "a" * 128,
    ]
    assert str(Reference("h", "r", "t")) == "h/r:t"
    assert str(Reference("h", "r", "t", SHA)) == f"h/r@{SHA}"
