"""In whose file system each sandbox is born."""

from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.process.homes import NONE, REST_S, Homes
from attacca.worker.runtime.process.zygote.spawn_spec import NEW_HOME

MOST = 3
STEPS = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(("take", "ready", "end", "rest"))), max_size=40)


class Sandbox:
    def __init__(self, what: str) -> None:
        self.what, self.is_ready, self.word = what, False, NONE


def born(homes: Homes, what: str, now: float = 0.0, *, is_ready: bool = True) -> int:
    sandbox = Sandbox(what)
    sandbox.word = homes.take(what, sandbox, now)
    sandbox.is_ready = is_ready
    return sandbox.word


@given(STEPS)
def test_nobody_is_born_but_where_one_that_saw_the_same_was_ready(steps: list[tuple[str, str]]) -> None:
    homes, now = Homes(MOST), 0.0
    alive: list[Sandbox] = []
    held: dict[int, Sandbox] = {}  # as the zygote has it: who founded each
    for what, step in steps:
        if step == "take":
            sandbox = Sandbox(what)
            word = sandbox.word = homes.take(what, sandbox, now)
            number = word & ~NEW_HOME
            assert 0 <= number <= MOST
            if word & NEW_HOME:
                assert number != NONE
                held[number] = sandbox
            elif word != NONE:
                assert held[number].what == what
                assert held[number].is_ready, "who founded it has left it"
            alive.append(sandbox)
        elif step == "rest":
            now += REST_S
            for number in homes.rested(now):
                assert held.pop(number).is_ready
        elif mine := [one for one in alive if one.what == what]:
            if step == "ready":
                mine[0].is_ready = True
            else:
                alive.remove(mine[0])
                homes.leave(mine[0].word, mine[0])
    homes.forget()
    assert len(homes) == 0
    assert {born(homes, f"x{number}") & ~NEW_HOME for number in range(MOST)} == set(range(1, MOST + 1)), "none is lost"
    assert repr(homes) == f"<Homes {MOST} of {MOST}>"


def test_the_first_founds_one_and_those_after_it_are_born_there_once_it_is_ready() -> None:
    homes, founder = Homes(1), Sandbox("a")
    assert homes.take("a", founder, 0.0) == 1 | NEW_HOME
    assert homes.take("a", Sandbox("a"), 0.0) == NONE, "nobody knows how far it has come"
    assert homes.take("b", Sandbox("b"), 0.0) == NONE, "and there is no other"
    founder.is_ready = True
    assert born(homes, "a") == 1
    homes.leave(1 | NEW_HOME, founder)
    assert born(homes, "a") == 1, "it is there without who founded it"
    assert born(homes, "b") == 1 | NEW_HOME, "the longest unused makes room"
    assert born(homes, "a") == 1 | NEW_HOME


def test_where_one_came_to_nothing_none_is_born() -> None:
    homes = Homes(1)
    failed = Sandbox("a")
    homes.leave(homes.take("a", failed, 0.0), failed)
    born(homes, "a")
    late = Sandbox("a")
    assert homes.take("a", late, 0.0) == 1
    homes.leave(1 | NEW_HOME, failed)
    assert len(homes) == 1, "that was another one of the same number"
    homes.leave(1, late)
    assert len(homes) == 0


def test_one_that_nobody_is_born_in_is_let_go_of() -> None:
    homes = Homes()
    first, second = born(homes, "a", 0.0), born(homes, "b", 1.0)
    born(homes, "c", 0.0, is_ready=False)
    assert homes.rested(REST_S) == [first & ~NEW_HOME]
    assert homes.rested(REST_S + 1.0) == [second & ~NEW_HOME]
    assert homes.rested(10 * REST_S) == [], "of the third, nobody knows how far it has come"
