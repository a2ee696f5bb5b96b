"""What an instance leaves comes to whoever follows, also where control dies with it in hand; and once."""

from random import Random as Drawn

from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.events import Event, Handed, HandOver, Inherited, InstanceUp, StartInstance
from attacca.model.messages import Send
from attacca.worker.core import view
from attacca.worker.core.events import Command
from attacca.worker.core.wills import Wills
from attacca.workflow.core.events import Command as DomainCommand
from attacca.workflow.core.events import NodeJoined
from attacca.workflow.core.graph import Will
from tests.workflow.core.late import LateStage
from tests.workflow.core.stage import function, sends


def left_behind(events: int) -> tuple[LateStage, str]:
    """One has moved away from what it sent to itself, and control died when it heard of it; and its node."""
    stage = LateStage(Drawn(1), nodes=2)
    workflow = stage.start(function("c"))
    instance, where = stage.at(workflow, "c")
    node, there = stage.nodes[where], "n2" if where == "n1" else "n1"
    for number in range(events):
        sends(node, instance, "self", b"%d" % number)
    stage.migrate(workflow, "c", there)
    while instance in node.core.instances.by_id:
        stage.play(0.0002)
    stage.restart()
    return stage, where


def casts(stage: LateStage) -> list[int]:
    return sorted(int(data) for node in stage.all_nodes for _, kind, data in node.handled if kind == "cast")


def test_a_control_that_begins_is_told_what_was_left() -> None:
    stage, where = left_behind(60)
    wills = stage.nodes[where].core.instances.wills
    assert repr(wills) == "<Wills 1 kept>"
    assert len(casts(stage)) < 60
    stage.play(30.0)
    assert casts(stage) == list(range(60))
    assert repr(wills) == "<Wills 0 kept>"
    assert repr(stage.core.wills) == "<Wills 0 under way>"


def test_what_was_given_already_is_not_given_again() -> None:
    """The control that gave it has died before it could say so to the worker that keeps it."""
    stage, where = left_behind(60)
    wills = stage.nodes[where].core.instances.wills
    kept = dict(wills.kept)
    while wills.kept:
        stage.play(0.01)
    wills.kept.update(kept)
    stage.restart()
    stage.play(30.0)
    assert casts(stage) == list(range(60))
    assert not wills.kept


def test_what_comes_late_is_handed_to_who_is_there() -> None:
    stage = LateStage(Drawn(1), nodes=1)
    workflow = stage.start(function("c"))
    instance, where = stage.at(workflow, "c")
    wills, out = stage.nodes["n1"].core.instances.wills, list[Command]()
    wills.stray(Event(f"{workflow}.c.9", "gone@n1", b"7", output="to"), out)
    (said,) = out
    assert isinstance(said, Send)
    for _ in range(2):
        stage.hear(said.message)
    stage.play(1.0)
    assert (where, casts(stage), repr(wills)) == ("n1", [7], "<Wills 0 kept>")
    assert list(stage.core.workflows[workflow].parts["c"].follows) == list(
        stage.nodes["n1"].core.instances.by_id[instance].follows
    )


def test_what_is_for_nobody_any_more_is_not_kept() -> None:
    stage = LateStage(Drawn(1), nodes=1)
    wills, out = Wills("n1", Ids(Streams(1).stream("x"))), list[Command]()
    wills.stray(Event("gone.c.1", "gone.b.1@n1", b"7", output="to"), out)
    assert isinstance(out[0], Send)
    answers: list[DomainCommand] = stage.core.handle(0.0, out[0].message)  # type: ignore[arg-type]  # of its kind
    assert answers == [Send("n1", Inherited(next(iter(wills.kept))))]


def test_a_will_stays_with_control_until_the_next_one_is_up() -> None:
    stage = LateStage(Drawn(1), nodes=1)
    workflow = stage.start(function("c"))
    part = stage.core.workflows[workflow].parts["c"]
    will = part.wills["w"] = Will("n9", "w", (Event(f"{workflow}.c.1", "a@n9", b"7"),), ())
    assert repr(will) == "<Will w: 1 unheard, 0 unsent>"
    joined = NodeJoined(view.brief(stage.nodes["n1"].core))
    for _ in range(2):  # its node is lost before it is up, and there again
        given = [one for one in handle(stage, joined) if isinstance(one, StartInstance)]
        assert [event.data for start in given for event in start.backlog] == [b"7"]
    answers = handle(stage, InstanceUp("n1", part.instance))
    assert Inherited("w") in answers
    assert not part.wills


def handle(stage: LateStage, event: object) -> list[object]:
    commands = stage.core.handle(stage.clock.now(), event)  # type: ignore[arg-type]  # of its kind
    return [one.message for one in commands if isinstance(one, Send)]


def test_one_that_is_up_says_what_it_was_handed() -> None:
    stage = LateStage(Drawn(1), nodes=1)
    workflow = stage.start(function("c"))
    instance, _ = stage.at(workflow, "c")
    core = stage.nodes["n1"].core
    out: list[Command] = []
    for _ in range(2):
        order = HandOver(instance, (Event(instance, "a@n9", b"7"),), "w")
        core.instances.hear(0.0, "control", order, out, draining=False)
    assert [one.message for one in out if isinstance(one, Send)] == [Handed("n1", instance, "w")] * 2
    assert len(core.instances.by_id[instance].given) == 1
