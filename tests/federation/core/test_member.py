"""A domain and its federation: what it is told, what it has its orchestrator do, and what it says of it."""

from typing import Any

from attacca.errors import BadFunction, NoCapacity
from attacca.federation.core.member import (
    Beat,
    Begin,
    Begun,
    Bring,
    Brought,
    Drop,
    Durable,
    End,
    Joined,
    Let,
    MemberCommand,
    MemberCore,
    Over,
    Say,
)
from attacca.model.federation import (
    BeginWorkflow,
    DomainJoined,
    DomainSeen,
    DomainSummary,
    EndWorkflow,
    LeftKept,
    StateCopied,
    StateTaken,
    WorkflowBegun,
    WorkflowEnded,
    WorkflowRefused,
)
from attacca.model.workflow import WorkflowSpec
from attacca.workflow.core.events import LeftTaken, StartAsked, StopAsked
from tests.workflow.core.stage import Stage, function, syncs
from tests.workflow.core.test_moving import quiet

SPEC = WorkflowSpec(name="demo", components=(function("only"),))
FIRST = BeginWorkflow("f1", 1, SPEC, 0.0)
SECOND = BeginWorkflow("f1", 2, SPEC, 0.0)


class Home:
    def __init__(self) -> None:
        self.stage = Stage(quiet)
        self.core = MemberCore("home", self.stage.core, lambda one: one.view().instances, DomainSummary)

    def has(self, order: BeginWorkflow) -> Any:
        """As its orchestrator begins it."""
        self.stage.tell(StartAsked("x", order.spec, order.at, order.workflow, order.epoch, order.left))
        self.stage.play(1.0)
        return self.stage.replies["x"]


def said(commands: list[MemberCommand]) -> list[Any]:
    return [one.message for one in commands if isinstance(one, Say)]


def test_code_is_brought_and_then_it_begins_once() -> None:
    home = Home()
    assert home.core.handle(FIRST) == [Bring(FIRST)]
    assert home.core.handle(FIRST) == [], "it says how that went"
    assert home.core.handle(Brought(FIRST)) == [Begin(FIRST)]
    (told,) = said(home.core.handle(Joined()))
    assert (told.hosted, told.ended) == ((), ())
    view = home.has(FIRST)
    assert home.core.handle(Begun(FIRST, view)) == [Say(WorkflowBegun("home", "f1", 1, view.instances))]
    assert said(home.core.handle(FIRST)) == [WorkflowBegun("home", "f1", 1, view.instances)], "it is there"


def test_what_cannot_be_brought_or_begun_is_refused() -> None:
    home, error = Home(), BadFunction("there is no such code", "send it")
    home.core.handle(FIRST)
    (told,) = said(home.core.handle(Brought(FIRST, error)))
    assert isinstance(told, WorkflowRefused)
    assert (told.epoch, told.error.code, told.error.message) == (1, "bad_function", "there is no such code")
    home.core.handle(SECOND)
    home.core.handle(Brought(SECOND))
    (told,) = said(home.core.handle(Begun(SECOND, NoCapacity("it is full"))))
    assert (told.epoch, told.error.code) == (2, "no_capacity")


def test_a_later_epoch_takes_the_place_of_one_that_is_being_brought_or_is_there() -> None:
    home = Home()
    home.core.handle(FIRST)
    assert home.core.handle(SECOND) == [Drop("f1"), Bring(SECOND)]
    assert home.core.handle(Brought(FIRST)) == [], "nobody wants it"
    home.has(SECOND)
    third = BeginWorkflow("f1", 3, SPEC, 0.0)
    end = End("f1", 3, is_before=True)
    assert home.core.handle(third) == [Drop("f1"), end]
    home.stage.stop("f1")
    assert home.core.handle(Over(end, None)) == [Bring(third)]


def test_what_is_being_brought_is_ended_before_it_begins() -> None:
    home = Home()
    home.core.handle(FIRST)
    assert home.core.handle(EndWorkflow("f1", 1, "it was asked for")) == [
        Drop("f1"), Say(WorkflowEnded("home", "f1", 1)),
    ]  # fmt: skip
    assert home.core.handle(Brought(FIRST)) == []


def test_what_it_leaves_is_said_until_that_is_kept() -> None:
    home = Home()
    home.has(FIRST)
    assert said(home.core.handle(EndWorkflow("f1", 0, "of before"))) == [WorkflowEnded("home", "f1", 0)]
    (end,) = home.core.handle(EndWorkflow("f1", 1, "it moves", hands_over=True))
    assert end == End("f1", 1, hands_over=True)
    home.stage.tell(StopAsked("over", "f1", hands_over=True))
    home.stage.play(10.0)
    outcome = home.stage.replies["over"]
    left = WorkflowEnded("home", "f1", 1, outcome.left)
    assert said(home.core.handle(Over(end, outcome))) == [left]
    for _ in range(2):
        (told,) = said(home.core.handle(Joined()))
        assert told == DomainJoined("home", DomainSummary(), (), (left,))
    assert said(home.core.handle(EndWorkflow("f1", 1, "it moves", hands_over=True))) == [left], "asked for again"
    assert home.core.handle(LeftKept("f1", 1)) == [Let("f1", 1)]
    home.stage.tell(LeftTaken("f1", 1))
    (told,) = said(home.core.handle(Joined()))
    assert told.ended == ()


def test_states_are_copied_one_after_the_other_and_rows_as_they_change() -> None:
    home = Home()
    home.has(FIRST)
    key, (instance, node) = "workflow-states/f1/only", home.stage.at("f1", "only")
    for state in (b"1", b"2", b"3"):
        syncs(home.stage.nodes[node], instance, state)
    copies = [said(home.core.handle(event)) for event in (Durable(key), Durable(key), StateTaken("f1", "only", 3))]
    assert [len(told) for told in copies] == [1, 0, 1]
    assert isinstance(copies[0][0], StateCopied)
    assert copies[0][0].left.state == b"3"
    assert home.core.handle(StateTaken("f1", "only", 3)) == []
    assert home.core.handle(Durable("workflow-states/f2/only")) == [], "of no workflow that is here"
    seen = [said(home.core.handle(Beat()))[0] for _ in range(2)]
    assert [isinstance(one, DomainSeen) and len(one.rows) for one in seen] == [1, 0]
    joined, copied = said(home.core.handle(Joined()))
    assert [one.workflow for one in joined.hosted] == ["f1"]
    assert isinstance(copied, StateCopied)
    assert repr(home.core) == "<MemberCore home: 0 begin, 0 left, 1 copied>"
