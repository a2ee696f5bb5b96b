"""A node that was given up and goes on: nothing that its instances say is taken, and they end."""

import msgspec
import pytest

from attacca.kernel.rand import Streams
from attacca.model.events import Event, Passed, Reply, ReplyKind, StateKept, StateSynced
from attacca.policy.placement.random import Random
from attacca.worker.core.events import NeighbourSaid, PeerJoined, PeerLost
from attacca.worker.core.fences import Fences
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import Before, Record, Restored
from attacca.workflow.core.keeping import WORKFLOWS
from tests.workflow.core.stage import Node, Stage, calls, function, sends, syncs


def quiet(node: Node, instance: str, kind: str, data: bytes) -> bytes | None:
    return b"done" if kind == "call" else None


class Split:
    """`sender` has been started anew on another node than the one where it goes on."""

    def __init__(self) -> None:
        self.stage = stage = Stage(quiet, nodes=3)
        self.workflow = stage.start(function("sender", on="n1+n2", to="target"), function("target", on="n3"))
        self.old, name = stage.at(self.workflow, "sender")
        self.target, self.there = stage.at(self.workflow, "target")[0], stage.nodes["n3"]
        self.node = stage.nodes[name]
        sends(self.node, self.old, "to", b"before")
        stage.play(0.1)
        stage.cut_off(name)
        stage.play(1.0)
        self.new, other = stage.at(self.workflow, "sender")
        assert self.new != self.old
        self.other = stage.nodes[other]

    def heard(self) -> list[bytes]:
        return [data for _, kind, data in self.there.handled if kind != "init"]

    def here(self) -> list[str]:
        return list(self.node.core.instances.by_id)


def test_what_it_sends_is_not_taken_and_tells_it_that_it_was_given_up() -> None:
    split = Split()
    assert split.here() == [split.old], "it goes on"
    sends(split.other, split.new, "to", b"new")
    sends(split.node, split.old, "to", b"late")
    split.stage.play(1.0)
    assert split.heard() == [b"before", b"new"]
    assert split.here() == []
    assert split.node.warnings == [
        "another worker says that this one was given up: 1 instances of workflows end, and others may have their places"
    ]
    assert not split.node.core.instances.exchange.neighbours.out["n3"].kept


def test_where_nobody_tells_it_it_ends_by_itself() -> None:
    split = Split()
    split.stage.play(298.0)
    assert split.here() == [split.old]
    split.stage.play(2.0)
    assert split.here() == []
    assert split.node.warnings[0].startswith("no control was heard of for 300 s: 1 instances")
    assert [kind for _, kind, _ in split.node.handled] == ["init"], "it has no time to stop"


def test_a_control_that_is_there_again_in_time_ends_nothing() -> None:
    stage = Stage(quiet)
    stage.start(function("one"))
    node = stage.nodes["n1"]
    for _ in range(2):
        node.feed(PeerLost("control"))
        stage.play(200.0)
        node.feed(PeerJoined("control"))
        stage.play(1.0)
    assert node.warnings == []
    assert len(node.core.instances.by_id) == 1
    assert repr(node.core.instances.replacing) == "<Replacing after 300 s, led>"


def test_what_it_had_ends_when_it_is_back_and_what_comes_then_is_heard() -> None:
    split = Split()
    stage, node, name = split.stage, split.node, split.node.name
    stage.mend_control(name)
    assert split.here() == [split.old], "until its sandbox is gone"
    sends(node, split.old, "to", b"dying")
    stage.play(1.0)
    assert split.here() == []
    fences = split.there.core.instances.exchange.fences
    assert repr(fences) == "<Fences 0 workers, 1 instances>"
    under_way = Passed(99, 99, Event(split.target, f"{split.old}@{name}", b"under way", output="to"))
    split.there.feed(NeighbourSaid(name, node.instance, under_way))
    stage.migrate(split.workflow, "sender", name)
    stage.play(1.0)
    now, where = stage.at(split.workflow, "sender")
    assert where == name
    sends(node, now, "to", b"back")
    stage.play(1.0)
    assert split.heard() == [b"before", b"back"]


def test_a_reply_of_one_that_was_followed_is_not_taken() -> None:
    stage = Stage(quiet, nodes=3)
    workflow = stage.start(function("caller", on="n3", to="callee"), function("callee", on="n1+n2"))
    (caller, _), (old, name) = stage.at(workflow, "caller"), stage.at(workflow, "callee")
    there, node = stage.nodes["n3"], stage.nodes[name]
    node.run_ms = 60_000.0
    calls(there, caller, "to", b"?")
    (stream,) = there.core.instances.exchange.streams
    stage.cut_off(name)
    answer = Reply(caller, stream, ReplyKind.REPLY, b"old", old)
    there.feed(NeighbourSaid(name, node.instance, Passed(9, 9, answer)))
    assert list(there.core.instances.exchange.streams) == [stream], "it waits for another"
    stage.play(1.0)
    assert not there.core.instances.exchange.streams
    (callee,) = [one for one in stage.nodes.values() if one.name not in (name, "n3")]
    assert [data for _, kind, data in callee.handled if kind == "call"] == [b"?"]


def test_numbers_go_on_where_the_same_process_comes_back() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("sender", on="n1", to="target"), function("target", on="n2"))
    sender, _ = stage.at(workflow, "sender")
    node = stage.nodes["n1"]
    for number in range(3):
        sends(node, sender, "to", b"%d" % number)
    stage.play(1.0)
    stage.cut_off("n2")
    stage.play(1.0)
    stage.mend_control("n2")
    stage.play(10.0)
    for number in range(3, 6):
        sends(node, sender, "to", b"%d" % number)
    stage.play(1.0)
    heard = [data for _, kind, data in stage.nodes["n2"].handled if kind == "cast"]
    assert heard == [b"%d" % number for number in range(6)]


def test_a_state_that_it_offers_is_refused() -> None:
    split = Split()
    syncs(split.other, split.new, b"new")
    said = split.stage.core.handle(5.0, StateSynced(split.node.name, split.old, 7, b"old"))
    (told,) = [command.message for command in said if hasattr(command, "message")]
    assert told == StateKept(split.old, 7, "another has taken its place")
    assert split.stage.core.workflows[split.workflow].parts["sender"].state == b"new"


def test_a_control_that_begins_anew_knows_who_was_given_up() -> None:
    split = Split()
    stage = split.stage
    others = tuple(sorted({"n1", "n2", "n3"} - {split.node.name}))
    assert stage.before == Before(stage.before.term, others, (split.node.name,))
    record = msgspec.json.decode(stage.store[WORKFLOWS + split.workflow][0], type=Record)
    stage.core = DomainCore(Random(), Streams(3).stream("placement"))
    stage.tell(Restored(((record, 1),), (), stage.before))
    stage.mend_control(split.node.name)  # before the one that has its place
    for name in others:
        stage.joined(stage.nodes[name])
    stage.play(1.0)
    assert stage.at(split.workflow, "sender")[0] == split.new
    assert split.here() == []


def test_of_two_that_are_left_the_newer_goes_on() -> None:
    """A control that has ended before it had written who was given up."""
    split = Split()
    stage = split.stage
    record = msgspec.json.decode(stage.store[WORKFLOWS + split.workflow][0], type=Record)
    stage.core = DomainCore(Random(), Streams(3).stream("placement"))
    stage.tell(Restored(((record, 1),), (), Before(1, ("n1", "n2", "n3"))))
    stage.mend_control(split.node.name)
    for name in sorted({"n1", "n2", "n3"} - {split.node.name}):
        stage.joined(stage.nodes[name])
    stage.play(1.0)
    assert stage.at(split.workflow, "sender")[0] == split.new
    assert split.here() == []


@pytest.mark.long
def test_of_those_that_are_given_up_the_last_are_remembered() -> None:
    fences = Fences()
    assert [fences.give_up(f"w{number}") for number in range(101)] == [""] * 100 + ["w0"]
    assert fences.refuses("w1", "any.1")
    fences.back("w1", ("any.1",))
    assert [fences.refuses(*one) for one in (("w2", "x.1"), ("w1", "any.1"), ("w1", "any.2"))] == [True, True, False]
