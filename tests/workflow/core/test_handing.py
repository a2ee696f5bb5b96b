"""A workflow that goes on in another domain takes along what it knows, what waits and what is on its way."""

import pytest

from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.workflow.core.events import HandedOver, StartAsked, StopAsked, Stored
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
    outcome = stage.replies["over"]
    assert isinstance(outcome, HandedOver)
    assert [one.state for one in outcome.left] == [b"last"]


def test_while_it_cannot_be_erased_it_ends_still_and_what_it_leaves_is_with_its_worker() -> None:
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
