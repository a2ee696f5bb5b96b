from typing import Any

import pytest

from attacca.errors import AttaccaError, Conflict, NoCapacity, NotFound
from attacca.model.workflow import WorkflowView
from attacca.workflow.core.events import MigrateAsked
from attacca.workflow.core.graph import Stage as Stages
from tests.workflow.core.stage import Node, Stage, function, sends, syncs


def quiet(node: Node, instance: str, kind: str, data: bytes) -> bytes | None:
    return data if kind == "call" else None


def came(stage: Stage, component: str) -> list[int]:
    """What its instances have handled, in the order of their numbers."""
    handled = [one for node in stage.all_nodes for one in node.handled]
    mine = [
        (int(name.rpartition(".")[2]), int(data))
        for name, kind, data in handled
        if kind == "cast" and f".{component}." in name
    ]
    return [data for _, data in sorted(mine, key=lambda one: one[0])]


def said(stage: Stage, number: str) -> Any:
    return stage.replies[number]


@pytest.mark.long
def test_one_that_moves_goes_on_with_its_state_and_gets_all_that_was_sent_in_order() -> None:
    for source in ("n1", "n2", "n3"):  # beside it, elsewhere, and where it goes
        stage = Stage(quiet, nodes=3)
        workflow = stage.start(function("a", on=source, to="b"), function("b", on="n1+n3"))
        if stage.at(workflow, "b")[1] != "n1":
            stage.migrate(workflow, "b", "n1")
            stage.play(1.0)
        sender, (first, where) = stage.at(workflow, "a")[0], stage.at(workflow, "b")
        syncs(stage.nodes[where], first, b"kept")
        asked = ""
        for number in range(60):
            sends(stage.nodes[source], sender, "to", b"%d" % number)
            if number == 20:
                asked = stage.migrate(workflow, "b", "n3")
            stage.play(0.0004)
        stage.play(10.0)
        assert came(stage, "b") == list(range(60)), source
        assert stage.at(workflow, "b")[1] == "n3"
        assert isinstance(said(stage, asked), WorkflowView)
        assert stage.core.workflows[workflow].parts["b"].state == b"kept"
        assert repr(stage.core.moving) == "<Moving 0 parts>"
        stops = [kind for node in stage.nodes.values() for name, kind, _ in node.handled if name == first]
        assert stops[-1] == "stop"


def test_a_whole_workflow_moves_and_what_is_held_goes_along() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1+n2", to="b"), function("b", on="n1+n2"))
    for name in ("a", "b"):
        if stage.at(workflow, name)[1] != "n1":
            stage.migrate(workflow, name, "n1")
    stage.play(5.0)
    asked = stage.migrate(workflow, "", "n2")
    moves = stage.core.moving.moves
    assert repr(stage.core.moving) == "<Moving 2 parts>"
    assert [repr(move) for move in moves.values()] == [f"<Move {asked}: 2 on their way>"] * 2
    sender = stage.nodes["n1"].core.instances.by_id[stage.at(workflow, "a")[0]]
    for number in range(10):
        sends(stage.nodes["n1"], sender.id, "to", b"%d" % number)
    waits = "<Lane 0 inherited, 0 came back, 10 held, 0 on their way>"
    assert [repr(lane) for lane in sender.lanes.values()] == [waits]
    assert repr(stage.nodes["n1"].core.instances.exchange.detours) == "<Detours 1 lanes, 0 on their way>"
    assert repr(stage.core.placing) == f"<Placing {stage.core.placing.due!r}>"
    assert repr(stage.core.keeping) == "<Keeping 1 keys, 0 being written>"
    stage.play(5.0)
    assert isinstance(said(stage, asked), WorkflowView)
    assert {stage.at(workflow, name)[1] for name in ("a", "b")} == {"n2"}
    assert came(stage, "b") == list(range(10))


def test_what_cannot_move_is_refused_and_stays() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n1+n2"))
    before = stage.at(workflow, "b")
    refused: list[tuple[str, str, type[AttaccaError], str]] = [
        ("none", "n1", NotFound, "has no component 'none'"),
        ("b", "n9", NotFound, "there is no node 'n9'"),
        ("b", before[1], Conflict, f"b is on {before[1]} already"),
        ("a", "n2", NoCapacity, "a cannot move: n2: "),
    ]
    for component, to, kind, says in refused:
        answer = said(stage, stage.migrate(workflow, component, to))
        assert isinstance(answer, kind)
        assert says in str(answer)
    assert isinstance(said(stage, stage.migrate("nothing", "", "n1")), NotFound)
    assert stage.at(workflow, "b") == before
    other = "n2" if before[1] == "n1" else "n1"
    stage.migrate(workflow, "b", other)
    assert "b is moving" in str(said(stage, stage.migrate(workflow, "b", other)))


def test_a_target_that_dies_midway_leaves_it_running_somewhere_with_its_state() -> None:
    for when in (0.0, 0.0015, 0.004):  # it stops, is gone, begins there
        stage = Stage(quiet, nodes=3)
        workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2+n3"))
        sender, (first, where) = stage.at(workflow, "a")[0], stage.at(workflow, "b")
        target = "n3" if where == "n2" else "n2"
        syncs(stage.nodes[where], first, b"kept")
        asked = stage.migrate(workflow, "b", target)
        stage.play(when)
        stage.kill(target)
        for number in range(10):
            sends(stage.nodes["n1"], sender, "to", b"%d" % number)
        stage.lose(target)
        stage.play(10.0)
        answer = said(stage, asked)
        assert isinstance(answer, NoCapacity)
        assert f"could not be started on {target}, and is on {where}" in str(answer)
        assert came(stage, "b") == list(range(10))
        assert stage.core.workflows[workflow].parts["b"].state == b"kept"


def test_a_source_that_dies_midway_is_followed_where_it_was_to_go() -> None:
    stage = Stage(quiet, nodes=3)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2+n3"))
    sender, (_, where) = stage.at(workflow, "a")[0], stage.at(workflow, "b")
    target = "n3" if where == "n2" else "n2"
    asked = stage.migrate(workflow, "b", target)
    stage.kill(where)
    for number in range(10):
        sends(stage.nodes["n1"], sender, "to", b"%d" % number)
    stage.lose(where)
    stage.play(10.0)
    assert isinstance(said(stage, asked), WorkflowView)
    assert stage.at(workflow, "b")[1] == target
    assert came(stage, "b") == list(range(10))


def test_whoever_waits_for_a_move_of_what_is_stopped_is_told() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("b", on="n1+n2"))
    target = "n2" if stage.at(workflow, "b")[1] == "n1" else "n1"
    asked = stage.migrate(workflow, "b", target)
    assert stage.stop(workflow) is None
    assert isinstance(said(stage, asked), Conflict)
    assert repr(stage.core.nodes.by_name[target]) == f"<Node {target}: 0 instances>"


def test_one_that_waits_to_begin_where_it_was_sent_is_sent_there_again_or_elsewhere() -> None:
    """What it has synced last is not kept yet."""
    stage = Stage(quiet, nodes=3)
    workflow = stage.start(function("only"))
    name, first = stage.at(workflow, "only")
    second, third = [node for node in stage.nodes if node != first]
    stage.is_writing = False
    syncs(stage.nodes[first], name, b"last")
    for number, to in (("1", second), ("2", second), ("3", third)):
        stage.tell(MigrateAsked(number, workflow, "only", (to,)))
        stage.play(1.0)
    part = stage.core.workflows[workflow].parts["only"]
    assert (part.stage, part.wanted_at) == (Stages.WAITING, third)
    assert [type(stage.replies[number]) for number in "12"] == [Conflict, Conflict]
    reserved = {name: node.reserved.memory_mb for name, node in stage.core.nodes.by_name.items()}
    assert reserved == {first: 0, second: 0, third: part.asked.memory_mb}
