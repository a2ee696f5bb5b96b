import msgspec
import pytest

from attacca.kernel.rand import Streams
from attacca.model.workflow import Component, Output
from attacca.policy.placement.random import Random
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import Record, Restored
from tests.workflow.core.stage import Stage, function, sends, syncs
from tests.workflow.core.test_moving import came, quiet


def guarded(name: str, on: str, **outputs: str) -> Component:
    return msgspec.structs.replace(function(name, on=on, **outputs), replicas=2, standby="hot")


def staged(nodes: int = 4) -> tuple[Stage, str]:
    stage = Stage(quiet, nodes=nodes)
    workflow = stage.start(function("a", on="n1", to="b"), guarded("b", "n2+n3+n4"))
    stage.play(1.0)
    return stage, workflow


def rows(stage: Stage, workflow: str) -> dict[str, tuple[str, str]]:
    return {row.component: (row.state, row.worker) for row in stage.core.view(workflow).instances}


def inits(stage: Stage, instance: str) -> list[bytes]:
    return [
        data for node in stage.all_nodes for name, kind, data in node.handled if name == instance and kind == "init"
    ]


def test_one_stands_by_on_another_node_and_its_init_waits() -> None:
    stage, workflow = staged()
    told = rows(stage, workflow)
    assert (told["b"][0], told["b~2"][0]) == ("up", "standby")
    assert told["b"][1] != told["b~2"][1]
    spare = stage.core.workflows[workflow].parts["b"].spare
    assert spare is not None
    assert repr(spare) == f"<Spare {spare.instance}, ready: 0 failures>"
    assert repr(stage.core.standby) == "<Standby 1 there or on their way>"
    assert inits(stage, spare.instance) == []
    assert stage.stop(workflow) is None
    assert all(not node.core.pool.sandboxes for node in stage.nodes.values())


def test_it_takes_over_when_the_node_dies_with_what_was_synced_and_all_that_was_sent() -> None:
    stage, workflow = staged()
    sender, (first, where) = stage.at(workflow, "a")[0], stage.at(workflow, "b")
    ready = rows(stage, workflow)["b~2"][1]
    syncs(stage.nodes[where], first, b"kept")
    stage.kill(where)
    for number in range(5):
        sends(stage.nodes["n1"], sender, "to", b"%d" % number)
    stage.lose(where)
    stage.play(0.0015)  # an init takes a millisecond, a start more
    assert rows(stage, workflow)["b"] == ("up", ready)
    stage.play(5.0)
    assert came(stage, "b") == list(range(5))
    assert stage.core.workflows[workflow].parts["b"].state == b"kept"
    told = rows(stage, workflow)
    assert told["b~2"][0] == "standby", "and another stands by"
    assert told["b~2"][1] not in (ready, where)


def test_it_takes_over_from_one_that_crashes_and_what_had_come_to_that_comes_to_it() -> None:
    stage, workflow = staged()
    sender, (first, where) = stage.at(workflow, "a")[0], stage.at(workflow, "b")
    for number in range(5):
        sends(stage.nodes["n1"], sender, "to", b"%d" % number)
    stage.nodes[where].machine.crash(first)
    stage.play(5.0)
    assert came(stage, "b") == list(range(5)), "the first ended with the one that crashed"
    assert stage.at(workflow, "b")[1] != where


def test_where_both_die_it_begins_anew_with_its_state() -> None:
    stage, workflow = staged()
    first, where = stage.at(workflow, "b")
    ready = rows(stage, workflow)["b~2"][1]
    syncs(stage.nodes[where], first, b"kept")
    for name in (ready, where):
        stage.kill(name)
    for name in (where, ready):
        stage.lose(name)
    stage.play(5.0)
    told = rows(stage, workflow)
    assert told["b"][0] == "up"
    assert told["b~2"] == ("waiting", ""), "there is no other node"
    assert stage.core.workflows[workflow].parts["b"].state == b"kept"
    stage.node("n5")  # which it may not be on
    stage.node("n3" if "n3" in (ready, where) else "n4")
    stage.play(40.0)
    assert rows(stage, workflow)["b~2"][0] == "standby"


@pytest.mark.parametrize("speaks", ["first", "last"])
def test_it_stands_by_still_when_control_has_begun_anew(speaks: str) -> None:
    """Its node, among all."""
    stage, workflow = staged()
    before = stage.core.view(workflow).instances
    guard = rows(stage, workflow)["b~2"][1]
    record = msgspec.json.decode(stage.store[f"workflows/{workflow}"][0], type=Record)
    stage.core = DomainCore(Random(), Streams(4).stream("placement"))
    stage.tell(Restored(((record, 1),), (), stage.before))
    for name in sorted(stage.nodes, key=lambda name: (name == guard) is (speaks == "last")):
        stage.joined(stage.nodes[name])
        stage.play(0.5)
    stage.play(10.0)
    after = stage.core.view(workflow).instances
    assert [(row.instance, row.state) for row in after] == [(row.instance, row.state) for row in before]
    stage.kill(where := stage.at(workflow, "b")[1])
    stage.lose(where)
    stage.play(1.0)
    assert stage.at(workflow, "b") == (next(row.instance for row in before if row.component == "b~2"), guard)


@pytest.mark.long
def test_replicas_share_what_is_sent_and_each_has_a_state() -> None:
    stage = Stage(quiet, nodes=3)
    replicas = msgspec.structs.replace(function("b"), replicas=3)
    workflow = stage.start(function("a", on="n1", to="b"), replicas)
    parts = stage.core.workflows[workflow].parts
    assert list(parts) == ["a", "b", "b~2", "b~3"]
    assert {parts[name].worker for name in ("b", "b~2", "b~3")} == {"n1", "n2", "n3"}, "on a node each"
    sender = parts["a"].instance
    for number in range(60):
        sends(stage.nodes["n1"], sender, "to", b"%d" % number)
    stage.play(2.0)
    cast_to = [name for node in stage.all_nodes for name, kind, _ in node.handled if kind == "cast"]
    shares = [cast_to.count(parts[one].instance) for one in ("b", "b~2", "b~3")]
    assert sum(shares) == 60
    assert min(shares) > 5
    syncs(stage.nodes[parts["b~2"].worker], parts["b~2"].instance, b"mine")
    stage.play(0.1)
    assert [parts[name].state for name in ("b", "b~2", "b~3")] == [None, b"mine", None]
    stage.kill("n3")
    for number in range(60, 90):
        sends(stage.nodes["n1"], sender, "to", b"%d" % number)
    stage.lose("n3")
    stage.play(5.0)
    handled = {int(data) for node in stage.all_nodes for _, kind, data in node.handled if kind == "cast"}
    assert handled == set(range(90))


def test_an_output_to_all_reaches_one_replica_of_each() -> None:
    stage = Stage(quiet, nodes=2)
    both = msgspec.structs.replace(function("a", on="n1"), outputs={"to": Output(to=("b", "c"))})
    workflow = stage.start(both, msgspec.structs.replace(function("b"), replicas=2), function("c"))
    for number in range(10):
        sends(stage.nodes["n1"], stage.at(workflow, "a")[0], "to", b"%d" % number)
    stage.play(2.0)
    told = [(name, data) for node in stage.all_nodes for name, kind, data in node.handled if kind == "cast"]
    assert sorted(int(data) for name, data in told if ".c." in name) == list(range(10))
    assert sorted(int(data) for name, data in told if ".c." not in name) == list(range(10))
