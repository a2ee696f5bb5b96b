"""Laws: whatever happens in whatever order, what must hold holds, and every invocation ends exactly once."""

from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.model.function import Revision
from attacca.model.invocation import FunctionError, Invocation, Ok
from attacca.model.messages import Catalogue, Evict, Prewarm
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.keepalive import KEEPALIVE
from attacca.policy.queueing import QUEUEING
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import Command, Drain, Measured
from attacca.worker.runtime.scripted import Answer, Fault, Times
from tests.drawing import Every, several
from tests.worker.stage import Stage, revision

NAMES = ("ant", "bee", "cat")
SHAPES = (
    {"memory_mb": 32},
    {"memory_mb": 64, "concurrency": 3},
    {"memory_mb": 96, "max_sandboxes": 1},
    {"memory_mb": 32, "min_sandboxes": 1, "max_sandboxes": 2},
    {"memory_mb": 160, "concurrency": 2},
)


@dataclass(frozen=True)
class Act:
    kind: str
    which: int
    much: int


KINDS = (
    *["send"] * 6,
    *["play"] * 4,
    *["withdraw", "deploy", "delete", "crash", "crash_template", "harm", "mend", "evict", "prewarm", "check"],
    *["measure", "catalogue"],
)
ACTS = several(Every(Act, kind=KINDS, which=range(5), much=range(7)), max_size=40)
POLICIES = st.sampled_from(list(product(sorted(QUEUEING), sorted(CONCURRENCY), sorted(KEEPALIVE))))


def stage_of(policies: tuple[str, str, str], *, shortcut: bool = True) -> Stage:
    queueing, concurrency, keepalive = policies
    return Stage(
        WorkerConfig(memory_mb=200, memory_buffer_mb=20),
        times=Times(sandbox_ms=10, code_ms=10, imports_ms=50, fork_ms=10, run_ms=30, kill_ms=7),
        handler=answer,
        queueing=QUEUEING[queueing](),
        concurrency=CONCURRENCY[concurrency](count=3),  # type: ignore[call-arg]
        keepalive=KEEPALIVE[keepalive](),
        shortcut=shortcut,
    )


def answer(_: Revision, invocation: Invocation) -> Answer:
    number = int(invocation.id.rpartition("-")[2])
    return Answer(run_ms=10.0 * (1 + number % 4), outcome=FunctionError("E", "e") if number % 7 == 0 else Ok())


class Theatre:
    """Plays acts on a stage; every act is legal, whatever went before."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.revisions: dict[str, Revision] = {}
        self.numbers = dict.fromkeys(NAMES, 0)

    def play(self, acts: list[Act]) -> None:
        for act in acts:
            if act.kind == "play":
                self.stage.play(0.005 * 3**act.much)
            else:
                getattr(self, act.kind)(NAMES[act.which % 3], act)

    def finish(self) -> None:
        """Everything is mended, nothing holds on to memory, and enough time passes."""
        for name in NAMES:
            self.stage.machine.mend(name)
        self.stage.play(30)
        for name, current in self.revisions.items():
            if current.settings.min_sandboxes and name in self.stage.core.functions:
                self.numbers[name] += 1
                self.stage.deploy(name, self.numbers[name], memory_mb=32)
        self.stage.play(90)

    def deploy(self, name: str, act: Act) -> None:
        self.numbers[name] += 1
        shape = SHAPES[(act.which + act.much) % len(SHAPES)]
        self.revisions[name] = self.stage.deploy(name, self.numbers[name], **shape)

    def send(self, name: str, act: Act) -> None:
        if name not in self.revisions:
            self.deploy(name, act)
        self.stage.send(self.revisions[name], 1 + act.much // 3)

    def withdraw(self, _: str, act: Act) -> None:
        items = list(self.stage.core.scheduler.items)
        if items:
            self.stage.withdraw(items[act.much % len(items)], running=act.which % 2 == 0)

    def delete(self, name: str, _: Act) -> None:
        self.stage.delete(name)

    def catalogue(self, name: str, _: Act) -> None:
        kept = tuple(revision for key, revision in self.revisions.items() if key != name)
        self.stage.tell(Catalogue(1, kept))

    def crash(self, _: str, act: Act) -> None:
        names = list(self.stage.runtime.sandboxes)
        if names:
            self.stage.machine.crash(names[act.much % len(names)])

    def crash_template(self, _: str, act: Act) -> None:
        names = list(self.stage.runtime.templates)
        if names:
            self.stage.machine.crash(names[act.much % len(names)])

    def harm(self, name: str, act: Act) -> None:
        fault = Fault(code="sandbox_lost" if act.much % 2 else "bad_function", times=1 + act.much)
        if act.which % 2:
            self.stage.machine.break_starts(name, fault)
        else:
            self.stage.machine.break_templates(name, fault)

    def mend(self, name: str, _: Act) -> None:
        self.stage.machine.mend(name)

    def evict(self, name: str, act: Act) -> None:
        self.stage.tell(Evict(name, templates=act.much % 2 == 0, is_renewal=act.much % 3 == 0))

    def prewarm(self, name: str, act: Act) -> None:
        self.stage.tell(Prewarm(name, act.much))

    def check(self, name: str, act: Act) -> None:
        shape = SHAPES[(act.which + act.much) % len(SHAPES)]
        self.stage.check(revision(name, self.numbers[name] + 1, **shape))

    def measure(self, _: str, act: Act) -> None:
        self.stage.tell(Measured(act.much / 3))


def has_ended(stage: Stage) -> bool:
    return len(stage.ended) == stage.sent and stage.core.busy() == 0


@pytest.mark.long
@given(POLICIES, ACTS)
@settings(max_examples=2 * settings().max_examples)
def test_every_dispatch_ends_exactly_once(policies: tuple[str, str, str], acts: list[Act]) -> None:
    stage = stage_of(policies)
    theatre = Theatre(stage)
    theatre.play(acts)
    theatre.finish()
    assert has_ended(stage), f"{stage.core.scheduler.items}"
    checks = sum(act.kind == "check" for act in acts)
    assert len(stage.checked) == checks
    copies = stage.runtime.sandboxes
    assert list(copies) == list(stage.core.pool.sandboxes), "the worker knows what there is"
    assert list(stage.runtime.templates) == list(stage.core.pool.templates)


@pytest.mark.long
@given(POLICIES, ACTS)
def test_the_shortcut_gives_the_same_answers(policies: tuple[str, str, str], acts: list[Act]) -> None:
    told: list[list[tuple[float, Command]]] = []
    for shortcut in (True, False):
        stage = stage_of(policies, shortcut=shortcut)
        Theatre(stage).play(acts)
        told.append(stage.said)
    assert told[0] == told[1]


@given(POLICIES, ACTS)
def test_a_drained_worker_comes_to_rest(policies: tuple[str, str, str], acts: list[Act]) -> None:
    stage = stage_of(policies)
    theatre = Theatre(stage)
    theatre.play(acts)
    stage.tell(Drain())
    stage.play(0.2)
    assert has_ended(stage)
    theatre.send("ant", Act("send", 0, 0))
    assert stage.failure(f"ant-{stage.sent}").code == "draining"


@given(POLICIES, ACTS)
def test_what_was_deleted_leaves_nothing(policies: tuple[str, str, str], acts: list[Act]) -> None:
    stage = stage_of(policies)
    theatre = Theatre(stage)
    theatre.play(acts)
    for name in NAMES:
        stage.delete(name)
    theatre.finish()
    assert stage.used_mb == 0
    assert stage.core.functions == {}
    assert stage.core.catalogue.states == {}
