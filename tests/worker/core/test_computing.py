"""Pure functions have a core each until they are done, and a line of their own."""

from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import MakeSandbox
from attacca.worker.runtime.scripted import Times
from tests.worker.stage import Stage


def house(cores: int = 2, **settings: object) -> Stage:
    config = WorkerConfig(memory_mb=1000, cores=cores, templates=False, **settings)  # type: ignore[arg-type]  # of its fields
    return Stage(config, times=Times(sandbox_ms=0, code_ms=0, imports_ms=0, run_ms=100, kill_ms=0), limit=64)


def test_never_more_compute_at_once_than_there_are_cores() -> None:
    stage = house()
    pure, other = stage.deploy("pure", pure=True), stage.deploy("other", pure=True)
    names = [stage.send(pure) for _ in range(3)] + [stage.send(other) for _ in range(2)]
    stage.play(0.05)
    assert stage.core.lines.compute is not None
    assert (stage.core.lines.compute.running, len(stage.started)) == (2, 2)
    assert len(stage.all(MakeSandbox)) == 2
    stage.play(1.0)
    assert stage.ended.keys() == set(names)
    assert [round(stage.started[name].timing.queued) for name in names] == [0, 0, 100, 100, 200]


def test_who_waits_for_something_else_does_not_wait_for_a_core() -> None:
    stage = house(cores=1)
    pure, plain = stage.deploy("pure", pure=True), stage.deploy("plain")
    stage.send(pure)
    late = stage.send(pure)
    beside = [stage.send(plain) for _ in range(4)]
    stage.play(0.05)
    assert late not in stage.started
    assert set(beside) <= stage.started.keys()
    assert "waited for one of 1 slots" in stage.play(1.0).started[late].turn


def test_a_worker_without_one_has_no_such_line() -> None:
    stage = house()
    stage.send(stage.deploy("plain"))
    stage.play(1.0)
    assert stage.core.lines.compute is None
    assert repr(stage.core.lines).endswith("None>")


def test_one_that_waits_for_memory_has_it_when_it_is_free() -> None:
    stage = house(cores=4)
    plain, pure = stage.deploy("plain", memory_mb=900), stage.deploy("pure", pure=True, memory_mb=200)
    stage.send(plain)
    stage.play(0.01)
    name = stage.send(pure)
    stage.play(0.05)
    assert name not in stage.started
    stage.play(5.0)
    assert name in stage.ended


def test_those_that_wait_end_with_the_worker_and_with_their_function() -> None:
    stage = house(cores=1)
    pure = stage.deploy("pure", pure=True)
    stage.send(pure)
    late, later = stage.send(pure), stage.send(pure)
    stage.withdraw(late, running=False)
    stage.play(0.01)
    assert late in stage.ended
    stage.delete("pure")
    stage.play(2.0)
    assert later in stage.ended
    assert stage.core.busy() == 0
