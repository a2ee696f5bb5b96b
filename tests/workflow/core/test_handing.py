"""A workflow that goes on in another domain takes along what it knows, what waits and what is on its way."""

import msgspec
import pytest

from attacca.kernel.rand import Streams
from attacca.model.events import Event, Instances, InstanceView, StartInstance
from attacca.model.federation import Left
from attacca.model.messages import Send
from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.policy.placement.random import Random
from attacca.worker.core import view
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Before,
    Command,
    Erase,
    HandedOver,
    LeftTaken,
    NodeJoined,
    Put,
    Record,
    Restored,
    StartAsked,
    StopAsked,
    Stored,
)
from attacca.workflow.core.keeping import WORKFLOWS
from tests.workflow.core.stage import Stage, function, sends, syncs
from tests.workflow.core.test_moving import came, quiet


def handed_over(there: Stage, workflow: str) -> HandedOver:
    there.tell(StopAsked("over", workflow, hands_over=True))
    there.play(10.0)
    outcome = there.replies["over"]
    assert isinstance(outcome, HandedOver)
    return outcome


@pytest.mark.long
def test_all_that_was_sent_is_handled_once_and_in_order_here_or_there() -> None:
    for source in ("n1", "n2"):  # beside it, and elsewhere
        here, there = Stage(quiet, nodes=2), Stage(quiet, nodes=2)
        parts = function("a", on=source, to="b"), function("b", on="n1")
        workflow = here.start(*parts)
        sender, target = here.at(workflow, "a")[0], here.at(workflow, "b")[0]
        syncs(here.nodes["n1"], target, b"kept")
        for number in range(40):
            sends(here.nodes[source], sender, "to", b"%d" % number)
            here.play(0.0004)
        left = handed_over(here, workflow).left
        assert here.core.workflows == {}
        assert [key for key in here.store if workflow in key] == [WORKFLOWS + workflow], "what it leaves"
        here.tell(LeftTaken(workflow, 0))
        assert not [key for key in here.store if workflow in key]
        assert {one.component: one.state for one in left} == {"a": None, "b": b"kept"}
        assert sum(len(one.backlog) + len(one.unsent) for one in left) > 0, "some of them waited"
        spec = WorkflowSpec(name="demo", components=parts)
        there.tell(StartAsked("on", spec, 0.0, workflow, 2, left))
        there.play(5.0)
        assert isinstance(there.replies["on"], WorkflowView)
        assert came(here, "b") + came(there, "b") == list(range(40)), source
        part = there.core.workflows[workflow].parts["b"]
        assert (part.state, there.core.workflows[workflow].epoch) == (b"kept", 2)
        assert part.number > int(target.rpartition(".")[2])


def test_one_that_still_writes_its_last_state_waits_for_it() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("only"))
    stage.is_writing = False
    syncs(stage.nodes["n1"], stage.at(workflow, "only")[0], b"last")
    stage.tell(StopAsked("over", workflow, hands_over=True))
    stage.play(10.0)
    assert "over" not in stage.replies
    key = stage.core.workflows[workflow].parts["only"].key
    stage.tell(Stored(key, 7))
    assert "over" not in stage.replies, "nor does it end before that is kept which it leaves"
    stage.tell(Stored(WORKFLOWS + workflow, 2))
    outcome = stage.replies["over"]
    assert isinstance(outcome, HandedOver)
    assert [one.state for one in outcome.left] == [b"last"]


def test_while_it_cannot_be_kept_it_ends_still_and_what_it_leaves_is_with_its_worker() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2"))
    for number in range(40):
        sends(stage.nodes["n1"], stage.at(workflow, "a")[0], "to", b"%d" % number)
    stage.is_refusing = True
    stage.tell(StopAsked("over", workflow, hands_over=True))
    stage.play(10.0)
    kept = [name for node in stage.nodes.values() for name in node.core.instances.wills.kept]
    assert (stage.core.workflows[workflow].is_stopping, "over" in stage.replies, bool(kept)) == (True, False, True)
    stage.tell(StopAsked("again", workflow, hands_over=True))
    stage.is_refusing = False
    stage.play(2.0)
    outcome = stage.replies["again"]
    assert isinstance(outcome, HandedOver)
    assert sum(len(one.backlog) + len(one.unsent) for one in outcome.left) > 0, "some of them waited"
    assert stage.replies["over"] == outcome
    assert not [name for node in stage.nodes.values() for name in node.core.instances.wills.kept]


def test_what_it_has_left_is_there_for_a_control_that_begins_until_it_is_kept_elsewhere() -> None:
    stage = Stage(quiet)
    spec = WorkflowSpec(name="demo", components=(function("only"),))
    stage.tell(StartAsked("on", spec, 0.0, "w", 3, ()))
    stage.play(1.0)
    syncs(stage.nodes["n1"], stage.at("w", "only")[0], b"last")
    for number in range(3):
        sends(stage.nodes["n1"], stage.at("w", "only")[0], "self", b"%d" % number)
    left = handed_over(stage, "w").left
    assert (left[0].state, len(left[0].backlog) > 0) == (b"last", True)
    record = msgspec.json.decode(stage.store[WORKFLOWS + "w"][0], type=Record)
    core = DomainCore(Random(), Streams(3).stream("placement"))
    core.handle(1.0, Restored(((record, 2),), (), Before(term=1, nodes=("n1",))))
    assert (core.workflows, core.keeping.ended["w"].ended) == ({}, left), "it does not begin again"
    assert core.handle(1.1, LeftTaken("w", 2)) == [], "that was another time"
    assert core.handle(1.1, LeftTaken("w", 3)) == [Erase(WORKFLOWS + "w")]
    assert core.keeping.ended == {}
    again = DomainCore(Random(), Streams(3).stream("placement"))
    again.handle(1.0, Restored(((record, 2),), (), Before(term=1, nodes=("n1",))))
    again.handle(1.0, NodeJoined(view.brief(Stage(quiet).nodes["n1"].core), "n1:1"))
    again.handle(1.1, StartAsked("on", spec, 0.0, "w", 5, ()))
    assert again.keeping.ended == {}, "it has come back, with what it left here"
    assert again.handle(1.2, LeftTaken("w", 3)) == []


SENT = Event("w.b.1", "w.a.1000000000001@n1", b"hi", "", "to")


def restarted(record: Record, *views: InstanceView, follows: dict[str, tuple[str, ...]]) -> list[Command]:
    """What a control that has just begun with that orders, when its node has told what it has."""
    core = DomainCore(Random(), Streams(3).stream("placement"))
    out = core.handle(1.0, Restored(((record, 1),), (), Before(term=1, nodes=("n1",))))
    out = [one for put in out if isinstance(put, Put) for one in core.handle(1.0, Stored(put.key, 1))]
    out += core.handle(1.1, NodeJoined(view.brief(Stage(quiet).nodes["n1"].core), "n1:1"))
    return out + core.handle(1.2, Instances("n1", views, follows))


def test_what_it_takes_along_is_with_a_control_that_begins_before_its_instances_have_it() -> None:
    core = DomainCore(Random(), Streams(3).stream("placement"))
    core.handle(0.0, NodeJoined(view.brief(Stage(quiet).nodes["n1"].core), "n1:1"))
    spec = WorkflowSpec(name="demo", components=(function("a", to="b"), function("b")))
    out = core.handle(0.0, StartAsked("on", spec, 0.0, "w~a", 2, (Left("a", unsent=(SENT,)),), ("a",)))
    [put] = [one for one in out if isinstance(one, Put)]
    record = msgspec.json.decode(put.value, type=Record)
    orders = [one.message for one in restarted(record, follows={}) if isinstance(one, Send)]
    assert [one.unsent for one in orders if isinstance(one, StartInstance)] == [(SENT,)]
    runs = InstanceView("w.a.2000000000001", "w", "a", is_up=True)
    cases: tuple[tuple[dict[str, tuple[str, ...]], bool], ...] = (({runs.id: ("w.a/2",)}, False), ({}, True))
    for follows, orders_more in cases:
        out = restarted(record, runs, follows=follows)
        assert ("HandOver" in repr(out)) is orders_more, "it is given nothing twice"
        again = [one for one in out if isinstance(one, Put) and one.key == WORKFLOWS + "w~a"]
        assert [msgspec.json.decode(one.value, type=Record).left for one in again] == ([] if orders_more else [()])
