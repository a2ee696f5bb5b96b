import msgspec
import pytest

from attacca.model.function import ENV_KB, Settings


def settings(**said: object) -> Settings:
    return msgspec.convert({"name": "f", **said}, Settings)


def test_an_environment_of_the_largest_size_is_taken() -> None:
    assert len(settings(env={"A": "x" * (ENV_KB * 1024 - 1)}).env["A"]) == ENV_KB * 1024 - 1


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"env": {"A": "x" * ENV_KB * 1024}}, "env has 32 KB, and may have 32"),
        ({"env": {f"A{number}": "ü" * 512 for number in range(40)}}, "env has 40 KB, and may have 32"),
        ({"env": {"A": "x\0y"}}, "env.A contains a NUL character"),
        ({"min_sandboxes": 3, "max_sandboxes": 2}, "must not exceed max_sandboxes"),
        ({"first_byte_s": 31}, "must not exceed timeout_s"),
        ({"handler": "x" * 201}, "length <= 200"),
        ({"name": "My_Func"}, "regex"),
    ],
)
def test_what_cannot_be_is_refused_and_named(said: dict[str, object], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        settings(**said)


@pytest.mark.parametrize("trap", ["a\n", "a\r", "a\0", "a\u2028", "\na"])
def test_no_line_ends_in_a_name(trap: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": trap}, Settings)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "a", "env": {trap: "x"}}, Settings)
