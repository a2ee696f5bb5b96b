"""Intents from outside: read by the letter, and judged by what the domain is."""

from collections.abc import Sequence

import msgspec
import pytest

from attacca.errors import BadRequest
from attacca.workflow.core.intents import Cordon, Intent, Migrate, Plan, Uncordon, Verdict, judge, read
from attacca.workflow.core.state import ComponentState, DomainState, InstanceState, NodeState
from tests.cases import each

LID, NODE = "10000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
READ: list[tuple[bytes, bytes, Intent]] = [
    (b"intent:migrate:%b" % LID.encode(), NODE.encode(), Migrate(component=LID, to=(NODE,))),
    (b"intent:migrate:w1.a", b"n2, n3,,", Migrate(component="w1.a", to=("n2", "n3"))),
    (b"intent:cordon:n2", b"yes", Cordon(node="n2")),
    (b"intent:cordon:%b" % NODE.encode(), b"no", Uncordon(node=NODE)),
]
REFUSED: list[tuple[bytes, bytes | None, str]] = [
    (b"", b"n2", "is no intent"),
    (b"intent", b"n2", "is no intent"),
    (b"intent:migrate", b"n2", "is no intent"),
    (b"intent:migrate:", b"n2", "is no intent"),
    (b"intent:migrate:a:b", b"n2", "is no intent"),
    (b"intents:migrate:a", b"n2", "is no intent"),
    (b"\xff\xfe", b"n2", "is no intent"),
    (b"intent:migrate:" + b"a" * 10_000, b"n2", "is no intent"),
    (b"intent:scale:a", b"n2", "there is no intent 'scale'"),
    (b"intent:migrate:a", None, "has no value"),
    (b"intent:migrate:a", b"", "is to go to 0 nodes"),
    (b"intent:migrate:a", b", ,", "is to go to 0 nodes"),
    (b"intent:migrate:a", b"n," * 65, "is to go to 65 nodes"),
    (b"intent:migrate:a", b"n" * 100_000, "has 100000 bytes"),
    (b"intent:migrate:a", b"n" * 301, "is to go to 1 nodes"),
    (b"intent:cordon:n2", b"maybe", "the cordon of 'n2' is 'maybe'"),
    (b"intent:cordon:n2", b"\xff", "the cordon of 'n2'"),
]


@each("key, value, intent", READ)
def test_they_are_read_as_they_are_written(key: bytes, value: bytes, intent: Intent) -> None:
    assert read(key, value) == intent


def test_what_is_none_is_refused_with_why() -> None:
    for key, value, why in REFUSED:
        with pytest.raises(BadRequest) as caught:
            read(key, value)
        assert why in caught.value.message, (key, value)
        assert caught.value.hint


def node(name: str, *, is_cordoned: bool = False) -> NodeState:
    return NodeState(
        name=name, id=f"id-{name}", is_cordoned=is_cordoned, cores=1, memory_mb=1000, reserved_mb=0, labels=()
    )


def component(name: str, *places: str) -> ComponentState:
    instances = tuple(InstanceState(name=f"w1.{name}.1", id="p", node=place, is_up=True) for place in places)
    return ComponentState(
        name=f"w1.{name}", id=f"id-{name}", workflow="w1", workflow_name="demo", workflow_id="x",
        component=name, memory_mb=128, outputs={},
        instances=instances,
    )  # fmt: skip


STATE = DomainState(
    domain="home",
    nodes=(node("n1"), node("n2"), node("n3", is_cordoned=True)),
    components=(component("a", "n1"), component("b", "n2"), component("c")),
)


def fits(component: str, node: str, beside: Sequence[str]) -> str:
    return "it has no room" if (component, node) == ("w1.b", "n1") or "w1.b" in beside else ""


def judged(*intents: Intent) -> list[tuple[str, str, str]]:
    return [(one.outcome, one.node, one.why) for one in judge(STATE, intents, fits)]


def test_the_first_node_that_can_have_it_gets_it() -> None:
    assert judge(STATE, [Migrate(component="id-a", to=("n9", "n3", "id-n2", "n1"))], fits) == [
        Verdict(
            outcome="do", component="w1.a", node="n2",
            intent=Migrate(component="id-a", to=("n9", "n3", "id-n2", "n1")),
            why="w1.a goes from n1 to n2; there is no node 'n9'; n3 is cordoned",
        )
    ]  # fmt: skip


def test_what_cannot_be_is_refused() -> None:
    assert judged(
        Migrate(component="w1.z", to=("n1",)),
        Migrate(component="w1.c", to=("n1",)),
        Migrate(component="w1.b", to=("n1", "n3", "n9")),
        Cordon(node="n9"),
    ) == [
        ("refused", "", "there is no component 'w1.z'"),
        ("refused", "", "w1.c runs nowhere now"),
        ("refused", "", "n1: it has no room; n3 is cordoned; there is no node 'n9'"),
        ("refused", "", "there is no node 'n9'"),
    ]


def test_what_is_so_already_is_nothing() -> None:
    assert judged(Migrate(component="w1.a", to=("n1", "n2")), Cordon(node="n3"), Uncordon(node="id-n1")) == [
        ("nothing", "n1", "w1.a is on n1 already"),
        ("nothing", "n3", "n3 is cordoned already"),
        ("nothing", "n1", "n1 is not cordoned"),
    ]


def test_each_is_judged_as_if_those_before_it_had_been_obeyed() -> None:
    intents = (
        Cordon(node="n2"), Migrate(component="w1.a", to=("n2",)), Uncordon(node="n3"), Uncordon(node="n2"),
        Migrate(component="w1.a", to=("n3",)), Migrate(component="w1.a", to=("n1",)),
    )  # fmt: skip
    assert [(outcome, name) for outcome, name, _ in judged(*intents)] == [
        ("do", "n2"), ("refused", ""), ("do", "n3"), ("do", "n2"), ("do", "n3"), ("do", "n1"),
    ]  # fmt: skip


def test_who_goes_there_as_well_takes_room() -> None:
    state = msgspec.structs.replace(STATE, components=(component("a", "n1"), component("b", "n1", "n2")))
    plan = Plan(state, fits)
    assert repr(plan) == "<Plan 0 moves, 1 of 3 nodes cordoned>"
    told = [plan.judge(Migrate(component=name, to=("n2",))) for name in ("w1.b", "w1.a")]
    assert [one.why for one in told] == ["w1.b goes from n1, n2 to n2", "n2: it has no room"]
    assert repr(plan) == "<Plan 1 moves, 1 of 3 nodes cordoned>"
