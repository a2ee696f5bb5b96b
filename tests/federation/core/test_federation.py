"""The controller of a federation: one domain for each workflow, whatever comes and goes."""

import random

import msgspec
import pytest

from attacca.errors import AttaccaError, BadFunction, Conflict, NoCapacity, StateUnavailable
from attacca.federation.core.events import (
    Command,
    DomainLeft,
    Erase,
    Event,
    MigrateAsked,
    Put,
    Record,
    Reply,
    Restored,
    StartAsked,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.federation.core.federation import LEARN_S, FederationCore
from attacca.federation.core.fitting import unfit
from attacca.federation.core.invariants import check
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams
from attacca.model.federation import (
    BeginWorkflow,
    DomainJoined,
    DomainSeen,
    DomainSummary,
    EndWorkflow,
    Hosted,
    Left,
    LeftKept,
    StateCopied,
    StateTaken,
    WorkflowBegun,
    WorkflowEnded,
    WorkflowRefused,
)
from attacca.model.invocation import Failed
from attacca.model.messages import Send
from attacca.model.workflow import Component, Requirements, WorkflowSpec, WorkflowView
from attacca.policy.placement.least_loaded import LeastLoaded

SILENT_S = 5.0


class Domain:
    """One that does what it is told. `refuses`: with that error."""

    def __init__(self, name: str, *labels: str) -> None:
        self.name, self.is_here = name, False
        self.summary = DomainSummary(nodes=(f"{name}1",), memory_mb=1000, labels=labels, resources=("file-log",))
        self.has: dict[str, tuple[int, tuple[Left, ...]]] = {}
        self.refuses: Failed | None = None
        self.begun: list[str] = []

    def told(self, message: object) -> list[Event]:
        match message:
            case BeginWorkflow() if self.refuses is not None:
                return [WorkflowRefused(self.name, message.workflow, message.epoch, self.refuses)]
            case BeginWorkflow():
                if self.has.get(message.workflow, (0, ()))[0] != message.epoch:
                    self.begun.append(message.workflow)
                self.has[message.workflow] = message.epoch, message.left
                return [WorkflowBegun(self.name, message.workflow, message.epoch)]
            case EndWorkflow():
                epoch, _ = self.has.get(message.workflow, (0, ()))
                left: tuple[Left, ...] = ()
                if 0 < epoch <= message.epoch:
                    del self.has[message.workflow]
                    left = (Left("log", 1, epoch, b"kept"),) if message.hands_over else ()
                return [WorkflowEnded(self.name, message.workflow, message.epoch, left)]
            case _:
                assert isinstance(message, LeftKept | StateTaken)
                return []

    def joined(self) -> DomainJoined:
        hosted = tuple(Hosted(name, epoch, is_up=True) for name, (epoch, _) in self.has.items())
        return DomainJoined(self.name, self.summary, hosted)


class Stage:
    """A federation, its store and its domains on one clock; what they say arrives at once."""

    def __init__(self, *domains: Domain) -> None:
        self.clock, self.domains = ManualClock(), {one.name: one for one in domains}
        self.stored: dict[str, bytes] = {}
        self.replies: dict[str, WorkflowView | AttaccaError | None] = {}
        self.fails: AttaccaError | None = None
        self.core = self.fresh(1)
        for one in domains:
            self.join(one.name)

    def fresh(self, seed: int) -> FederationCore:
        return FederationCore(LeastLoaded(), Streams(seed).stream("ids"), SILENT_S)

    def feed(self, event: Event) -> None:
        waiting = [event]
        while waiting:
            commands = self.core.handle(self.clock.now(), waiting.pop(0))
            check(self.core)
            for command in commands:
                waiting += self._do(command)

    def _do(self, command: Command) -> list[Event]:
        match command:
            case Send():
                domain = self.domains[command.peer]
                return domain.told(command.message) if domain.is_here else []
            case Put() if self.fails is not None:
                return [StoreFailed(command.key, self.fails)]
            case Put():
                self.stored[command.key] = command.value
                return [Stored(command.key)]
            case Erase() if self.fails is not None:
                return [StoreFailed(command.key, self.fails, is_erase=True)]
            case Erase():
                self.stored.pop(command.key, None)
            case Reply():
                assert command.id not in self.replies, "one answer"
                self.replies[command.id] = command.outcome
        return []

    def join(self, name: str) -> None:
        self.domains[name].is_here = True
        self.feed(self.domains[name].joined())

    def lose(self, name: str) -> None:
        self.domains[name].is_here = False
        self.feed(DomainLeft(name))

    def wait(self, seconds: float) -> None:
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            self.clock.time += 0.5
            for one in self.domains.values():
                if one.is_here:
                    self.feed(DomainSeen(one.name, one.summary))
            self.feed(Tick())

    def start(self, id_: str, **requires: tuple[str, ...]) -> str:
        wanted = Requirements(**requires)  # type: ignore[arg-type]  # of its fields
        part = Component(name="log", resource="file-log", requires=wanted)
        self.feed(StartAsked(id_, WorkflowSpec(name=id_, components=(part,)), 0.0))
        return next((one.id for one in self.core.workflows.values() if one.spec.name == id_), "")

    def where(self, workflow: str) -> list[str]:
        return [one.name for one in self.domains.values() if workflow in one.has]

    def restart(self) -> None:
        records = [msgspec.json.decode(v, type=Record) for k, v in self.stored.items() if k.startswith("federation-w")]
        left = [
            (key.split("/")[1], msgspec.json.decode(value, type=Left))
            for key, value in self.stored.items()
            if key.startswith("federation-left")
        ]
        self.core = self.fresh(2)
        self.feed(Restored(tuple(records), tuple(left)))


def view(stage: Stage, id_: str) -> WorkflowView:
    found = stage.replies[id_]
    assert isinstance(found, WorkflowView), found
    return found


def test_a_workflow_is_where_it_fits_or_parked() -> None:
    stage = Stage(Domain("a"), Domain("b", "gpu"))
    fitting = stage.start("fitting", labels=("gpu",))
    assert stage.where(fitting) == ["b"]
    assert (view(stage, "fitting").domain, view(stage, "fitting").stage) == ("b", "up")
    parked = stage.start("parked", labels=("tpu",))
    assert view(stage, "parked").stage == "parked"
    assert "a: log: no node has the label 'tpu'; b: log: no node" in view(stage, "parked").why
    stage.domains["c"] = Domain("c", "tpu")
    stage.join("c")
    assert stage.where(parked) == ["c"]
    assert repr(stage.core) == "<FederationCore 2 of 2 workflows up, 3 of 3 domains here>"
    assert repr(stage.core.workflows[parked]) == f"<Workflow {parked} up in c, epoch 1>"
    assert repr(stage.core.domains["c"]) == "<Domain c here: 1 nodes>"
    assert repr(stage.core._keeping) == "<Keeping 0 keys being written>"
    assert repr(stage.core._placing) == "<Placing <Timers 0 set, 1 entries>>"
    stage.feed(StopAsked("end", parked))
    assert (stage.where(parked), stage.replies["end"]) == ([], None)
    assert not [key for key in stage.stored if parked in key]


def test_it_moves_with_what_it_leaves_behind() -> None:
    stage = Stage(Domain("a"), Domain("b"))
    name = stage.start("moving")
    assert stage.where(name) == ["a"]
    stage.feed(MigrateAsked("there", name, ("a",)))
    assert isinstance(stage.replies["there"], Conflict)
    stage.feed(MigrateAsked("move", name, ("b",)))
    assert view(stage, "move").domain == "b"
    assert stage.where(name) == ["b"]
    assert stage.domains["b"].has[name] == (2, (Left("log", 1, 1, b"kept"),))
    stage.domains["a"].refuses = Failed("no_capacity", "too small")
    stage.feed(MigrateAsked("back", name, ("a",)))
    assert isinstance(stage.replies["back"], NoCapacity), "it is in b again"
    assert stage.where(name) == ["b"]


def test_the_death_of_a_domain_and_its_return() -> None:
    stage = Stage(Domain("a"), Domain("b"))
    name = stage.start("going")
    stage.feed(StateCopied("a", name, 1, Left("log", 1, 7, b"seven")))
    stage.feed(StateCopied("b", name, 1, Left("log", 1, 8, b"of another")))
    stage.lose("a")
    stage.wait(SILENT_S - 1)
    assert stage.where(name) == ["a"], "it may come back"
    stage.wait(2)
    assert stage.domains["b"].has[name] == (2, (Left("log", 1, 7, b"seven"),)), "with what it had synced last"
    assert stage.core.view(name).why.startswith("the domain a is gone; b: the emptiest")
    assert stage.where(name) == ["a", "b"], "it was only cut off"
    stage.join("a")
    assert stage.where(name) == ["b"], "the older one is told to end"


def test_one_that_comes_back_before_anybody_had_room_goes_on() -> None:
    stage = Stage(Domain("a"))
    name = stage.start("alone")
    stage.lose("a")
    stage.wait(SILENT_S + 1)
    assert stage.core.view(name).stage == "parked"
    stage.join("a")
    assert (stage.core.view(name).stage, stage.domains["a"].begun) == ("up", [name])


def test_a_federation_that_was_away_itself_gives_nobody_up_for_it() -> None:
    stage = Stage(Domain("a"), Domain("b"))
    name = stage.start("steady")
    stage.clock.time += 100
    stage.feed(Tick())
    assert stage.core.view(name).domain == "a"
    for one in stage.domains.values():
        one.is_here = False  # and no link has said so
    stage.clock.time += SILENT_S
    stage.feed(Tick())
    assert stage.core.view(name).stage == "parked", "by now they had the time to say something"


def test_nothing_is_begun_again_because_the_federation_was_away() -> None:
    stage = Stage(Domain("a"), Domain("b"))
    names = [stage.start("one"), stage.start("two")]
    before = {name: stage.where(name) for name in names}
    for one in stage.domains.values():
        one.is_here = False
    stage.restart()
    stage.wait(LEARN_S - 1)
    for name in stage.domains:
        stage.join(name)
    assert {name: stage.where(name) for name in names} == before
    assert sorted(stage.domains["a"].begun + stage.domains["b"].begun) == sorted(names)
    assert {one.stage for one in stage.core.known.views()} == {"up"}


@pytest.mark.parametrize(("code", "is_up"), [("bad_function", False), ("no_capacity", True)])
def test_a_refusal_is_told_or_another_is_tried(code: str, is_up: bool) -> None:  # noqa: FBT001 - of a table
    stage = Stage(Domain("a"), Domain("b"))
    stage.domains["a"].refuses = Failed(code, "not here")
    name = stage.start("tried")
    if is_up:
        assert view(stage, "tried").domain == "b"
    else:
        assert (isinstance(stage.replies["tried"], BadFunction), stage.where(name)) == (True, [])


def test_what_cannot_be_kept_is_not_begun() -> None:
    stage = Stage(Domain("a"))
    stage.fails = StateUnavailable("the disk is full")
    stage.start("lost")
    assert (stage.replies["lost"], stage.core.workflows) == (stage.fails, {})
    assert stage.domains["a"].begun == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_and_goes_each_is_in_one_domain_at_last(seed: int) -> None:
    chance, stage = random.Random(seed), Stage(Domain("a"), Domain("b"), Domain("c"))
    for step in range(40):
        name = chance.choice("abc")
        match chance.randrange(6):
            case 0:
                stage.start(f"w{step}")
            case 1 if stage.core.workflows:
                stage.feed(MigrateAsked(str(step), chance.choice(list(stage.core.workflows)), (name,)))
            case 2 if stage.core.workflows:
                stage.feed(StopAsked(str(step), chance.choice(list(stage.core.workflows))))
            case 3 | 4:
                (stage.lose if stage.domains[name].is_here else stage.join)(name)
            case _:
                stage.wait(chance.choice((1, SILENT_S + 1)))
    for one in stage.domains.values():
        if not one.is_here:
            stage.join(one.name)
    stage.wait(40)
    known = {name: [one.domain] for name, one in stage.core.workflows.items()}
    there = {name for one in stage.domains.values() for name in one.has}
    assert {name: stage.where(name) for name in {*known, *there}} == known


def test_a_summary_says_why_not() -> None:
    summary = DomainSummary(nodes=("n1",), memory_mb=100, resources=("redis",), machine_mb=64, processors=2)
    cases = {
        "it has no node n2": Requirements(nodes=("n2",)),
        "no node has the resource 'mqtt'": Requirements(resources=("mqtt",)),
        "no node runs in a trusted environment (tee)": Requirements(tee=True),
        "no node has a tpm": Requirements(tpm=True),
        "its largest machine has 64 MB, not 65": Requirements(memory_mb=65),
        "its largest machine has 2 processors, not 3": Requirements(cpus=3),
        "": Requirements(nodes=("n1", "n2"), resources=("n1-redis",), memory_mb=64),
    }
    for why, requires in cases.items():
        spec = WorkflowSpec(name="w", components=(Component(name="part", resource="redis", requires=requires),))
        assert unfit(summary, spec.components) == (f"part: {why}" if why else "")
    assert unfit(DomainSummary(), spec.components) == "it has no nodes"
