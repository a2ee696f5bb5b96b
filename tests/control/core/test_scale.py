"""How many sandboxes a function has is changed while it runs: durable, announced, under the same number."""

import pytest

from attacca.control.core.events import ScaleAsked
from attacca.control.core.policies import Policies, placement, scaling
from attacca.errors import AttaccaError, BadConfig, BadRequest, NotFound, TooMuchReserved
from attacca.kernel.registry import Choice
from attacca.model.function import Revision, Scale, Scheduling, Settings
from attacca.model.messages import Deployed
from attacca.model.resources import Resources
from attacca.model.sandbox import Capacity
from attacca.policy.placement.random import Random
from attacca.policy.scaling.knative import Knative
from tests.cases import each
from tests.control.stage import Stage, deploy

CLUSTER = Settings(name="a", scheduling=Scheduling.CLUSTER)


def deployed(capacity: Capacity | None = None) -> Stage:
    stage = Stage(capacity)
    stage.feed(deploy("d", "a"))
    stage.play()
    return stage


def answer(stage: Stage, scale: Scale, function: str = "a") -> object:
    stage.feed(ScaleAsked("s", function, scale))
    stage.play()
    return stage.replies.pop("s")


def test_the_same_revision_is_announced_with_another_scale() -> None:
    stage = deployed()
    before = stage.core.changes.catalogue.get("a").now
    now = answer(stage, Scale(min_sandboxes=1, max_sandboxes=20))
    assert isinstance(now, Revision)
    assert (now.id, now.settings.min_sandboxes, now.settings.max_sandboxes) == (before.id, 1, 20)
    assert isinstance(stage.announced[-1], Deployed)
    assert stage.announced[-1].revision == now
    assert now.is_rescaled(before)
    [(stored, _)] = stage.functions()
    assert stored.revisions == (now,)
    stage.start()
    assert stage.core.changes.catalogue.get("a").now == now


@pytest.mark.parametrize(
    ("scale", "error", "words"),
    [
        (Scale(min_sandboxes=3, max_sandboxes=2), BadRequest, "must not exceed max_sandboxes"),
        (Scale(scaling={"policy": "knative"}), BadRequest, 'needs scheduling = "cluster"'),
        (Scale(min_sandboxes=5000), TooMuchReserved, "min_sandboxes = 5000"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(scale: Scale, error: type[AttaccaError], words: str) -> None:
    stage = deployed(Capacity(resources=Resources(2000)))
    before = stage.core.changes.catalogue.get("a")
    refusal = answer(stage, scale)
    assert isinstance(refusal, error)
    assert words in refusal.message
    assert stage.core.changes.catalogue.get("a") == before
    assert isinstance(answer(stage, Scale(), "nobody"), NotFound)


def test_options_are_changed_one_by_one_and_another_policy_begins_anew() -> None:
    first = Scale(scaling={"policy": "knative", "target": 2}, placement="random").of(CLUSTER)
    assert Scale(scaling={"tick_s": 1}).of(first).scaling == {"policy": "knative", "target": 2, "tick_s": 1}
    assert Scale(scaling={"policy": "knative", "target": 3}).of(first).scaling == {"policy": "knative", "target": 3}
    assert Scale(scaling={"policy": "fixed"}).of(first).scaling == {"policy": "fixed"}
    assert Scale(placement="").of(first).placement == ""
    assert Scale().of(first) == first
    assert Scale(max_sandboxes=None).of(Scale(max_sandboxes=4).of(CLUSTER)) == CLUSTER


def test_another_function_is_not_rescaled() -> None:
    stage = deployed()
    now = stage.core.changes.catalogue.get("a").now
    stage.feed(deploy("e", "a"))
    stage.play()
    assert not stage.core.changes.catalogue.get("a").now.is_rescaled(now)


def test_what_a_function_leaves_out_is_the_servers() -> None:
    server = Policies(scaling=Choice(policy="knative", options={"tick_s": 1.0}), placement=Choice(policy="random"))
    assert server.scaling_of(CLUSTER) == server.scaling
    assert server.placement_of(CLUSTER) == server.placement
    mine = Scale(scaling={"target": 3}, placement="kubernetes").of(CLUSTER)
    assert scaling(server.scaling_of(mine)) == Knative(target=3.0, tick_s=1.0)
    assert server.placement_of(mine) == Choice(policy="kubernetes")
    assert server.scaling_of(Scale(scaling={"policy": "fixed"}).of(CLUSTER)) == Choice(policy="fixed")
    assert placement(server.placement) == Random()


@each(
    "scale, words",
    [
        (Scale(scaling={"policy": "magic"}), "no scaling policy is called 'magic'"),
        (Scale(scaling={"colour": 3}), "scaling policy 'knative'.*colour"),
        (Scale(scaling={"target": -1}), "scaling policy 'knative'.*target"),
        (Scale(placement="magic"), "no placement policy is called 'magic'"),
    ],
)
def test_a_policy_that_there_is_not_is_refused_at_the_door(scale: Scale, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        Policies().expect(scale.of(CLUSTER))


def test_a_deployment_that_asks_for_one_is_refused_too() -> None:
    stage = Stage()
    settings = Scale(placement="magic").of(CLUSTER)
    stage.feed(deploy("d", "a", scheduling=Scheduling.CLUSTER, placement=settings.placement))
    stage.play()
    assert "magic" in repr(stage.replies["d"])
