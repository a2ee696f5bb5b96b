from attacca.model.function import Revision
from attacca.model.messages import Check
from attacca.worker.config import WorkerConfig
from attacca.worker.core import view
from tests.worker.stage import Stage, revision


def held(stage: Stage) -> set[str]:
    return {one.code for one in view.held(stage.core)}


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
    stage.tell(Check(checked))
    assert held(stage) == {"code-7"}, "it is being imported"
    stage.play(10)
    assert held(stage) == {"code-7"}
    stage.play(30)
    assert held(stage) == set()
