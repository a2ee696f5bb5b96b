"""Who is which user."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.users import Users

COUNT = 4
STEPS = st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=60)


@given(STEPS)
def test_a_function_is_one_user_as_long_as_anything_of_it_lives_and_no_two_are_the_same(
    steps: list[tuple[str, bool]],
) -> None:
    users = Users(COUNT)
    held: Counter[str] = Counter()
    number: dict[str, int] = {}
    for function, gives in steps:
        if gives and held[function]:
            users.give(function)
            held[function] -= 1
        elif not gives:
            one = users.take(function)
            assert 0 <= one < COUNT
            assert not held[function] or one == number[function]
            held[function] += 1
            number[function] = one
        own = [number[name] for name in held if held[name] and number[name]]
        assert len(own) == len(set(own)), "each its own"
    for function, count in held.items():
        for _ in range(count):
            users.give(function)
    assert repr(users) == f"<Users 0 taken, {COUNT - 1} free>"


def test_a_number_is_given_out_again_as_late_as_possible() -> None:
    users = Users(COUNT)
    assert users.take("a") == 1
    users.give("a")
    assert [users.take(name) for name in "bcd"] == [2, 3, 1]


def test_whoever_comes_when_all_are_taken_has_none_of_its_own() -> None:
    users = Users(2)
    assert users.take("a") == 1
    assert users.take("b") == 0
    users.give("a")
    assert users.take("b") == 0, "as what lives of it already"
    assert users.take("c") == 1
    users.give("b")
    users.give("b")
    assert repr(users) == "<Users 1 taken, 0 free>"


def test_where_there_is_nothing_to_choose_from_all_are_the_same() -> None:
    users = Users(1)
    assert [users.take(name) for name in "aab"] == [0, 0, 0]
    users.give("nobody")
    assert repr(users) == "<Users 2 taken, 0 free>"
