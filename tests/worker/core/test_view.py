import pytest

from attacca.model.function import Revision
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import FunctionView
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


def test_what_rests_beyond_what_is_kept_would_make_room_and_a_template_without_sandboxes() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000, templates=False), limit=2)
    kept = stage.deploy("kept", min_sandboxes=1)
    echo = stage.deploy("echo", memory_mb=128)
    stage.play(5)
    assert view.brief(stage.core).spare == NOTHING, "it is to be there"
    stage.send(echo, 2)
    stage.play(0.01)
    assert view.brief(stage.core).spare == NOTHING, "they are being made, or run"
    stage.play(2)
    assert view.brief(stage.core).spare == Resources(256)
    assert kept.settings.min_sandboxes == 1
    checked = Stage(WorkerConfig(memory_mb=1000, template_kept_s=20.0))
    checked.check(revision("new", 7))
    checked.play(10)
    spare = view.brief(checked.core).spare
    assert 0 < spare.memory_mb == checked.used_mb


def test_who_waits_for_room_says_how_much() -> None:
    stage = Stage(WorkerConfig(memory_mb=200, templates=False), limit=4)
    one, other = stage.deploy("one", memory_mb=128), stage.deploy("other", memory_mb=100)
    stage.play(5)
    stage.send(one)
    stage.send(other)
    stage.play(0.001)
    assert view.brief(stage.core).wanted == Resources(100)
    stage.play(10)
    assert view.brief(stage.core).wanted == NOTHING


def test_what_it_did_for_one_function_or_for_none_can_be_asked_alone_and_of_all_in_turns() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000))
    for number in range(view.TURN + 1):
        stage.deploy(f"f{number}", min_sandboxes=int(number == 7))
    stage.play(1)

    def told(function: str | None) -> tuple[int, list[str]]:
        rows: list[FunctionView] = []
        turns = sum(1 for _ in view.rows(stage.core, rows, function))
        return turns, [row.function for row in rows]

    assert told("f7") == (0, ["f7"])
    assert told("") == told("never") == (0, [])
    turns, names = told(None)
    assert (turns, len(names)) == (1, view.TURN + 1)
    page = view.page(stage.core, stage.clock.now())
    assert page.idle is not None
    assert (page.functions, len(page.idle), page.idle["f7"], page.idle["f8"]) == ((), view.TURN + 1, 1, 0)
    assert [one.revision.split("@")[0] for one in page.sandboxes] == ["f7"]
