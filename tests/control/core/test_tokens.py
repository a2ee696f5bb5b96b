import pytest

from attacca.control.core.tokens import Token, make, match
from attacca.errors import BadRequest
from attacca.kernel.access import digest
from tests.cases import each


def test_a_secret_finds_its_token_and_is_not_kept() -> None:
    tokens = [make("a1", "secret one", "laptop", 5.0), make("b2", "secret two", "", 6.0)]
    assert tokens[0] == Token("a1", "laptop", 5.0, digest("secret one"))
    assert match(tokens, "secret two") == tokens[1]
    assert match(tokens, "secret three") is None
    assert match(tokens, "\udcff") is None
    assert match([], "") is None
    assert "secret" not in repr(tokens)


@each("name", ["a\nb", " x", "x" * 64, "<b>"])
def test_names_are_readable(name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be the name of a token"):
        make("a1", "s", name, 0.0)
