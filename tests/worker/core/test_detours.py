"""What an instance that moves had sent, and its successor takes over, where it cannot be given to whom it is for."""

from msgspec.structs import replace

from attacca.model.events import Event, Patch, Route, StartInstance, Target
from attacca.worker.core.events import Received
from tests.workflow.core.stage import Stage, function, sends
from tests.workflow.core.test_moving import came, quiet


def test_what_was_for_a_replica_that_is_nowhere_now_does_not_come_to_another_behind_what_was_sent_later() -> None:
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("a", on="n1", to="b"), replace(function("b", on="n2"), replicas=2))
    part, source = stage.core.workflows[workflow].parts["a"], f"{workflow}.a.1@n1"
    there, held = Target(f"{workflow}.b.1", "n2"), Target(f"{workflow}.b~2.2", "", is_held=True)
    unsent = tuple(
        Event(f"{workflow}.{at}.1", source, b"%d" % number, "", "to")
        for at, number in (("b", 5), ("b", 6), ("b~2", 1), ("b~2", 2))
    )
    routes = (Route("to", (there, held)),)
    after = StartInstance(f"{workflow}.a.2", workflow, "a", part.revision, routes=routes, unsent=unsent)
    stage.nodes["n1"].feed(Received("control", after))
    is_back = replace(held, instance=f"{workflow}.b~2.1", worker="n2", is_held=False)
    stage.nodes["n1"].feed(Received("control", Patch(after.id, 1, (Route("to", (there, is_back)),))))
    stage.play(1.0)
    assert handled(stage) == {f"{workflow}.b.1": [5, 6], f"{workflow}.b~2.1": [1, 2]}


def handled(stage: Stage) -> dict[str, list[int]]:
    came: dict[str, list[int]] = {}
    for name, kind, data in stage.nodes["n2"].handled:
        if kind == "cast":
            came.setdefault(name, []).append(int(data))
    return came


def moving(*, is_cut: bool, run_ms: float = 1.0) -> tuple[Stage, str]:
    """`a` has sent three to `b`, and is on its way from n1 to n3."""
    stage = Stage(quiet, nodes=3)
    workflow = stage.start(function("a", on="n1+n3", to="b"), function("b", on="n2"))
    if stage.at(workflow, "a")[1] != "n1":
        stage.migrate(workflow, "a", "n1")
        stage.play(1.0)
    stage.nodes["n2"].run_ms = run_ms
    if is_cut:
        stage.nodes["n1"].is_cut_from.add("n2")
        stage.nodes["n2"].is_cut_from.add("n1")
    for number in range(3):
        sends(stage.nodes["n1"], stage.at(workflow, "a")[0], "to", b"%d" % number)
    stage.migrate(workflow, "a", "n3")
    return stage, workflow


def test_one_that_moves_waits_for_who_is_not_heard_of_so_that_all_comes_in_its_order() -> None:
    stage, workflow = moving(is_cut=True)
    stage.play(30.0)
    assert stage.at(workflow, "a")[1] == "n1", "it goes on when what it has sent has come"
    for one, other in (("n1", "n2"), ("n2", "n1")):
        stage.mend(stage.nodes[one], other)
    stage.play(1.0)
    instance, where = stage.at(workflow, "a")
    assert where == "n3"
    sends(stage.nodes["n3"], instance, "to", b"3")
    stage.play(1.0)
    assert came(stage, "b") == [0, 1, 2, 3]


def test_it_does_not_wait_for_ever() -> None:
    stage, workflow = moving(is_cut=True)
    stage.play(70.0)
    assert stage.at(workflow, "a")[1] == "n3"


def test_a_worker_that_ends_waits_for_nobody_who_is_not_heard_of() -> None:
    stage, workflow = moving(is_cut=True)
    stage.nodes["n1"].core.instances.exchange.detours.is_ending = True
    stage.play(15.0)
    assert stage.at(workflow, "a")[1] == "n3"


def test_who_is_slow_has_it_in_its_order_and_is_not_waited_for() -> None:
    stage, workflow = moving(is_cut=False, run_ms=4000.0)
    for number in range(3, 9):
        sends(stage.nodes["n1"], stage.at(workflow, "a")[0], "to", b"%d" % number)
    stage.play(20.0)
    instance, where = stage.at(workflow, "a")
    assert where == "n3"
    sends(stage.nodes["n3"], instance, "to", b"9")
    stage.play(60.0)
    assert came(stage, "b") == list(range(10))
