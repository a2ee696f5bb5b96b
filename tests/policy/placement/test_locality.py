from hypothesis import given

from attacca.model.resources import Resources
from attacca.policy.placement.locality import Locality
from attacca.policy.placement.types import Ask, Near, Placed
from tests.policy.placement.machines import ASKS, FLEETS, SMALL, Facts, could, made

WHOLE = Resources(1000)


def place(fleet: list[Facts], near: dict[str, Near], policy: Locality = Locality(most_share=0.9)) -> object:  # noqa: B008
    return made(policy, fleet).place(0.0, Ask("f", Resources(100), near=near))


def test_a_template_before_code_and_code_before_nothing() -> None:
    fleet = [Facts(name, WHOLE) for name in "abc"]
    assert place(fleet, {"a": Near.CODE, "b": Near.TEMPLATE}) == Placed("b", "has a template of it")
    assert place(fleet, {"a": Near.CODE, "b": Near.NOTHING}) == Placed("a", "has its code")


def test_of_equals_the_emptier_and_then_the_smaller_name() -> None:
    fleet = [Facts("a", WHOLE, Resources(300)), Facts("b", WHOLE), Facts("c", WHOLE)]
    assert place(fleet, dict.fromkeys("cba", Near.CODE)) == Placed("b", "has its code")


def test_who_would_be_too_full_is_left_alone_while_others_have_room() -> None:
    fleet = [Facts("a", WHOLE, Resources(850)), Facts("b", WHOLE)]
    assert place(fleet, {"a": Near.TEMPLATE, "b": Near.CODE}) == Placed("b", "has its code")
    assert place(fleet, {"a": Near.TEMPLATE}, Locality(most_share=1.0)) == Placed("a", "has a template of it")
    full = [Facts("a", WHOLE, Resources(850))]
    assert place(full, {"a": Near.TEMPLATE}) == Placed("a", "nobody near has room: emptier of two")


@given(FLEETS, ASKS)
def test_nobody_nearer_had_room(fleet: list[Facts], asks: list[Ask]) -> None:
    placer = made(Locality(most_share=1.0), fleet)
    for ask in asks or [SMALL]:
        answer = placer.place(0.0, ask)
        if isinstance(answer, Placed):
            fit = [ask.near.get(one.name, Near.NOTHING) for one in fleet if could(one, ask)]
            assert ask.near.get(answer.worker, Near.NOTHING) == max(fit)
