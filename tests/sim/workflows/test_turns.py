import pytest

from attacca.sim.workflows.turns import Turns

FIRST, NEXT, TO, FOLLOWER = "w-1.first.1", "w-1.first.2", "w-1.last.1", "w-1.last.2"


@pytest.mark.parametrize(
    ("fallen", "handled", "broken"),
    [
        ((), [(TO, FIRST, 1), (TO, FIRST, 2), (TO, NEXT, 3)], 0),
        ((), [(TO, FIRST, 2), (TO, FIRST, 1)], 1),
        ((), [(TO, FIRST, 1), (TO, FIRST, 1)], 1),
        ((), [(TO, FIRST, 2), ("w-2.last.1", FIRST, 1)], 0),
        ((), [(TO, NEXT, 2), (TO, FIRST, 1)], 1),
        ((FIRST,), [(TO, NEXT, 2), (TO, FIRST, 1)], 1),
        ((TO,), [(TO, NEXT, 2), (FOLLOWER, FIRST, 1)], 1),
        ((FIRST, TO), [(TO, NEXT, 2), (FOLLOWER, FIRST, 1)], 0),
        ((FIRST, TO), [(TO, FIRST, 2), (FOLLOWER, FIRST, 1)], 1),
        ((FIRST, TO), [(TO, NEXT, 3), (FOLLOWER, FIRST, 1), (FOLLOWER, NEXT, 2)], 1),
    ],
)
def test_who_crashed_may_be_heard_behind_its_successor_by_that_of_another_that_did(
    fallen: tuple[str, ...], handled: list[tuple[str, str, int]], broken: int
) -> None:
    turns = Turns()
    for instance in fallen:
        turns.fell(instance)
    for instance, sender, turn in handled:
        turns.handled(instance, sender, turn)
    assert turns.broken == broken
    assert repr(turns).endswith(f" pairs, {broken} broken>")
