"""A template's full table, and stories of templates."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from msgspec.structs import replace

from attacca.errors import IllegalTransition
from attacca.model.function import PythonDirectory
from attacca.model.invocation import FunctionError, Start
from attacca.model.messages import Evict, Prewarm
from attacca.model.resources import Resources
from attacca.worker.config import WorkerConfig
from attacca.worker.core import view
from attacca.worker.core.events import DropTemplate, MakeSandbox, MakeTemplate
from attacca.worker.core.phases import TemplatePhase
from attacca.worker.core.reports import Report, TemplateReady
from attacca.worker.core.state import Function, RevisionState, Sandbox, Template, is_same_code
from attacca.worker.runtime.scripted import Answer, Fault, Times
from tests.cases import each
from tests.worker.stage import Stage, revision

TABLE = """\
           ready     retire    lose      failed    gone
making     ready     dropping  making    gone      !
ready      !         retired   ready     !         gone
unused     !         dropping  ready     !         gone
retired    !         !         dropping  !         gone
dropping   dropping  !         dropping  gone      gone
gone       !         !         gone      !         !
"""
EVENTS: list[Callable[[Template], object]] = [
    lambda template: template.ready(10),
    Template.retire,
    lambda template: template.lose("s1"),
    Template.failed,
    Template.gone,
]
ROWS = [
    (row.split()[0], event, to)
    for row in TABLE.splitlines()[1:]
    for event, to in zip(EVENTS, row.split()[1:], strict=True)
]


@each("phase", sorted({row[0] for row in ROWS}))
def test_a_phase_meets_every_event(phase: str) -> None:
    for _, event, becomes in (row for row in ROWS if row[0] == phase):
        meet(phase, event, becomes)


def meet(phase: str, event: Callable[[Template], object], becomes: str) -> None:
    """`unused` is ready with no sandbox; the others that can have one do."""
    template = Template("t1", revision("echo"), None, 0.0)
    template.phase = TemplatePhase("ready" if phase == "unused" else phase)
    if phase in ("ready", "retired"):
        state = RevisionState(template.revision, Function("echo"))
        template.children["s1"] = Sandbox("s1", state, Start.TEMPLATE, "", template, 0.0)
    before = template.phase
    if becomes == "!":
        with pytest.raises(IllegalTransition, match=f"template t1 is {before}: "):
            event(template)
        becomes = before
    else:
        event(template)
    assert template.phase == becomes


def test_a_template_stands_for_the_same_code_and_settings_only() -> None:
    one = revision("echo")
    assert is_same_code(one, replace(one, number=7, handler="main:other"))
    for other in (
        revision("echo", 2),
        revision("other"),
        revision("echo", memory_mb=50),
        replace(one, artefact=PythonDirectory("c", "b")),
    ):
        assert not is_same_code(one, other)


def test_the_first_success_makes_a_template_and_later_sandboxes_are_forked_from_it() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    assert len(stage.all(MakeTemplate)) == 1
    assert stage.used_mb == 116
    stage.send(echo)
    second = stage.send(echo)
    stage.play(1)
    assert stage.start(second) is Start.TEMPLATE
    assert stage.why(second) == "the only one is busy"
    assert stage.started[second].timing.sandbox == 5


def test_a_function_that_raises_has_a_template_too() -> None:
    outcome = FunctionError("ValueError", "no")
    stage = Stage(handler=lambda *_: Answer(run_ms=1, outcome=outcome))
    name = stage.send(stage.deploy("echo"))
    stage.play(1)
    assert stage.ended[name].outcome == outcome
    assert len(stage.all(MakeTemplate)) == 1
    assert view.of(stage.core, 0).functions[0].errors == 1


def test_no_templates_when_they_are_off() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000, templates=False), times=Times(run_ms=500))
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    stage.send(echo)
    second = stage.send(echo)
    stage.play(1)
    assert stage.all(MakeTemplate) == []
    assert stage.why(second) == "the only one is busy; templates are off"


def test_a_template_that_fails_is_tried_again_later() -> None:
    stage = Stage(times=Times(run_ms=500))
    stage.machine.break_templates("echo", Fault(code="start_failed"))
    echo = stage.deploy("echo")
    for _ in range(3):
        stage.send(echo)
        stage.play(1)
    assert len(stage.all(MakeTemplate)) == 1
    stage.send(echo)
    second = stage.send(echo)
    stage.play(10)
    assert stage.why(second) == "the only one is busy; template failed: start_failed"
    stage.machine.mend("echo")
    stage.send(echo)
    stage.play(1)
    assert len(stage.all(MakeTemplate)) == 2
    assert view.of(stage.core, 0).functions[0].templates == 1


def test_a_template_that_dies_takes_its_sandboxes_with_it_and_starts_are_cold_again() -> None:
    stage = Stage(times=Times(run_ms=500))
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    stage.send(echo, 2)
    stage.play(1)
    stage.machine.crash(stage.all(MakeTemplate)[0].template)
    stage.play(1)
    assert stage.phases() == ["idle"], "the one that was made cold"
    stage.send(echo)
    name = stage.send(echo)
    stage.play(1)
    assert stage.start(name) is Start.COLD
    assert "template died: killed by signal 9" in stage.why(name)


def test_an_evicted_template_ends_with_its_last_sandbox() -> None:
    stage = Stage(times=Times(run_ms=1000))
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(2)
    stage.send(echo, 2)  # one of them in a fork
    stage.play(0.5)
    stage.tell(Evict("echo", templates=True))
    assert stage.all(DropTemplate) == []
    third = stage.send(echo)
    stage.play(0.2)
    assert (stage.start(third), stage.why(third)) == (Start.COLD, "all 2 busy; template evicted by order")
    stage.play(0.8)
    stage.tell(Evict("echo"))
    stage.play(0.1)
    assert [drop.template for drop in stage.all(DropTemplate)] == [stage.all(MakeTemplate)[0].template]


def test_forks_that_fail_retire_their_template() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    stage.tell(Evict("echo"))
    stage.machine.break_starts("echo", Fault(code="start_failed", times=2))
    for _ in range(2):
        stage.send(echo)
        stage.play(1)
    assert len(stage.all(DropTemplate)) == 1
    last = stage.send(echo)
    stage.play(1)
    assert stage.start(last) is Start.COLD


def test_a_start_that_dies_with_its_template_is_tried_again_from_nothing() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    stage.tell(Evict("echo"))
    stage.play(1)
    name = stage.send(echo)
    stage.machine.crash(stage.all(MakeTemplate)[0].template)
    stage.play(1)
    assert stage.start(name) is Start.COLD
    assert name in stage.ended


def test_a_template_that_goes_on_failing_is_tried_ever_more_rarely() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000, template_retry_s=9.5))
    stage.machine.break_templates("echo", Fault(code="start_failed"))
    echo = stage.deploy("echo")
    for _ in range(80):
        stage.send(echo)
        stage.play(1)
    tried = [at for at, command in stage.said if isinstance(command, MakeTemplate)]
    assert [round(later - at) for at, later in pairwise(tried)] == [10, 20, 39]


def test_a_retired_template_is_about_to_go_when_the_last_of_its_sandboxes_is() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000), times=Times(template_mb=50, run_ms=1000))
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(2)
    names = [stage.send(echo) for _ in range(3)]  # the first in the sandbox that was made cold
    stage.play(0.5)
    stage.tell(Evict("echo", templates=True))
    assert stage.core.pool.soon_free() == Resources(0)
    stage.withdraw(names[1], running=True)
    assert stage.core.pool.soon_free() == Resources(100)
    stage.withdraw(names[2], running=True)
    assert stage.core.pool.soon_free() == Resources(250)


@pytest.mark.parametrize("is_checked", [True, False])
def test_code_that_leaves_its_template_unfit_gets_no_other(is_checked: bool) -> None:  # noqa: FBT001 - a parameter
    """Its import started threads, say: nothing is forked from it, and its sandboxes start from nothing."""
    stage = Stage(times=Times(run_ms=1000))

    def hear(report: Report) -> None:
        is_ready = isinstance(report, TemplateReady)
        stage.tell(replace(report, unfit="it has threads") if is_ready else report)  # type: ignore[arg-type]

    stage.runtime.connect(hear)
    if is_checked:
        stage.check(revision("echo"))
        stage.play(1)
        assert stage.checked[0].error is None
        assert stage.checked[0].notes[0] == "it has threads: sandboxes start cold"
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(2)
    stage.send(echo, 2)
    name = stage.send(echo)
    stage.play(2)
    assert stage.start(name) is Start.COLD
    assert "no template: it has threads" in stage.why(name)
    assert len(stage.all(MakeTemplate)) == len(stage.all(DropTemplate)) == 1


@each("count, is_worth_it", [(7, False), (8, True)])
def test_where_many_are_made_ahead_the_next_are_forked_before_anybody_has_called(
    count: int,
    is_worth_it: bool,  # noqa: FBT001 - a table
) -> None:
    stage = Stage(WorkerConfig(memory_mb=10_000))
    stage.deploy("echo")
    stage.tell(Prewarm("echo", count))
    stage.play(2)
    assert len(stage.all(MakeTemplate)) == is_worth_it
    stage.tell(Prewarm("echo", 1))
    stage.play(2)
    assert stage.idle("echo") == count + 1
    last = stage.all(MakeSandbox)[-1]
    assert isinstance(last, MakeSandbox)
    assert (last.template is not None) is is_worth_it
