"""Every way to choose a policy, and every way to get it wrong."""

from importlib.metadata import EntryPoint, EntryPoints
from typing import Annotated, Protocol

import msgspec
import pytest

from attacca.errors import BadConfig
from attacca.kernel import registry


class Greeting(Protocol):
    def greet(self) -> str: ...


class Loud(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    marks: Annotated[int, msgspec.Meta(ge=1)] = 1

    def greet(self) -> str:
        return self._word() + "!" * self.marks

    def _word(self) -> str:
        return "hello"


class Shy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    def greet(self) -> str:
        return self._word()

    def _word(self) -> str:
        return "..."

    def hide(self) -> None: ...


class Brief(msgspec.Struct, frozen=True):
    def greet(self) -> str:
        return "hm"


class Mute(msgspec.Struct, frozen=True):
    pass


class Plain:
    def greet(self) -> str:
        return ""


GREETINGS: dict[str, type[Greeting]] = {"loud": Loud, "shy": Shy}
GROUP = "attacca.policy.greeting"


def build(choice: str, **options: object) -> Greeting:
    return registry.build(GREETINGS, choice, options, GROUP)


def test_a_built_in_policy_is_made_with_its_options() -> None:
    assert build("loud", marks=3).greet() == "hello!!!"
    assert build("shy").greet() == "..."


def test_one_from_elsewhere_is_named_as_module_and_class() -> None:
    assert build(f"{__name__}:Loud", marks=2) == Loud(2)


def test_a_stranger_need_not_have_what_its_family_keeps_to_itself() -> None:
    assert build(f"{__name__}:Brief").greet() == "hm"


def test_one_that_is_installed_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = EntryPoints(
        [
            EntryPoint("roar", f"{__name__}:Loud", GROUP),
            EntryPoint("loud", "nowhere:Else", GROUP),
            EntryPoint("lost", "nowhere:Else", GROUP),
        ]
    )
    monkeypatch.setattr(registry, "entry_points", lambda *, group: installed.select(group=group))
    assert build("roar", marks=5) == Loud(5)
    assert build("loud") == Loud(), "a built-in name cannot be taken over"
    with pytest.raises(BadConfig, match="greeting policy 'lost' cannot be loaded: No module named 'nowhere'"):
        build("lost")
    with pytest.raises(BadConfig) as refused:
        build("rore")
    assert "known: lost, loud, roar, shy;" in refused.value.hint


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BadConfig, match="no greeting policy is called 'lout'") as refused:
        build("lout")
    assert refused.value.hint == "known: loud, shy; or name your own as module:Class"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"marcs": 2}, "unknown field `marcs`"),
        ({"marks": "2"}, r"Expected `int`, got `str` - at `\$.marks`"),
        ({"marks": 0}, r"Expected `int` >= 1 - at `\$.marks`"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(BadConfig, match=f"greeting policy 'loud': .*{words}") as refused:
        build("loud", **options)
    assert refused.value.hint == "its options: marks"


def test_an_option_for_a_policy_without_options_is_refused() -> None:
    with pytest.raises(BadConfig, match="unknown field `marks`") as refused:
        build("shy", marks=1)
    assert refused.value.hint == "it has no options"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("no_such_module:Loud", "cannot be loaded: No module named 'no_such_module'"),
        (f"{__name__}:Lout", "cannot be loaded: .*has no attribute 'Lout'"),
        (":Loud", "cannot be loaded"),
        (f"{__name__}:GROUP", "is not a policy class"),
        (f"{__name__}:Plain", "is not a policy class"),
        (f"{__name__}:Mute", "lacks greet"),
    ],
)
def test_a_stranger_that_cannot_serve_is_refused_at_once(choice: str, words: str) -> None:
    with pytest.raises(BadConfig, match=f"greeting policy '{choice}' .*{words}") as refused:
        build(choice)
    assert refused.value.hint
