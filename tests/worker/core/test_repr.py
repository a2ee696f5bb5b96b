"""Every mutable thing of a worker says its state in one line of numbers."""

from attacca.worker.config import WorkerConfig
from attacca.worker.core.state import Loss
from attacca.worker.runtime.scripted import Times
from tests.mutable import without_repr
from tests.worker.stage import Stage, revision


def test_every_mutable_class_has_one() -> None:
    assert without_repr("attacca.worker.core") == []


def test_a_worker_that_runs_one_starts_one_and_lets_one_wait() -> None:
    stage = Stage(WorkerConfig(name="w", memory_mb=1000), limit=2, times=Times(run_ms=5000))
    echo = stage.deploy("echo")
    first = stage.send(echo, 1)
    stage.play(1)
    second, third = stage.send(echo), stage.send(echo)
    stage.check(revision("new"))
    core = stage.core
    pool = "<Pool 300 of 1000 MB, 0 leaving, 2 sandboxes, 1 templates>"
    scheduler = "<Scheduler 1 running and 1 claimed of 2, 1 queued, 0 at the head>"
    assert repr(core) == f"<WorkerCore w: {pool}, {scheduler}>"
    state = core.catalogue.states["echo@1"]
    assert repr(state) == "<RevisionState echo@1: 2 live, 1 starting, 0 free, 1 running, 1 waiting, 1 pending>"
    assert repr(state.function) == "<Function echo: 2 sandboxes of 1 revisions, 0 idle>"
    assert repr(state.function.statistics) == "<Statistics of 3: 0 ran, 0 errors>"
    running, pending, queued = (core.scheduler.items[name] for name in (first, second, third))
    assert repr(running) == "<QueuedInvocation echo-1 running of echo@1>"
    assert (str(pending.position), str(queued.position)) == ("pending", "queued")
    assert running.sandbox is not None
    assert repr(running.sandbox) == f"<Sandbox {running.sandbox.id} busy: 1 of 1 slots, 1 served>"
    (template,) = core.pool.templates.values()
    assert repr(template) == f"<Template {template.id} making: 100 MB, 0 sandboxes>"
    assert repr(core.pool.house) == "<House 1 functions, 30% full>"
    assert repr(core.catalogue) == "<Catalogue 1 functions, 1 revisions, 0 kept>"
    assert repr(core.checks) == "<Checks 0 waiting, 1 making>"
    assert repr(core.failing) == f"<Failing of <Lines {scheduler}, None>>"
    assert repr(core.timers) == "<Timers 0 set, 2 entries>"


def test_a_loss_says_what_was_lost_and_why() -> None:
    assert repr(Loss(3.5, "evicted", " for memory")) == "<Loss evicted for memory at 3.5>"
