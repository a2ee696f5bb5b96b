"""What an instance takes over of what its predecessor had sent, where it cannot be given to whom it is for."""

from msgspec.structs import replace

from attacca.model.events import Event, Patch, Route, StartInstance, Target
from attacca.worker.core.events import Received
from tests.workflow.core.stage import Stage, function
from tests.workflow.core.test_moving import quiet


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
