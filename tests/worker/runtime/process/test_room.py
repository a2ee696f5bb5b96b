"""One link's part of what is held for all."""

import pytest

from attacca.kernel.budget import Budget
from attacca.worker.runtime.process.room import Share


def never() -> None:
    raise AssertionError("nobody waits")


def test_what_is_taken_is_given_back() -> None:
    budget = Budget(100, 60)
    share = Share(budget, "f")
    assert share.take(60, never)
    assert budget.of("f") == 60
    share.give(60)
    assert budget.held == 0
    assert repr(share) == "<Share of f>"


def test_who_waits_is_told_when_there_is_room_and_has_it_then() -> None:
    budget, granted = Budget(100, 60), list[int]()
    first, second = Share(budget, "f"), Share(budget, "f")
    assert first.take(50, never)
    assert not second.take(20, lambda: granted.append(budget.of("f")))
    assert repr(second) == "<Share of f, waiting>"
    first.give(50)
    assert granted == [20]
    assert repr(second) == "<Share of f>"
    second.give(20)
    assert budget.held == 0


def test_who_lets_go_while_it_waits_gives_back_nothing_and_is_not_asked() -> None:
    budget = Budget(100, 60)
    first, second = Share(budget, "f"), Share(budget, "f")
    assert first.take(50, never)
    assert not second.take(20, never)
    second.give(20)
    assert (budget.of("f"), repr(second)) == (50, "<Share of f>")
    first.give(50)
    assert budget.held == 0


def test_one_function_does_not_take_anothers() -> None:
    budget = Budget(100, 60)
    assert Share(budget, "f").take(60, never)
    assert not Share(budget, "f").take(1, never)
    assert Share(budget, "g").take(40, never)


def test_what_no_owner_can_ever_have_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one owner's share"):
        Share(Budget(100, 60), "f").take(61, never)
