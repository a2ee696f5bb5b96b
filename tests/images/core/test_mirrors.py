import pytest

from attacca.errors import BadConfig
from attacca.images.core.mirrors import Mirror, of, read
from attacca.images.core.names import parse
from tests.cases import each


def test_who_stands_in_is_asked_in_the_order_that_was_said() -> None:
    mirrors = read(["docker.io=a.example:5000", "ghcr.io=b.example", "docker.io=http://c.example/hub/"])
    wanted = parse("nginx@sha256:" + "a" * 64)
    assert [str(one) for one in of(wanted, mirrors)] == ["a.example:5000", "http://c.example/hub"]
    assert [str(one.reference(wanted)).partition("@")[0] for one in of(wanted, mirrors)] == [
        "a.example:5000/library/nginx", "c.example/hub/library/nginx",
    ]  # fmt: skip
    assert mirrors[2] == Mirror("docker.io", "c.example", "hub", is_plain=True)
    assert of(parse("quay.io/x/y"), mirrors) == ()


WRONG = ("docker.io", "=a.example", "docker.io=", "docker.io=a b", "docker.io=https://a.example",
         "docker.io=a.example/Hub", "docker.io=user:pw@a.example")  # fmt: skip


@each("word", WRONG)
def test_what_names_no_mirror_is_refused(word: str) -> None:
    with pytest.raises(BadConfig, match="names no mirror"):
        read([word])
