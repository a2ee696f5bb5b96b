import msgspec
import pytest

from attacca.errors import BadFunction, Cancelled, NoCapacity, NotFound, StateUnavailable
from attacca.kernel.rand import Streams
from attacca.model.endpoints import Sandboxes
from attacca.model.events import MAILBOX_BYTES, AskInstances, Event, Passed, ReplyKind
from attacca.model.messages import Send
from attacca.model.resources import Resources
from attacca.model.workflow import Component, WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.worker.core.events import Command, Listen, NeighbourSaid, Received, Respond
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Erase,
    Put,
    Record,
    Reply,
    Restored,
    StartAsked,
    StateRecord,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.workflow.core.keeping import WORKFLOWS
from tests.workflow.core.stage import Node, Stage, calls, function, sends, syncs


def quiet(node: Node, instance: str, kind: str, data: bytes) -> bytes | None:
    return data if kind == "call" else None


def casts(stage: Stage) -> list[tuple[str, bytes]]:
    """What was handled, and by which component's how manieth instance."""
    handled = [one for node in stage.nodes.values() for one in node.handled]
    return [(instance.partition(".")[2], data) for instance, kind, data in handled if kind == "cast"]


def test_all_are_up_when_it_is_answered_and_gone_when_it_is_stopped() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a", to="b"), function("b"))
    assert {row.state for row in stage.core.view(workflow).instances} == {"up"}
    assert stage.core.view("demo").id == workflow
    assert repr(stage.core).startswith("<DomainCore <Books 1 workflows, 2 of 2 up, <Nodes 1>>, ")
    assert repr(stage.core.workflows[workflow]) == f"<Workflow {workflow} demo: 2 of 2 up, generation 2>"
    assert repr(stage.core.workflows[workflow].parts["a"]) == "<Part a up: 1 starts, 0 wills>"
    assert repr(stage.core.nodes.by_name["n1"]) == "<Node n1: 2 instances>"
    assert stage.core.books.digests() == {"code-a", "code-b"}
    assert stage.stop(workflow) is None
    assert (stage.core.books.views(), stage.store, stage.nodes["n1"].core.pool.sandboxes) == ([], {}, {})
    assert isinstance(stage.stop(workflow), NotFound)


def test_what_is_sent_arrives_in_order_on_one_node_and_between_two() -> None:
    for on in ("n1", "n2"):
        stage = Stage(quiet, nodes=2)
        workflow = stage.start(function("a", on="n1", to="b"), function("b", on=on))
        sender = stage.at(workflow, "a")[0]
        for number in range(20):
            sends(stage.nodes["n1"], sender, "to", b"%d" % number)
        sends(stage.nodes["n1"], sender, "to", b"later", seconds=0.5)
        stage.play(1.0)
        assert casts(stage) == [("b.1", b"%d" % number) for number in range(20)] + [("b.1", b"later")]


def test_a_call_has_its_reply_from_wherever_it_is() -> None:
    for on in ("n1", "n2"):
        stage = Stage(quiet, nodes=2)
        workflow = stage.start(function("a", on="n1", to="b"), function("b", on=on))
        node, caller = stage.nodes["n1"], stage.at(workflow, "a")[0]
        calls(node, caller, "to", b"hello", 7)
        calls(node, caller, "nowhere", b"", 8)
        stage.play(1.0)
        assert Respond(caller, 7, ReplyKind.REPLY, b"hello") in node.machine.said
        assert Respond(caller, 8, ReplyKind.ERROR, b"the output 'nowhere' leads nowhere") in node.machine.said


def test_a_call_that_nobody_answers_ends_in_time() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2"))
    node, caller = stage.nodes["n1"], stage.at(workflow, "a")[0]
    node.is_cut_from.add("n2")
    calls(node, caller, "to", b"hello")
    stage.play(31.0)
    assert node.machine.said == [Respond(caller, 1, ReplyKind.ERROR, b"no reply came in time")]


def test_a_crash_is_followed_by_another_with_the_state_and_what_was_unheard() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a", to="b"), function("b", payload="new"))
    node, (sender, _), (first, _) = stage.nodes["n1"], stage.at(workflow, "a"), stage.at(workflow, "b")
    syncs(node, first, b"kept")
    assert Respond(first, 1, ReplyKind.NOTHING, b"") in node.machine.said
    for number in range(5):
        sends(node, sender, "to", b"%d" % number)
    node.machine.crash(first)  # while it handles the first of them
    stage.play(0.0)
    for number in range(5, 8):
        sends(node, sender, "to", b"%d" % number)
    stage.play(5.0)
    second = stage.at(workflow, "b")[0]
    assert second == first.removesuffix("1") + "2"
    assert [(name, data) for name, data in casts(stage) if name == "b.2"] == [
        ("b.2", b"%d" % number) for number in range(1, 8)
    ]
    assert stage.core.workflows[workflow].parts["b"].state == b"kept"


def test_a_node_that_dies_loses_nothing_whose_sender_lives() -> None:
    stage = Stage(quiet, nodes=3)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2+n3"))
    node, sender, (_, where) = stage.nodes["n1"], stage.at(workflow, "a")[0], stage.at(workflow, "b")
    dead = stage.nodes[where]
    for number in range(10):
        sends(node, sender, "to", b"%d" % number)
    stage.play(0.0035)
    done = [data for _, kind, data in dead.handled if kind == "cast"]
    assert 0 < len(done) < 10
    stage.kill(where)
    for number in range(10, 15):
        sends(node, sender, "to", b"%d" % number)
    stage.lose(where)
    stage.play(5.0)
    again = [data for name, data in casts(stage) if name == "b.2"]
    assert again == [b"%d" % number for number in range(15)][-len(again) :]
    assert len(done) + len(again) in (15, 16), "but for one that was being handled, each once"


def test_a_link_that_breaks_loses_and_doubles_nothing() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2"))
    here, there, sender = stage.nodes["n1"], stage.nodes["n2"], stage.at(workflow, "a")[0]
    for number in range(30):
        sends(here, sender, "to", b"%d" % number)
        if number % 7 == 3:
            here.is_cut_from.add("n2")
            there.is_cut_from.add("n1")  # what is done is not heard of
        if number % 7 == 6:
            stage.play(0.01)
            stage.mend(here, "n2")
            stage.mend(there, "n1")
    stage.mend(here, "n2")
    stage.mend(there, "n1")
    stage.play(5.0)
    assert [data for _, data in casts(stage)] == [b"%d" % number for number in range(30)]
    neighbours = here.core.instances.exchange.neighbours
    assert repr(neighbours) == "<Neighbours 1, 0 kept, 0 open>"
    assert repr(neighbours.out["n2"]) == "<Outbox 0 kept of 30>"
    assert repr(there.core.instances.exchange.neighbours.into["n1"]).startswith("<Inbox 0 open, ")


def test_whoever_is_behind_is_not_sent_to_without_end() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a", to="b"), function("b"))
    node, sender = stage.nodes["n1"], stage.at(workflow, "a")[0]
    eighth = bytes(MAILBOX_BYTES // 8)
    for _ in range(6):
        sends(node, sender, "to", eighth)
    assert node.machine.said == [Listen(sender, True)]  # noqa: FBT003
    stage.play(10.0)
    assert node.machine.said == [Listen(sender, True), Listen(sender, False)]  # noqa: FBT003
    for _ in range(10):
        sends(node, sender, "self", eighth)  # who sends to itself is never made to wait
    assert len(node.machine.said) == 2
    assert node.logs == [f"an event was dropped (1 so far): the mailbox of {sender!r} is full"]
    instance = node.core.instances.by_id[sender]
    assert repr(instance).startswith(
        f"<EventInstance {sender} up: <Mailbox 8 events, {MAILBOX_BYTES} bytes>, 0 handled"
    )
    assert repr(instance.routes) == "<Routes of generation 2: 1 outputs, 1 places>"
    assert repr(node.core.instances) == "<Instances 2 here, 8 events wait>"
    assert repr(node.core.instances.exchange).startswith("<Exchange 0 calls open, 0 casts later")
    assert repr(node.core.templates) == f"<Templates {len(node.core.pool.templates)}>"


def test_a_worker_speaks_for_its_own_instances() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1"))
    forged = Event(stage.at(workflow, "a")[0], "b.1@n3", b"forged")
    stage.nodes["n1"].feed(NeighbourSaid("n2", b"1", Passed(1, 1, forged)))
    stage.play(1.0)
    assert casts(stage) == []


def test_code_that_cannot_begin_ends_the_workflow_with_why() -> None:
    def fails(node: Node, instance: str, kind: str, data: bytes) -> bytes | None:
        if kind == "init" and ".b." in instance:
            raise ValueError("no such file")
        return None

    stage = Stage(fails)
    with pytest.raises(AssertionError, match="its init raised ValueError: no such file"):
        stage.start(function("a", to="b"), function("b"))
    stage.play(5.0)
    assert isinstance(stage.replies["1"], BadFunction)
    assert (stage.core.books.views(), stage.store, stage.nodes["n1"].core.pool.sandboxes) == ([], {}, {})


def test_what_can_run_nowhere_is_refused() -> None:
    stage = Stage(quiet)
    with pytest.raises(AssertionError, match="a can run nowhere: n1: it is none of n9"):
        stage.start(function("a", on="n9"))
    assert isinstance(stage.replies["1"], NoCapacity)
    with pytest.raises(AssertionError, match="a can run nowhere: n1: it has not 5000 MB for it"):
        stage.start(msgspec.structs.replace(function("a"), memory_mb=5000))
    with pytest.raises(AssertionError, match="there is no node"):
        Stage(quiet, nodes=0).start(function("a"))


def test_a_node_that_has_no_room_after_all_is_asked_again_when_no_other_has() -> None:
    stage = Stage(quiet, nodes=3)
    for name in ("n1", "n2"):  # others have the rest, which the domain is not told
        stage.nodes[name].core.pool.capacity = Resources(memory_mb=100)
    workflow = stage.start(*(function(name) for name in "abcd"))
    parts = stage.core.workflows[workflow].parts.values()
    assert all(part.worker == "n3" and part.starts <= 3 for part in parts)
    stage.kill("n3")
    stage.lose("n3")
    stage.play(30.0)
    assert all("the whole worker has 100 MB" in part.why for part in parts)
    stage.nodes["n2"].core.pool.capacity = Resources(memory_mb=1000)
    stage.play(60.0)
    assert all(part.worker == "n2" and not part.refused_by for part in parts)


def test_one_that_cannot_be_kept_is_refused() -> None:
    stage = Stage(quiet)
    stage.is_writing = False
    with pytest.raises(KeyError):
        stage.start(function("a"))
    (key,) = stage.core.workflows
    stage.tell(StoreFailed(f"workflows/{key}", StateUnavailable("the disk is full", "free some")))
    assert isinstance(stage.replies["1"], StateUnavailable)
    assert stage.core.books.views() == []


def test_a_state_that_is_being_written_goes_with_its_workflow() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a"))
    stage.is_writing = False
    syncs(stage.nodes["n1"], stage.at(workflow, "a")[0], b"first")
    key = f"workflow-states/{workflow}/a"
    stage.store[key] = (b"as it is written meanwhile", 1)
    assert stage.stop(workflow) is None
    assert stage.store == {}
    stage.tell(Stored(key, 1))
    assert stage.nodes["n1"].machine.said == [], "nobody is there to be told"


def test_whoever_waits_for_what_is_stopped_is_told() -> None:
    stage = Stage(quiet)
    stage.tell(StartAsked("s", WorkflowSpec(name="demo", components=(function("a"),)), 0.0))
    assert stage.stop("demo") is None
    assert isinstance(stage.replies["s"], Cancelled)


def test_a_control_that_begins_anew_finds_what_runs_and_makes_nothing_again() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2"))
    before = {one: stage.at(workflow, one) for one in ("a", "b")}
    syncs(stage.nodes["n2"], before["b"][0], b"kept")
    records = [
        (msgspec.json.decode(value, type=Record), version)
        for key, (value, version) in stage.store.items()
        if key.startswith("workflows/")
    ]
    states = [
        (msgspec.json.decode(value, type=StateRecord), version)
        for key, (value, version) in stage.store.items()
        if key.startswith("workflow-states/")
    ]
    stage.core = DomainCore(Random(), Streams(4).stream("placement"))
    stage.tell(Restored(tuple(records), tuple(states)))
    for node in stage.nodes.values():
        stage.joined(node)
    stage.play(10.0)
    assert {one: stage.at(workflow, one) for one in ("a", "b")} == before
    assert [kind for node in stage.nodes.values() for _, kind, _ in node.handled] == ["init", "init"]


def test_names_and_targets_are_checked() -> None:
    with pytest.raises(ValueError, match="several components 'a'"):
        Stage(quiet).start(function("a"), function("a"))
    with pytest.raises(ValueError, match="leads to 'c', which is not there"):
        Stage(quiet).start(function("a", to="c"))
    with pytest.raises(ValueError, match="an event function with code, or a resource"):
        Component(name="a")


def test_control_is_not_told_of_instances_as_of_sandboxes_that_it_scales() -> None:
    stage = Stage(quiet)
    stage.start(function("a"))
    node, out = stage.nodes["n1"], list[Command]()
    assert len(node.core.pool.sandboxes) == 1
    node.core.orders.tell("control", node.core.instances.by_id, out)
    assert out == [Send("control", Sandboxes("n1", ()))]


def test_what_is_to_be_kept_is_said_again_to_a_control_that_has_just_begun() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a"))
    node, instance = stage.nodes["n1"], stage.at(workflow, "a")[0]
    stage.is_writing = False  # it died before it was written
    syncs(node, instance, b"kept")
    assert node.machine.said == []
    stage.is_writing = True
    node.feed(Received("control", AskInstances()))
    assert node.machine.said == [Respond(instance, 1, ReplyKind.NOTHING, b"")]


def test_a_part_of_which_nobody_says_anything_begins_anew_when_all_nodes_have_spoken() -> None:
    stage = Stage(quiet, nodes=3)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2+n3"))
    before, (_, where) = stage.at(workflow, "a"), stage.at(workflow, "b")
    assert stage.before.nodes == ("n1", "n2", "n3")
    record = msgspec.json.decode(stage.store[f"workflows/{workflow}"][0], type=Record)
    stage.core = DomainCore(Random(), Streams(4).stream("placement"))
    stage.tell(Restored(((record, 1),), (), stage.before))
    stage.kill(where)
    for node in stage.nodes.values():
        stage.joined(node)
    stage.play(10.0)
    assert stage.at(workflow, "b") == ("", ""), "the third may have it, and has said nothing"
    stage.play(15.0)
    assert stage.at(workflow, "a") == before
    instance, other = stage.at(workflow, "b")
    assert instance.endswith(".b.1000001"), "a number that nobody has had"
    assert other not in ("", where)
    sends(stage.nodes["n1"], before[0], "to", b"1")
    stage.play(1.0)
    assert (instance, "cast", b"1") in stage.nodes[other].handled


def test_what_nodes_there_are_is_written_until_the_store_has_it() -> None:
    """Nothing begins before it is durable which numbers are new."""
    core = DomainCore(Random(), Streams(1).stream("x"))
    (put,) = core.handle(0.0, Restored((), (), None))
    assert isinstance(put, Put)
    assert core.handle(0.1, StoreFailed(put.key, StateUnavailable("it is gone", ""))) == []
    assert not core.placing.is_open
    assert core.alarm.at == 1.1
    assert core.handle(1.1, Tick()) == [put]
    core.handle(1.2, Stored(put.key, 1))
    assert core.placing.is_open


def test_nobody_hears_that_it_is_over_before_it_could_not_come_back() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a"))
    syncs(stage.nodes["n1"], stage.at(workflow, "a")[0], b"1")
    stage.play(1.0)
    stage.is_refusing = True
    stage.tell(StopAsked("over", workflow))
    stage.play(30.0)
    (view,) = stage.core.books.views()
    assert [one.state for one in view.instances] == ["gone"]
    assert len(stage.store) == 2
    assert "over" not in stage.replies
    stage.is_refusing = False
    stage.play(2.0)
    assert (stage.store, stage.core.books.views()) == ({}, [])
    assert stage.replies["over"] is None


def test_what_could_not_be_kept_and_was_written_all_the_same_is_erased() -> None:
    core = Stage(quiet).core
    (put,) = core.handle(0.0, StartAsked("1", WorkflowSpec(name="w", components=(function("a"),)), 0.0))
    assert isinstance(put, Put)
    erase, reply = core.handle(0.1, StoreFailed(put.key, StateUnavailable("it is gone", "")))
    assert (erase, type(reply)) == (Erase(put.key), Reply)
    core.handle(0.2, StoreFailed(put.key, StateUnavailable("it is gone", ""), is_erase=True))
    assert erase in core.handle(1.2, Tick())
    core.handle(1.3, StoreFailed(put.key, StateUnavailable("it is gone", ""), is_erase=True))
    again = StartAsked("2", WorkflowSpec(name="w", components=(function("a"),)), 0.0, put.key.removeprefix(WORKFLOWS))
    assert put in core.handle(1.4, again)
    assert erase not in core.handle(9.0, Tick()), "it is another's now"
