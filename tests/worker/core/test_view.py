import pytest

from attacca.model.function import Revision
from attacca.worker.config import WorkerConfig
from attacca.worker.core import view
from attacca.worker.runtime.scripted import Times
from tests.worker.stage import Stage, revision


def held(stage: Stage) -> set[str]:
    return set(view.held(stage.core))


def test_what_runs_what_waits_and_what_could_be_forked_is_held() -> None:
    stage = Stage(WorkerConfig(memory_mb=250))
    old = stage.deploy("f", 1)
    running = stage.send(old)
    assert held(stage) == {"code-1"}, "it waits"
    stage.play(0.105)
    stage.deploy("f", 2)
    assert running not in stage.ended
    assert held(stage) == {"code-1", "code-2"}, "the old one still runs"
    stage.play(5)
    assert held(stage) == {"code-2"}
    stage.delete("f")
    stage.play(5)
    assert held(stage) == set()


def test_a_template_that_waits_for_its_deployment_is_held_until_it_is_dropped() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000, template_kept_s=20.0))
    checked: Revision = revision("new", 7)
    stage.check(checked)
    assert held(stage) == {"code-7"}, "it is being imported"
    stage.play(10)
    assert held(stage) == {"code-7"}
    stage.play(30)
    assert held(stage) == set()


def test_what_is_being_dropped_is_not_held() -> None:
    stage = Stage(WorkerConfig(templates=False), times=Times(kill_ms=1000))
    stage.check(revision("new", 7))
    stage.play(0.5)
    assert stage.used_mb > 0
    assert held(stage) == set()


def test_who_waits_is_counted_wherever_that_is_and_sandboxes_have_an_age() -> None:
    stage = Stage(limit=2)
    echo = stage.deploy("echo")
    stage.play(5)
    stage.send(echo, 3)
    seen = view.of(stage.core, stage.clock.now())
    assert (seen.queued, seen.functions[0].queued) == (3, 3), "one in the queue, two at their sandboxes"
    stage.play(2)
    one, other = view.of(stage.core, stage.clock.now()).sandboxes
    assert (one.age_s, other.age_s) == (2, 2)
    assert sorted((one.idle_s, other.idle_s)) == pytest.approx([1.88, 1.89])
