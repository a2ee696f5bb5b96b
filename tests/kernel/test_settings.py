from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadConfig
from attacca.kernel.settings import (
    DEFAULT,
    ENVIRONMENT,
    FILE,
    FLAG,
    Given,
    Layer,
    keys,
    merge,
    read_assignments,
    read_environment,
    read_flags,
    read_toml,
    settle,
)
from tests.cases import each


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    policy: str = "ttl"
    options: dict[str, object] = {}


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    memory_mb: Annotated[int, msgspec.Meta(ge=32)] = 128
    spare_mb: int = 0
    choice: Choice = Choice()

    def __post_init__(self) -> None:
        if self.spare_mb > self.memory_mb:
            raise ValueError("spare_mb must not exceed memory_mb")


class Whole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8080
    public: bool = False
    where: Path = Path("here")
    cpus: float | None = None
    env: dict[str, str] = {}
    part: Part = Part()


def refusal(*layers: Layer) -> str:
    with pytest.raises(BadConfig) as caught:
        settle(Whole, layers)
    return f"{caught.value.message} / {caught.value.hint}"


def test_nothing_said_means_the_defaults() -> None:
    settled = settle(Whole, [])
    assert settled.value == Whole()
    assert settled.origins["part.memory_mb"] == Given(128, DEFAULT, "")
    assert {given.layer for given in settled.origins.values()} == {DEFAULT}


def test_each_layer_wins_over_those_before_it() -> None:
    file = read_toml("port = 1\npublic = true\n[part]\nmemory_mb = 64\n", "a.toml")
    environment = read_environment({"ATTACCA_PORT": "2", "ATTACCA_PART__MEMORY_MB": "96", "HOME": "/"})
    flags = read_flags({"port": (3, "--port"), "cpus": (None, "--cpus")})
    settled = settle(Whole, [file, environment, flags])
    assert settled.value == Whole(port=3, public=True, part=Part(memory_mb=96))
    said = {key: (given.layer, given.where) for key, given in settled.origins.items() if given.layer != DEFAULT}
    assert said == {
        "port": (FLAG, "--port"),
        "public": (FILE, "a.toml"),
        "part.memory_mb": (ENVIRONMENT, "ATTACCA_PART__MEMORY_MB"),
    }


def test_texts_become_what_the_field_wants() -> None:
    environ = {"X_PUBLIC": "true", "X_WHERE": "/srv", "X_CPUS": "0.5", "X_ENV__A": "1", "X_PORT": "7"}
    settled = settle(Whole, [read_environment(environ, prefix="X_")])
    assert settled.value == Whole(public=True, where=Path("/srv"), cpus=0.5, env={"a": "1"}, port=7)


def test_an_empty_table_replaces_a_full_one() -> None:
    full, empty = read_toml('env.a = "1"', "a.toml"), read_toml("env = {}", "b.toml")
    assert settle(Whole, [full]).value.env == {"a": "1"}
    assert settle(Whole, [full, empty]).value.env == {}


def test_what_nobody_has_typed_is_taken_for_what_it_looks_like() -> None:
    environment = read_environment({"ATTACCA_PART__CHOICE__OPTIONS__IDLE_S": "60"})
    assignments = read_assignments(["part.choice.options.name=lru", "part.choice.options.most=[1, 2]"])
    settled = settle(Whole, [environment, assignments])
    assert settled.value.part.choice.options == {"idle_s": 60, "name": "lru", "most": [1, 2]}


def test_a_wrong_key_is_named_with_its_place_and_a_near_one() -> None:
    assert refusal(read_environment({"ATTACCA_PART__MEMRY_MB": "1"})) == (
        "there is no setting 'part.memry_mb' (from ATTACCA_PART__MEMRY_MB) / did you mean 'part.memory_mb'?"
    )
    assert "did you mean 'part.memory_mb'?" in refusal(read_toml("memory_mb = 64", "a.toml"))
    assert "there is no setting 'port.x' (from a.toml)" in refusal(read_toml("[port]\nx = 1", "a.toml"))
    assert refusal(read_toml("zzz = 1", "a.toml")).endswith("known settings: port, public, where, cpus, env.*, part.*")
    assert refusal(read_toml("part.zzz = 1", "a.toml")).endswith("known settings: memory_mb, spare_mb, choice.*")


def test_a_wrong_value_is_named_with_its_place_and_reason() -> None:
    assert "port = 70000 is not allowed (from --port): Expected `int` <= 65535" in refusal(
        read_flags({"port": (70_000, "--port")})
    )
    assert "public = 'maybe' is not allowed (from ATTACCA_PUBLIC)" in refusal(
        read_environment({"ATTACCA_PUBLIC": "maybe"})
    )
    assert "env.a = ... is not allowed (from a.toml): Expected `str`, got `int`" in refusal(
        read_toml("env.a = 1", "a.toml")
    )


def test_values_that_do_not_go_together_are_told_so() -> None:
    message = refusal(read_toml("[part]\nspare_mb = 500", "a.toml"))
    assert "the settings do not fit together (a.toml): spare_mb must not exceed memory_mb" in message


def test_what_cannot_be_read_is_told_so() -> None:
    with pytest.raises(BadConfig, match=r"a\.toml is not valid TOML"):
        read_toml("port = ", "a.toml")
    with pytest.raises(BadConfig, match="'port' is not KEY=VALUE"):
        read_assignments(["port"])


STRANGE = (
    "1e400", "-1e400", "nan", "inf", "-inf", "9" * 5000, "0x" + "f" * 5000, "1" + "0" * 40, "[" * 5000, "{a=" * 3000,
    "true", "1_000", "\x00", "9999-99-99", "\ud800", "1e15", "-1", "", "[1e400]",
)  # fmt: skip


@given(st.sampled_from([*keys(Whole), "part", "no.such", "a" + ".a" * 3000]), st.sampled_from(STRANGE) | st.text())
def test_a_value_from_outside_is_a_setting_or_refused(key: str, text: str) -> None:
    key = key.removesuffix(".*")
    readers: list[Callable[[], Layer]] = [
        lambda: read_toml(f"{key} = {text}", "a.toml"),
        lambda: read_assignments([f"{key}={text}"]),
        lambda: read_environment({f"ATTACCA_{key.replace('.', '__')}": text}),
    ]
    for read in readers:
        try:
            settled = settle(Whole, [read()])
        except BadConfig as error:
            assert error.hint  # noqa: PT017 - either is fine
            continue
        numbers = [given.value for given in settled.origins.values() if isinstance(given.value, int | float)]
        assert all(-(10**15) <= number <= 10**15 for number in numbers)


def test_keys_name_every_setting() -> None:
    expected = ["port", "public", "where", "cpus", "env.*", "part.memory_mb", "part.spare_mb", "part.choice.policy"]
    assert keys(Whole) == [*expected, "part.choice.options.*"]


NAMES = st.sampled_from(["a", "a.b", "a.b.c", "a.d", "e", "e.f"])
LAYERS = st.lists(
    st.dictionaries(NAMES, st.builds(Given, st.integers(0, 3), st.just(FLAG), st.just("x")), max_size=3), max_size=3
)


@given(LAYERS)
def test_no_key_of_a_merge_lies_on_the_way_to_another(layers: list[Layer]) -> None:
    merged = list(merge(layers))
    assert not [(one, other) for one in merged for other in merged if other.startswith(one + ".")]


@given(LAYERS)
def test_the_last_word_on_a_key_stands_unless_a_later_one_replaced_its_table(layers: list[Layer]) -> None:
    merged = merge(layers)
    for key, given_ in merged.items():
        assert given_ == [layer[key] for layer in layers if key in layer][-1]


@given(LAYERS, LAYERS)
def test_merging_in_two_steps_is_merging_in_one(before: list[Layer], after: list[Layer]) -> None:
    assert merge([*before, *after]) == merge([merge(before), *after])


@each(
    "text", ["a = " + "[" * 500 + "]" * 500, "a = " + "[" * 20_000, ".".join("a" * 500) + " = 1", "a = " + "9" * 5000]
)
def test_what_nobody_would_write_is_no_file_of_settings(text: str) -> None:
    with pytest.raises(BadConfig):
        read_toml(text, "attacca.toml")


@pytest.mark.parametrize("text", ["[" * 20_000, "[" * 500 + "]" * 500, "9" * 5000])
def test_what_is_no_value_is_text(text: str) -> None:
    assert read_assignments([f"a={text}"])["a"].value == text


def test_what_is_no_utf8_is_refused_by_name() -> None:
    with pytest.raises(BadConfig, match=r"part\.memory_mb=.*not UTF-8"):
        read_assignments(["part.memory_mb=\udcff"])
    with pytest.raises(BadConfig, match=r"ATTACCA_PORT=.*not UTF-8"):
        read_environment({"ATTACCA_PORT": "\udcff"})
    assert read_environment({"ELSE": "\udcff"}) == {}


@each("value", [{}, [], 1.5, "a\0b"])
def test_a_path_is_a_path(value: object) -> None:
    assert "Expected a path" in refusal({"where": Given(value, FILE, "attacca.toml")})


@each("number", ["inf", "-inf", "nan", float("inf")])
def test_a_number_has_an_end(number: object) -> None:
    assert "a number with an end" in refusal({"cpus": Given(number, FLAG, "--set")})
