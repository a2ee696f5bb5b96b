from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from attacca.policy.scaling.spread import Spread, Steps

WANTED = st.lists(st.integers(0, 9), max_size=8)
NOW, EVERY = 100, 3  # ticks


def planned(spread: Spread, there: int, wanted: list[int]) -> Steps:
    return spread.plan(NOW, there, [(NOW + EVERY * at, count) for at, count in enumerate(wanted)])


def counts(there: int, steps: Steps, until: int) -> list[int]:
    return [there + sum(change for at, change in steps if at <= tick) for tick in range(NOW, until)]


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 6), WANTED), max_size=4))
def test_nobody_has_less_than_wanted_and_ticks_are_not_overfull(limit: int, plans: list[tuple[int, list[int]]]) -> None:
    spread = Spread(limit)
    rises: Counter[int] = Counter()
    falls: Counter[int] = Counter()
    for there, wanted in plans:
        steps = planned(spread, there, wanted)
        until = max([NOW, *(at for at, _ in steps)]) + EVERY * len(wanted) + 1
        had = counts(there, steps, until)
        asked = [wanted[min(at // EVERY, len(wanted) - 1)] if wanted else 0 for at in range(until - NOW)]
        assert all(count >= least for count, least in zip(had, asked, strict=True))
        assert had[-1] == (wanted[-1] if wanted else there)
        for at, change in steps:
            (rises if change > 0 else falls)[at] += abs(change)
    assert all(count <= limit for at, count in rises.items() if at > NOW)
    assert all(count <= limit for count in falls.values())


@given(st.integers(1, 4), st.integers(0, 6), WANTED, WANTED)
def test_what_is_withdrawn_leaves_nothing_behind(limit: int, there: int, first: list[int], second: list[int]) -> None:
    spread, fresh = Spread(limit), Spread(limit)
    spread.withdraw(planned(spread, there, first))
    assert repr(spread) == "<Spread 0 up, 0 down>"
    assert planned(spread, there, second) == planned(fresh, there, second)


@given(st.integers(1, 4), WANTED)
def test_of_one_function_it_is_dirigents_pass_backward(limit: int, wanted: list[int]) -> None:
    """For i = N-1 ... 1: of what rises in i, so many stay, and the rest moves to i-1."""
    rises = [0] * (EVERY * len(wanted))
    for at, (before, count) in enumerate(zip([0, *wanted], wanted, strict=False)):
        rises[EVERY * at] = max(0, count - before)
    for at in range(len(rises) - 1, 0, -1):
        rises[at - 1] += max(0, rises[at] - limit)
        rises[at] = min(rises[at], limit)
    steps = planned(Spread(limit), 0, wanted)
    assert {at - NOW: change for at, change in steps if change > 0} == {
        at: rise for at, rise in enumerate(rises) if rise
    }


def test_books_that_are_over_are_left_behind() -> None:
    spread = Spread(1)
    for at in range(0, 9000, 2):
        spread.plan(at, 0, [(at, 1)])
    assert len(spread._rises) < 5000
