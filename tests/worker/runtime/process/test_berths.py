"""Who lives in which network, and after whom."""

from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.berths import OWN, Berths
from attacca.worker.runtime.process.zygote.spawn_spec import NEW_NETWORK

MOST = 3
STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(("take", "give", "lose"))), max_size=40)


@given(STEPS)
def test_no_two_live_in_one_network_and_one_that_is_not_new_was_the_functions_own(steps: list[tuple[str, str]]) -> None:
    berths = Berths(MOST)
    alive: list[tuple[str, int]] = []
    last: dict[int, str] = {}  # who was seen to end in each
    for function, what in steps:
        if what == "take":
            word = berths.take(function)
            number = word & ~NEW_NETWORK
            if word == OWN:
                assert len(alive) >= MOST, "as long as there is one, it is given"
            else:
                assert 1 <= number <= MOST
                assert number not in [one & ~NEW_NETWORK for _, one in alive]
                assert word & NEW_NETWORK or last[number] == function
                last.pop(number, None)
            alive.append((function, word))
        elif mine := [one for one in alive if one[0] == function]:
            alive.remove(mine[0])
            berths.give(mine[0][1], is_over=what == "give")
            if what == "give":
                last[mine[0][1] & ~NEW_NETWORK] = function
    for _, word in alive:
        berths.give(word, is_over=True)
    taken = {berths.take("d") & ~NEW_NETWORK for _ in range(MOST)}
    assert taken == set(range(1, MOST + 1)), "none is lost"
    assert repr(berths) == f"<Berths {MOST} taken, 0 free>"


def test_a_function_has_the_network_that_it_had_last_and_takes_that_which_rested_longest() -> None:
    berths = Berths(2)
    first, second = berths.take("a"), berths.take("b")
    assert (first, second) == (1 | NEW_NETWORK, 2 | NEW_NETWORK)
    assert berths.take("a") == OWN
    for word in (second, first, OWN):
        berths.give(word, is_over=True)
    assert berths.take("c") == second, "which has rested longest, and is made new"
    assert berths.take("a") == 1
