import pytest

from attacca.errors import BadConfig
from attacca.kernel.protocol import check, does_nothing, heeds, takes
from tests.cases import each

WANTED = {"go": ("now", "where"), "name": None}


class Whole:
    name = "whole"

    def go(self, now: float, where: str, *, fast: bool = False) -> None: ...


class Wide(Whole):
    def go(self, *_: object) -> None: ...  # type: ignore[override]


class Narrow(Whole):
    def go(self, now: float) -> None: ...  # type: ignore[override]


class Greedy(Whole):
    def go(self, now: float, where: str, why: str) -> None: ...  # type: ignore[override]


class Woken(Whole):
    def woke(self) -> None: ...


class Idle(Whole):
    @does_nothing
    def go(self, now: float, where: str, *, fast: bool = False) -> None: ...


class Busy(Idle):
    def go(self, now: float, where: str, *, fast: bool = False) -> None:
        """It does something, for all that is known."""


class Empty: ...


def test_who_does_nothing_says_so_and_its_heirs_may_say_otherwise() -> None:
    assert [heeds(made, "go") for made in (Whole(), Idle(), Busy())] == [True, False, True]
    check(Idle(), WANTED, {}, "a policy", "")


@pytest.mark.parametrize("made", [Whole(), Wide()])
def test_what_has_all_that_is_asked_for_is_taken(made: object) -> None:
    check(made, WANTED, {"woke": ("now",)}, "a policy", "")


@each(
    "made, words",
    [
        (Empty(), r"Empty lacks go\(now, where\), name"),
        (None, r"what it makes lacks go\(now, where\), name"),
        (Narrow(), r"Narrow cannot be called as go\(now, where\)"),
        (Greedy(), r"Greedy cannot be called as go\(now, where\)"),
        (Woken(), r"Woken cannot be called as woke\(now\)"),
    ],
)
def test_what_is_missing_is_named_with_what_it_is_called_with(made: object, words: str) -> None:
    with pytest.raises(BadConfig, match=f"a policy: {words}"):
        check(made, WANTED, {"woke": ("now",)}, "a policy", "")


def test_what_does_not_tell_is_believed() -> None:
    assert takes(type, "__call__", 3)
    assert not takes(Whole(), "name", 0)
