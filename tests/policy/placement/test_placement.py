"""What all members of the family have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.registry import build
from attacca.model.resources import Resources
from attacca.policy.placement import PLACEMENT
from attacca.policy.placement.types import Ask, NoRoom, Placed
from tests.policy.placement.machines import ASKS, FLEETS, SMALL, Facts, copies, could, made, placed

members = pytest.mark.parametrize("name", PLACEMENT)


@members
@given(fleet=FLEETS, asks=ASKS, data=st.data())
def test_the_order_of_the_workers_does_not_matter(
    name: str, fleet: list[Facts], asks: list[Ask], data: st.DataObject
) -> None:
    policy, shuffled = PLACEMENT[name](), data.draw(st.permutations(copies(fleet)))
    assert placed(made(policy, fleet), fleet, asks) == placed(made(policy, shuffled), shuffled, asks)


@members
@given(fleet=FLEETS, asks=ASKS)
def test_a_place_is_found_exactly_where_there_is_one(name: str, fleet: list[Facts], asks: list[Ask]) -> None:
    placer = made(PLACEMENT[name](), fleet)
    for ask in asks:
        fit = [worker for worker in fleet if could(worker, ask)]
        answer = placer.place(0.0, ask)
        assert answer.why
        if isinstance(answer, NoRoom):
            assert not fit
        else:
            chosen = next(worker for worker in fit if worker.name == answer.worker)
            chosen.reserved += ask.resources


@members
@given(fleet=FLEETS, asks=ASKS, data=st.data())
def test_nobody_who_left_is_chosen(name: str, fleet: list[Facts], asks: list[Ask], data: st.DataObject) -> None:
    placer = made(PLACEMENT[name](), fleet)
    placed(placer, fleet, asks)
    rest = data.draw(st.lists(st.sampled_from(fleet), unique_by=lambda one: one.name)) if fleet else []
    placer.among(rest)
    assert set(placed(placer, rest, asks)) <= {worker.name for worker in rest} | {""}


@members
def test_where_nobody_has_room_it_is_said_what_was_wanted(name: str) -> None:
    full = [Facts("a", Resources(100)), Facts("b", is_cordoned=True), Facts("c")]
    ask = Ask("f", Resources(128, cpus=0.5), avoid=("c",))
    placer = made(build(PLACEMENT, name, {}, "attacca.policy.placement"), full)
    assert placer.place(0.0, ask) == NoRoom(
        "none of 3 workers has 128 MB and 0.5 cpus free, 1 cordoned, 1 to be avoided"
    )
    placer.among([])
    assert placer.place(0.0, SMALL) == NoRoom("there is no worker")


@pytest.mark.long
@members
def test_it_goes_on_where_there_is_room(name: str) -> None:
    fleet = [Facts(f"w{number:03}", Resources(128)) for number in range(100)]
    assert sorted(placed(made(PLACEMENT[name](), fleet), fleet, [SMALL] * 100)) == [worker.name for worker in fleet]
    assert isinstance(made(PLACEMENT[name](), [Facts("a")]).place(0.0, SMALL), Placed)
