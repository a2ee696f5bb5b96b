"""Stories of revisions: deployed, replaced, rolled back, deleted, and kept in stock."""

from attacca.model.invocation import Ok, Start
from attacca.model.messages import Catalogue, Evict, Prewarm
from attacca.policy.keepalive.hybrid_histogram import HybridHistogram
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import DropTemplate, Kill, MakeSandbox, Run, Tick
from attacca.worker.runtime.scripted import Fault, Times
from tests.worker.stage import Stage, revision


def test_no_more_sandboxes_than_max() -> None:
    stage = Stage()
    echo = stage.deploy("echo", max_sandboxes=2)
    stage.send(echo, 5)
    assert len(stage.all(MakeSandbox)) == 2
    stage.play(1)
    assert len(stage.ended) == 5


def test_min_sandboxes_are_made_at_deployment_and_again_when_lost() -> None:
    stage = Stage()
    echo = stage.deploy("echo", min_sandboxes=2)
    stage.play(1)
    assert stage.idle("echo") == 2
    name = stage.send(echo)
    assert (stage.start(name), stage.why(name)) == (Start.PREWARMED, "kept as min_sandboxes")
    stage.play(1)
    stage.machine.crash(stage.started[name].sandbox)
    stage.play(1)
    assert stage.idle("echo") == 2
    stage.play(1000)
    assert stage.idle("echo") == 2, "no keepalive goes below"


def test_another_scale_keeps_what_is_there() -> None:
    stage = Stage(times=Times(run_ms=5000))
    echo = stage.deploy("echo")
    running = [stage.send(echo) for _ in range(2)]
    stage.play(1)
    there = set(stage.core.pool.sandboxes)
    stage.deploy("echo", 1, min_sandboxes=3, max_sandboxes=3)
    assert there < set(stage.core.pool.sandboxes), "one more is kept"
    last = stage.send(echo, 2)
    stage.play(20)
    assert len(stage.core.pool.sandboxes) == 3, "and no more are made"
    assert all(isinstance(stage.ended[name].outcome, Ok) for name in running)
    assert stage.core.catalogue.functions["echo"].states == [stage.core.catalogue.states["echo@1"]]
    assert last in stage.ended


def test_evict_makes_the_next_start_a_template_or_a_cold_one() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    stage.tell(Evict("echo"))
    stage.play(12)
    second = stage.send(echo)
    stage.play(1)
    assert (stage.start(second), stage.why(second)) == (Start.TEMPLATE, "evicted 12 s ago by order")
    stage.tell(Evict("echo", templates=True))
    stage.play(1)
    third = stage.send(echo)
    stage.play(1)
    assert (stage.start(third), stage.why(third)) == (
        Start.COLD,
        "evicted 1.0 s ago by order; template evicted by order",
    )


def test_a_renewal_leaves_nothing_of_what_was_before() -> None:
    stage = Stage(times=Times(run_ms=5000))
    echo = stage.deploy("echo")
    working = stage.send(echo)
    stage.play(1)
    starting = stage.send(echo)
    before = set(stage.core.pool.sandboxes)
    assert len(before) == 2
    stage.tell(Evict("echo", templates=True, is_renewal=True))
    stage.play(20)
    assert isinstance(stage.ended[working].outcome, Ok), "what runs may finish"
    assert isinstance(stage.ended[starting].outcome, Ok), "who counted on a start gets another"
    assert stage.started[starting].sandbox not in before
    assert not before & set(stage.core.pool.sandboxes)


def test_prewarm_makes_as_many_more() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.tell(Prewarm("echo", 3))
    stage.play(1)
    assert stage.idle("echo") == 3
    name = stage.send(echo)
    assert (stage.start(name), stage.why(name)) == (Start.PREWARMED, "ordered ahead")
    stage.tell(Prewarm("nobody", 3))
    stage.tell(Prewarm("echo", 100))
    stage.play(1)
    assert stage.used_mb <= 1000


def test_min_sandboxes_that_cannot_start_are_tried_ever_more_rarely() -> None:
    stage = Stage()
    stage.machine.break_starts("echo", Fault())
    stage.deploy("echo", min_sandboxes=1)
    stage.play(20)
    assert 3 <= len(stage.all(MakeSandbox)) <= 6
    stage.machine.mend("echo")
    stage.play(20)
    assert stage.idle("echo") == 1


def test_a_new_revision_is_current_at_once_and_running_ones_finish_on_the_old() -> None:
    stage = Stage(times=Times(run_ms=100))
    old = stage.deploy("echo")
    stage.send(old, 2)
    stage.play(1)
    running = stage.send(old)
    new = stage.deploy("echo", 2)
    assert sorted(stage.phases()) == ["busy", "dying"]
    name = stage.send(new)
    stage.play(1)
    assert isinstance(stage.ended[running].outcome, Ok)
    assert (stage.start(name), stage.why(name)) == (Start.COLD, "first of this revision")
    assert len(stage.phases()) == 1
    assert len(stage.all(DropTemplate)) == 1
    assert stage.failure(stage.send(old)).code == "not_found"


def test_what_waits_for_an_old_revision_still_runs_on_it() -> None:
    stage = Stage(limit=1, times=Times(run_ms=100))
    old = stage.deploy("echo")
    names = [stage.send(old) for _ in range(3)]
    new = stage.deploy("echo", 2)
    last = stage.send(new)
    late = stage.send(old)  # the gateway had not heard yet
    stage.play(2)
    assert all(isinstance(stage.ended[name].outcome, Ok) for name in [*names, last, late])
    on = {run.invocation.id: run.revision.number for run in stage.all(Run)}
    assert [on[name] for name in [*names, last, late]] == [1, 1, 1, 2, 1]
    stage.play(1)
    assert list(stage.core.catalogue.states) == ["echo@2"]


def test_an_old_revision_gets_a_sandbox_although_the_new_one_has_all_there_may_be() -> None:
    stage = Stage(limit=1, times=Times(run_ms=100))
    old = stage.deploy("echo", max_sandboxes=1)
    other = stage.deploy("other")
    stage.send(other)
    waiting = stage.send(old)
    new = stage.deploy("echo", 2, max_sandboxes=1)
    stage.tell(Prewarm("echo", 1))
    stage.play(2)
    assert isinstance(stage.ended[waiting].outcome, Ok)
    last = stage.send(new)
    stage.play(1)
    assert isinstance(stage.ended[last].outcome, Ok)


def test_rolling_back_to_a_revision_that_is_still_busy() -> None:
    stage = Stage(times=Times(run_ms=1000))
    old = stage.deploy("echo")
    running = stage.send(old)
    stage.play(0.2)
    stage.deploy("echo", 2)
    stage.deploy("echo", 1)
    stage.play(2)
    assert isinstance(stage.ended[running].outcome, Ok)
    assert stage.phases() == ["idle"]
    assert stage.start(stage.send(old)) is Start.WARM


def test_a_deleted_function_finishes_and_is_forgotten() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    name = stage.send(echo)
    stage.play(0.105)
    stage.delete("echo")
    stage.play(1)
    assert isinstance(stage.ended[name].outcome, Ok)
    assert stage.core.functions == {}
    assert stage.used_mb == 0
    stage.delete("echo")


def test_a_function_deleted_and_deployed_anew_with_the_same_number_is_another_one() -> None:
    stage = Stage(times=Times(run_ms=1000))
    old = stage.deploy("echo")
    running = stage.send(old)
    stage.play(0.2)
    stage.delete("echo")
    new = stage.deploy("echo", memory_mb=50)
    name = stage.send(new)
    stage.play(3)
    assert stage.started[name].sandbox != stage.started[running].sandbox
    assert [run.revision.settings.memory_mb for run in stage.all(Run)] == [100, 50]


def test_a_catalogue_replaces_what_was_known() -> None:
    stage = Stage()
    kept, lost = stage.deploy("kept"), stage.deploy("lost")
    stage.send(kept)
    stage.play(1)
    stage.tell(Catalogue(1, (revision("kept"), revision("new"))))
    assert stage.start(stage.send(kept)) is Start.WARM
    assert stage.failure(stage.send(lost)).code == "not_found"
    assert sorted(stage.core.functions) == ["kept"]
    name = stage.send(revision("new"))
    stage.play(3)
    assert stage.start(name) is not Start.WARM
    assert sorted(stage.core.functions) == ["kept", "new"]


def test_an_order_to_evict_nobody_is_no_harm() -> None:
    assert Stage().tell(Evict("nobody", templates=True)) == []


def test_what_was_ordered_ahead_and_found_no_memory_is_not_made_later() -> None:
    stage = Stage(WorkerConfig(memory_mb=300, templates=False))
    stage.deploy("echo")
    stage.tell(Prewarm("echo", 9))
    stage.play(1)
    assert stage.idle("echo") == 3
    stage.tell(Evict("echo"))
    stage.play(5)
    assert stage.idle("echo") == 0


def test_an_old_revision_keeps_to_its_own_bound() -> None:
    stage = Stage(limit=1, times=Times(run_ms=100))
    other = stage.deploy("other")
    old = stage.deploy("echo", max_sandboxes=1)
    stage.send(other)
    names = [stage.send(old) for _ in range(3)]
    stage.deploy("echo", 2, max_sandboxes=5)
    stage.core.scheduler.limit = 5
    stage.play(2)
    assert [made.revision.id for made in stage.all(MakeSandbox)] == ["other@1", "echo@1"]
    assert all(name in stage.ended for name in names)


def test_an_idle_sandbox_of_the_new_revision_makes_way_for_who_still_wants_the_old() -> None:
    stage = Stage(times=Times(run_ms=1000))
    old = stage.deploy("echo", max_sandboxes=3)
    stage.send(old)
    stage.play(0.2)
    stage.deploy("echo", 2, max_sandboxes=3, min_sandboxes=2)
    stage.play(0.2)
    assert stage.phases() == ["busy", "idle", "idle"]
    late = stage.send(old, 2)  # the gateway had not heard yet
    assert [kill.why for kill in stage.all(Kill)] == ["made way for another revision"], "one at a time"
    stage.play(0.3)
    assert stage.start(late) is Start.COLD


def test_one_who_has_been_evicted_in_the_same_moment_does_not_expire() -> None:
    """A worker that was not awake for long finds both timers at once."""
    stage = Stage(WorkerConfig(memory_mb=300, memory_buffer_mb=150, templates=False))
    stage.send(stage.deploy("echo"), 2)
    stage.play(0.2)
    stage.clock.time += 60.1
    stage.tell(Tick())
    assert [kill.why for kill in stage.all(Kill)] == ["evicted for the free buffer", "expired: unused for 60 s"]


def expected_again(stage: Stage) -> None:
    """A function that is called every 20 s, and has no sandbox 5 s after its last call."""
    echo = stage.deploy("echo")
    for _ in range(30):
        stage.send(echo)
        stage.play(20)
    stage.send(echo)
    stage.play(5)
    assert stage.phases() == []


def test_what_is_made_for_an_expected_arrival_says_so_also_after_another_deployment() -> None:
    stage = Stage(keepalive=HybridHistogram(bin_s=1.0))
    expected_again(stage)
    new = stage.deploy("echo", 2)
    stage.play(15)
    name = stage.send(new)
    assert (stage.start(name), stage.why(name)) == (Start.PREWARMED, "pauses last 19 to 20 s")


def test_of_a_deleted_function_nothing_is_expected() -> None:
    stage = Stage(keepalive=HybridHistogram(bin_s=1.0))
    expected_again(stage)
    stage.delete("echo")
    stage.deploy("echo", 2)
    stage.play(15)
    assert stage.phases() == []
