"""Stories of checks: code is imported once before it is deployed, and that import is not done in vain."""

from msgspec.structs import replace

from attacca.model.invocation import Start
from attacca.model.messages import Deployed
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import Drain, DropTemplate, MakeTemplate
from attacca.worker.core.reports import TemplateFailed
from attacca.worker.runtime.scripted import Fault, Times
from tests.worker.stage import Stage, revision


def test_a_check_says_what_was_found() -> None:
    stage = Stage()
    asked = revision("new", handler=None)
    stage.check(asked)
    stage.play(1)
    (checked,) = stage.checked
    assert checked.error is None
    assert checked.revision.handler == "main:handler"
    assert (checked.timing.sandbox, checked.timing.code, checked.timing.imports) == (4, 1, 95)


def test_its_template_serves_the_deployment_that_follows() -> None:
    stage = Stage()
    stage.check(revision("new"))
    stage.play(1)
    new = stage.deploy("new")
    name = stage.send(new)
    stage.play(60)
    assert (stage.start(name), stage.why(name)) == (Start.TEMPLATE, "first of this revision")
    assert len(stage.all(MakeTemplate)) == 1
    assert stage.all(DropTemplate) == []


def test_other_settings_are_another_deployment() -> None:
    stage = Stage()
    stage.check(revision("new"))
    stage.play(1)
    name = stage.send(stage.deploy("new", timeout_s=5.0))
    stage.play(1)
    assert stage.start(name) is Start.COLD


def test_the_template_is_dropped_when_no_deployment_follows() -> None:
    stage = Stage()
    stage.check(revision("new"))
    stage.play(29)
    assert stage.all(DropTemplate) == []
    stage.play(2)
    assert [drop.why for drop in stage.all(DropTemplate)] == ["checked, but not deployed"]
    assert stage.used_mb == 0


def test_without_templates_it_is_dropped_at_once() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000, templates=False))
    stage.check(revision("new"))
    stage.play(1)
    assert stage.checked[0].error is None
    assert len(stage.all(DropTemplate)) == 1


def test_a_failed_import_is_told_with_its_traceback() -> None:
    stage = Stage()
    stage.machine.break_templates("new", Fault())
    stage.check(revision("new"))
    stage.play(1)
    error = stage.checked[0].error
    assert error is not None
    assert (error.code, error.message) == ("bad_function", "No module named 'missing'")
    assert error.traceback.startswith("Traceback")
    assert error.hint == "the traceback says where"
    assert stage.used_mb == 0


def test_what_never_fits_is_told_at_once() -> None:
    stage = Stage()
    stage.check(revision("new", memory_mb=2000))
    assert stage.checked[0].error is not None
    assert stage.checked[0].error.code == "no_capacity"


def test_a_check_that_finds_no_memory_is_given_up() -> None:
    stage = Stage(WorkerConfig(memory_mb=100, check_timeout_s=5), times=Times(run_ms=60_000))
    stage.send(stage.deploy("one"))
    stage.play(1)
    stage.check(revision("new"))
    stage.play(4)
    assert stage.checked == []
    stage.play(2)
    assert stage.checked[0].error is not None
    assert stage.checked[0].error.message == "no 100 MB came free within 5 s to import the code"


def test_a_draining_worker_checks_nothing() -> None:
    stage = Stage(WorkerConfig(memory_mb=100), times=Times(run_ms=60_000))
    stage.send(stage.deploy("one"))
    stage.play(1)
    stage.check(revision("new"))
    stage.tell(Drain())
    stage.check(revision("new"))
    assert [checked.error.code for checked in stage.checked if checked.error] == ["draining", "draining"]


def test_a_check_that_took_too_long_has_no_traceback_to_point_at() -> None:
    stage = Stage()
    stage.machine.break_templates("new", Fault(code="timeout", traceback=""))
    stage.check(revision("new"))
    stage.play(1)
    assert stage.checked[0].error is not None
    assert stage.checked[0].error.hint == ""


def test_no_template_goes_from_one_revision_to_another() -> None:
    stage = Stage(limit=1, times=Times(run_ms=100))
    old = stage.deploy("echo")
    stage.send(old)
    stage.play(1)
    stage.send(old, 3)
    new = replace(old, number=2)  # of the same code
    stage.tell(Deployed(0, new))
    name = stage.send(new)
    stage.play(2)
    assert stage.start(name) is Start.COLD


def test_what_the_sandbox_advises_is_passed_on() -> None:
    stage = Stage()
    stage.check(revision("new"))
    [made] = stage.all(MakeTemplate)
    stage.tell(TemplateFailed(made.template, "bad_function", "no cv2", "Traceback", hint="list opencv-python-headless"))
    error = stage.checked[0].error
    assert error is not None
    assert (error.message, error.hint) == ("no cv2", "list opencv-python-headless")
