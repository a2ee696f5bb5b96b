"""Components of one workflow in several domains: each is active in one of them, whatever comes and goes."""

import random

import pytest

from attacca.errors import Conflict, NotFound
from attacca.federation.core.events import Event, MigrateAsked, StartAsked, StopAsked
from attacca.federation.core.hosted import Stage as Phase
from attacca.model.federation import BeginWorkflow, DomainJoined, EndWorkflow, Hosted, Left, Portals, WorkflowEnded
from attacca.model.workflow import Component, Output, WorkflowSpec, WorkflowView
from tests.federation.core.test_federation import Domain, Stage

NAMES = ("a", "b", "c")
SPEC = WorkflowSpec(
    name="chain",
    components=tuple(
        Component(name=name, resource="file-log", outputs={"out": Output(to=(to,))} if to else {})
        for name, to in zip(NAMES, (*NAMES[1:], ""), strict=True)
    ),
)


class Parting(Domain):
    """One whose workflows come apart as they do."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.parts: dict[str, tuple[str, ...]] = {}  # by id
        self.heard: list[object] = []

    def told(self, message: object) -> list[Event]:
        self.heard.append(message)
        match message:
            case Portals():
                return []
            case BeginWorkflow():
                self.parts[message.workflow] = message.components or NAMES
            case EndWorkflow():
                root, _, component = message.workflow.partition("~")
                epoch, _ = self.has.get(root, (0, ()))
                is_within = message.workflow not in self.has and component in self.parts.get(root, ())
                if is_within and 0 < epoch <= message.epoch:
                    self.parts[root] = tuple(one for one in self.parts[root] if one != component)
                    left = (Left(component, 1, epoch, b"kept"),) if message.hands_over else ()
                    return [WorkflowEnded(self.name, message.workflow, message.epoch, left)]
            case _:
                pass
        said = super().told(message)
        self.parts = {name: parts for name, parts in self.parts.items() if name in self.has}
        return said

    def joined(self) -> DomainJoined:
        hosted = tuple(
            Hosted(name, epoch, is_up=True, components=self.parts[name]) for name, (epoch, _) in self.has.items()
        )
        return DomainJoined(self.name, self.summary, hosted)

    def active(self) -> list[str]:
        return [part for parts in self.parts.values() for part in parts]


class Parts(Stage):
    def __init__(self, *names: str) -> None:
        super().__init__(*map(Parting, names))
        self.feed(StartAsked("start", SPEC, 0.0))
        (self.id,) = self.core.workflows

    def active(self, name: str) -> list[str]:
        domain = self.domains[name]
        assert isinstance(domain, Parting)
        return sorted(domain.active())

    def move(self, id_: str, component: str, to: str) -> object:
        self.feed(MigrateAsked(id_, self.id, (to,), component))
        return self.replies.get(id_)

    def places(self) -> dict[str, str]:
        return {row.component: row.domain for row in self.core.view(self.id).instances}


def test_a_component_moves_alone_and_the_rest_stays() -> None:
    stage = Parts("x", "y")
    home = stage.core.workflows[stage.id].domain
    other = "y" if home == "x" else "x"
    assert isinstance(stage.move("1", "b", other), WorkflowView)
    assert (stage.active(home), stage.active(other)) == (["a", "c"], ["b"])
    share = stage.core.workflows[f"{stage.id}~b"]
    assert (share.domain, share.epoch, share.stage) == (other, 2, Phase.UP)
    begun = [one for one in stage.domains[other].heard if isinstance(one, BeginWorkflow)]  # type: ignore[attr-defined] # all are Parting
    assert (begun[-1].components, begun[-1].left[0].state) == (("b",), b"kept")
    assert isinstance(stage.move("2", "b", other), Conflict)
    assert isinstance(stage.move("3", "nobody", other), NotFound)
    assert isinstance(stage.move("4", "a", other), WorkflowView)
    assert isinstance(stage.move("5", "c", other), Conflict), "it is all that is left"
    assert isinstance(stage.move("6", "b", home), WorkflowView)
    assert (stage.active(home), stage.active(other)) == (["b", "c"], ["a"])
    stage.restart()
    for name in ("x", "y"):
        stage.join(name)
    assert (stage.active(home), stage.active(other)) == (["b", "c"], ["a"])
    assert {one.stage for one in stage.core.workflows.values()} == {Phase.UP}
    assert [one.name for one in stage.core.known.views()] == ["chain"]
    stage.feed(StopAsked("7", "chain"))
    assert (stage.replies["7"], stage.core.workflows, stage.stored) == (None, {}, {})
    assert (stage.active(home), stage.active(other)) == ([], [])


def test_the_death_of_its_domain_brings_a_component_back() -> None:
    stage = Parts("x", "y")
    home = stage.core.workflows[stage.id].domain
    other = "y" if home == "x" else "x"
    stage.move("1", "b", other)
    stage.lose(other)
    stage.wait(7.0)
    assert stage.active(home) == ["a", "b", "c"]
    share = stage.core.workflows[f"{stage.id}~b"]
    assert (share.domain, share.given_up) == (home, other)
    assert f"the domain {other} is gone" in share.why
    stage.join(other)
    assert stage.active(other) == [], "another is in its place"


@pytest.mark.long
def test_whatever_comes_and_goes_each_component_is_active_once_at_last() -> None:
    for seed in range(8):
        chance, stage = random.Random(seed), Parts("x", "y", "z")
        for turn in range(25):
            happens(stage, chance, f"m{turn}")
        for one in stage.domains.values():
            if not one.is_here:
                stage.join(one.name)
        stage.wait(60.0)
        assert sorted(stage.active("x") + stage.active("y") + stage.active("z")) == ["a", "b", "c"], seed
        assert {one.stage for one in stage.core.workflows.values()} == {Phase.UP}, seed


def happens(stage: Parts, chance: random.Random, id_: str) -> None:
    name = chance.choice("xyz")
    match chance.randrange(5):
        case 0 if stage.domains[name].is_here:
            stage.lose(name)
        case 1 if not stage.domains[name].is_here:
            stage.join(name)
        case 2:
            stage.restart()
            for one in [one for one in stage.domains.values() if one.is_here]:
                stage.join(one.name)
        case 3:
            stage.wait(chance.choice((1.0, 8.0, 25.0)))
        case _:
            stage.move(id_, chance.choice(("a", "b", "c", "")), name)
