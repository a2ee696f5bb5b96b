"""Laws of shared buffers: bounded, fair to owners, and nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.budget import Budget

STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.booleans()), max_size=40)


@given(STEPS)
def test_no_more_is_held_than_there_is_and_than_an_owner_may(steps: list[tuple[str, int, bool]]) -> None:
    budget = Budget(12, 8)
    taken: list[tuple[str, int]] = []
    for owner, size, gives in steps:
        if gives and taken:
            budget.give(*taken.pop(0))
        elif budget.take(owner, size):
            taken.append((owner, size))
        assert budget.held == sum(size for _, size in taken) <= 12
        for name in "abc":
            assert budget.of(name) == sum(size for owner, size in taken if owner == name) <= 8
    for owner, size in taken:
        budget.give(owner, size)
    assert repr(budget) == "<Budget 0 of 12, 0 owners, 0 waiting>"


@given(STEPS)
def test_whoever_waits_is_granted_in_the_end_and_once(steps: list[tuple[str, int, bool]]) -> None:
    budget = Budget(12, 8)
    granted: list[int] = []
    held: list[tuple[str, int]] = []
    for number, (owner, size, _) in enumerate(steps):

        def take(number: int = number, owner: str = owner, size: int = size) -> None:
            granted.append(number)
            held.append((owner, size))

        if budget.take(owner, size):
            take()
        else:
            budget.wait(owner, size, take)
    while held:
        budget.give(*held.pop(0))
    assert sorted(granted) == list(range(len(steps)))


def test_an_owner_that_waits_does_not_keep_others_waiting() -> None:
    budget, granted = Budget(10, 6), list[str]()
    assert budget.take("a", 6)
    assert budget.take("b", 2)
    budget.wait("a", 4, lambda: granted.append("a"))
    budget.wait("b", 4, lambda: granted.append("b"))
    budget.give("b", 2)
    assert granted == ["b"]
    budget.give("a", 6)
    assert granted == ["b", "a"]


def test_what_was_withdrawn_is_not_granted() -> None:
    budget, granted = Budget(4, 4), list[str]()
    assert budget.take("a", 4)
    budget.withdraw(budget.wait("b", 4, lambda: granted.append("b")))
    budget.give("a", 4)
    assert granted == []


def test_more_than_a_share_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="share of 4"):
        Budget(8, 4).wait("a", 5, lambda: None)
