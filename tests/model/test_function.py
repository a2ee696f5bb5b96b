import msgspec
import pytest

from attacca.model.environment import ENV_KB, ENV_MOST, SECRETS_MOST
from attacca.model.function import SecretAs, Settings, masked
from tests.cases import each


def settings(**said: object) -> Settings:
    return msgspec.convert({"name": "f", **said}, Settings)


@each("handler", [None, "", "main:handler", "a.b.c", "my-module:App.run", "größe:läuft", "handler"])
def test_handlers_that_are_names(handler: str | None) -> None:
    assert settings(handler=handler).handler == handler


@pytest.mark.long
def test_an_environment_of_the_largest_size_is_taken() -> None:
    assert len(settings(env={"A": "x" * (ENV_KB * 1024 - 1)}).env["A"]) == ENV_KB * 1024 - 1


@each(
    "said, why",
    [
        ({"env": {"A": "x" * ENV_KB * 1024}}, "env has 32 KB, and may have 32"),
        ({"env": {f"A{number}": "ü" * 512 for number in range(40)}}, "env has 40 KB, and may have 32"),
        ({"env": {"A": "x\0y"}}, "env.A contains a NUL character"),
        ({"min_sandboxes": 3, "max_sandboxes": 2}, "must not exceed max_sandboxes"),
        ({"first_byte_s": 31}, "must not exceed timeout_s"),
        ({"handler": "x" * 201}, "length <= 200"),
        ({"name": "My_Func"}, "regex"),
        ({"name": "f\n"}, "regex"),
        ({"handler": "main:f\n"}, "regex"),
        ({"handler": "\x1b]0;x"}, "regex"),
        ({"handler": "a b"}, "regex"),
        ({"handler": "../a:b/c"}, "regex"),
        ({"env": {"A\n": ""}}, "regex"),
        ({"env": {"A=B": ""}}, "regex"),
        ({"env": {"": ""}}, "regex"),
        ({"env": {"A": "\ud800"}}, "env.A is not UTF-8|surrogates"),
        ({"env": {f"A{number}": "" for number in range(ENV_MOST + 1)}}, "501 variables, and may have 500"),
        ({"env": {"A" * (ENV_KB * 1024): "x"}}, "env has 32 KB"),
        ({"secrets": {"A": "both"}}, "enum"),
        ({"secrets": ["A"]}, "object"),
        ({"secrets": {"A.B": "file"}}, "regex"),
        ({"secrets": {"A" * 65: "file"}}, "regex"),
        ({"secrets": {"A\n": "file"}}, "regex"),
        ({"secrets": {"A-B": "env"}}, 'secrets.A-B cannot be the name of a variable; write A-B = "file"'),
        ({"secrets": {"A": "env"}, "env": {"A": ""}}, "A is in env and in secrets"),
        ({"secrets": {f"A{number}": "env" for number in range(SECRETS_MOST + 1)}}, "33 names, and may have 32"),
        ({"memory_mb": 10**30}, "<= 1048576"),
        ({"min_sandboxes": True}, "bool"),
        ({"timeout_s": float("nan")}, "> 0"),
        ({"timeout_s": float("inf")}, "<= 86400"),
        ({"cpus": float("inf")}, "<= 1024"),
        ({"runtime": "microvm", "network": "host"}, 'write "nat" or "none"'),
    ],
)
def test_what_cannot_be_is_refused_and_named(said: dict[str, object], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        settings(**said)


def test_a_secret_may_be_a_file_of_a_variables_name_and_of_one_that_no_variable_has() -> None:
    found = settings(env={"A": "x"}, secrets={"A": "file", "b-c": "file", "_D": "env"})
    assert found.secrets_as(SecretAs.FILE) == ["A", "b-c"]
    assert found.secrets_as(SecretAs.ENV) == ["_D"]


def test_no_value_of_the_environment_is_shown() -> None:
    found = settings(env={"A": "s3cret", "B": ""}, memory_mb=64)
    assert masked(found) == settings(env={"A": "***", "B": "***"}, memory_mb=64)
    assert "s3cret" not in f"{found!r} {found} {masked(found)!r}"
    assert "memory_mb=64" in repr(found)


@each("trap", ["a\n", "a\r", "a\0", "a\u2028", "\na"])
def test_no_line_ends_in_a_name(trap: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": trap}, Settings)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "a", "env": {trap: "x"}}, Settings)
