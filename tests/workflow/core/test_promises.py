"""What whoever writes an event function may rely on, whatever graph it is in; see `tests/workflow/checklist.py`."""

import pytest

from attacca.model.events import ReplyKind
from attacca.model.workflow import Component
from attacca.worker.core.events import Respond
from attacca.workflow.core import identities
from tests.cases import each
from tests.workflow.core.stage import Stage, calls, function, sends
from tests.workflow.core.test_moving import came, quiet

pytestmark = pytest.mark.long  # whole stories


def resource(name: str) -> Component:
    return Component(name=name, resource="file-log", configuration={"filename": name})


@each(
    "parts",
    [
        (resource("log"),),
        (resource("one"), resource("other")),
        (function("a", to="b"), function("b", back="a")),
        (function("a", again="a"),),
        (function("a", to="b"), function("b", on="c", to="c"), function("c", first="a", second="b")),
        (function("a"), function("b", to="log"), resource("log")),
    ],
)
def test_a_graph_may_have_any_shape(parts: tuple[Component, ...]) -> None:
    stage = Stage(quiet)
    stage.node("c")
    workflow = stage.start(*parts)
    assert {row.state for row in stage.core.view(workflow).instances} == {"up"}
    assert stage.stop(workflow) is None


def test_an_instance_begins_with_its_init_and_has_it_once() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", payload="8"))
    for turn in range(3):
        for number in range(10):
            sends(stage.nodes["n1"], stage.at(workflow, "a")[0], "to", b"%d" % number)
        instance, where = stage.at(workflow, "b")
        if turn:
            stage.migrate(workflow, "b", "n2" if where == "n1" else "n1")
        else:
            stage.nodes[where].machine.crash(instance)
        stage.play(5.0)
    lives: dict[str, list[tuple[str, bytes]]] = {}
    for node in stage.all_nodes:
        for name, kind, data in node.handled:
            lives.setdefault(name, []).append((kind, data))
    named = {name.rpartition(".")[0]: told for name, told in lives.items()}
    assert len(lives) == 5, "one of a, and four of b"
    assert named[f"{workflow}.b"][0] == ("init", b"8")
    for told in lives.values():
        assert [place for place, (kind, _) in enumerate(told) if kind == "init"] == [0]


def test_self_leads_to_itself_and_what_leads_nowhere_to_nobody() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a", to="b"), function("b"))
    for output in ("self", "nowhere", "to"):
        sends(stage.nodes["n1"], stage.at(workflow, "a")[0], output, output.encode())
    stage.play(1.0)
    told = [(name.split(".")[1], data) for name, kind, data in stage.nodes["n1"].handled if kind == "cast"]
    assert sorted(told) == [("a", b"self"), ("b", b"to")]


def test_what_is_delayed_comes_no_sooner() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a", to="b"), function("b"))
    sends(stage.nodes["n1"], stage.at(workflow, "a")[0], "to", b"1", seconds=0.5)
    stage.play(0.499)
    assert came(stage, "b") == []
    stage.play(0.01)
    assert came(stage, "b") == [1]


def test_who_is_stopped_ends_what_it_handles_and_is_told_once() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("a", to="b"), function("b"))
    instance, node = stage.at(workflow, "b")[0], stage.nodes["n1"]
    node.run_ms = 100.0
    for number in range(3):
        sends(node, stage.at(workflow, "a")[0], "to", b"%d" % number)
    stage.play(0.01)
    assert stage.stop(workflow) is None
    told = [(kind, data) for name, kind, data in node.handled if name == instance]
    assert told == [("init", b""), ("cast", b"0"), ("stop", b"")], "what waits is for nobody any more"


def test_who_waits_for_a_reply_when_it_is_stopped_has_an_error_and_its_stop() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2"))
    node, caller = stage.nodes["n1"], stage.at(workflow, "a")[0]
    node.is_cut_from.add("n2")
    calls(node, caller, "to", b"hello")
    stage.play(0.01)
    assert stage.stop(workflow) is None
    (answer,) = [one for one in node.machine.said if isinstance(one, Respond)]
    assert (answer.sandbox, answer.kind) == (caller, ReplyKind.ERROR)
    assert [kind for name, kind, _ in node.handled if name == caller] == ["init", "stop"]


def test_the_death_of_a_node_leaves_what_is_logical_and_all_else_is_new() -> None:
    stage = Stage(quiet, nodes=3)
    workflow = stage.start(function("a", on="n1", to="b"), function("b", on="n2+n3"))
    logical, (before, where) = identities.of_component(workflow, "b"), stage.at(workflow, "b")
    stage.kill(where)
    stage.lose(where)
    stage.play(1.0)
    after, there = stage.at(workflow, "b")
    assert there not in ("", where)
    assert identities.of_instance(before) != identities.of_instance(after)
    assert identities.of_component(workflow, "b") == logical
    sends(stage.nodes["n1"], stage.at(workflow, "a")[0], "to", b"7")
    stage.play(1.0)
    assert (after, "cast", b"7") in stage.nodes[there].handled, "who sends to it has been told"


def test_what_no_node_can_have_waits_for_one_that_can() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n2+n3"))
    stage.kill("n2")
    stage.lose("n2")
    stage.play(100.0)
    assert [(row.state, row.worker) for row in stage.core.view(workflow).instances] == [("waiting", "")]
    stage.node("n4")
    stage.play(100.0)
    assert stage.at(workflow, "a") == ("", "")
    stage.node("n3")
    stage.play(31.0)
    assert stage.at(workflow, "a")[1] == "n3"
