"""Stories of memory: never over-committed, given to whoever is next, freed by evicting who is needed least."""

import pytest

from attacca.model.invocation import Start
from attacca.model.messages import Evict, Prewarm
from attacca.model.resources import Resources
from attacca.policy.keepalive.hybrid_histogram import HybridHistogram
from attacca.policy.keepalive.lru import Lru
from attacca.policy.keepalive.ttl import Ttl
from attacca.policy.keepalive.types import Idle
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import DropTemplate, Kill, MakeSandbox, MakeTemplate
from attacca.worker.core.reports import SandboxGone
from attacca.worker.runtime.scripted import Times
from tests.worker.stage import Stage, revision

BARE = WorkerConfig(memory_mb=300, templates=False)


def test_memory_of_a_killed_sandbox_is_free_only_when_it_is_gone() -> None:
    stage = Stage(WorkerConfig(memory_mb=100, templates=False))
    one, two = stage.deploy("one"), stage.deploy("two")
    stage.send(one)
    stage.play(1)
    stage.send(two)
    (victim,) = stage.all(Kill)
    assert victim.why == "evicted for memory"
    assert (stage.used_mb, len(stage.all(MakeSandbox))) == (100, 1)
    stage.tell(SandboxGone(victim.sandbox, "sandbox_lost", "told to end"))
    assert (stage.used_mb, len(stage.all(MakeSandbox))) == (100, 2)


def test_the_policy_chooses_the_victims_of_any_function() -> None:
    stage = Stage(BARE, keepalive=Lru())
    functions = [stage.deploy(name) for name in ("one", "two", "six")]
    for function in functions:
        stage.send(function)
        stage.play(1)
    stage.send(functions[0])
    stage.play(1)
    new = stage.send(stage.deploy("new"))
    stage.play(1)
    assert [kill.sandbox for kill in stage.all(Kill)] == [stage.started["two-2"].sandbox]
    again = stage.send(functions[1])
    stage.play(1)
    assert stage.start(new) is Start.COLD
    assert stage.why(again) == "evicted 1.0 s ago for memory; templates are off"


def test_nobody_is_evicted_if_that_does_not_free_enough() -> None:
    stage = Stage(BARE, times=Times(run_ms=900))
    small, other = stage.deploy("small"), stage.deploy("other")
    stage.send(small)
    stage.play(1.5)
    stage.send(other, 2)
    stage.play(0.2)
    stage.send(stage.deploy("large", memory_mb=200))
    assert stage.all(Kill) == []
    stage.play(2)
    assert len(stage.all(Kill)) == 2
    assert len(stage.ended) == 4


def test_while_one_waits_for_memory_no_other_gets_new_memory_but_warm_hits_pass() -> None:
    stage = Stage(BARE, times=Times(run_ms=500))
    small = stage.deploy("small")
    stage.send(small, 2)
    stage.play(0.2)  # both run
    large = stage.send(stage.deploy("large", memory_mb=250))
    behind = stage.send(stage.deploy("behind", memory_mb=50))
    assert len(stage.all(MakeSandbox)) == 2, "there is room for the one behind, but it is not its turn"
    stage.play(0.401)
    passing = stage.started.get(stage.send(small))
    stage.play(2)
    assert passing is None or passing.start is Start.WARM
    made = [make.revision.function for make in stage.all(MakeSandbox)]
    assert made[2] == "large"
    assert large in stage.ended
    assert behind in stage.ended


def test_a_warm_hit_passes_who_waits_for_memory() -> None:
    stage = Stage(BARE, times=Times(run_ms=500))
    small, busy = stage.deploy("small"), stage.deploy("busy")
    stage.send(small)
    stage.play(0.3)
    stage.send(busy)
    stage.play(0.35)  # small rests, busy runs
    large = stage.send(stage.deploy("large", memory_mb=250))
    passing = stage.send(small)
    assert large not in stage.started
    assert stage.start(passing) is Start.WARM


def test_who_waits_too_long_gets_its_memory_piece_by_piece() -> None:
    """One of the small ones always runs, so never are both at rest at once."""
    stage = Stage(WorkerConfig(memory_mb=200, templates=False, patience_s=1.0), times=Times(run_ms=200))
    one, two = stage.deploy("one"), stage.deploy("two")
    stage.send(one)
    stage.play(0.1)
    stage.send(two)
    large = stage.send(stage.deploy("large", memory_mb=200))
    for _ in range(12):
        stage.play(0.1)
        stage.send(one)
        stage.play(0.1)
        stage.send(two)
    stage.play(2)
    assert stage.started[large].timing.queued < 2000


def test_templates_that_nobody_uses_go_after_the_sandboxes() -> None:
    stage = Stage(WorkerConfig(memory_mb=200), times=Times(template_mb=30))
    one = stage.deploy("one")
    stage.send(one)
    stage.play(1)
    assert stage.used_mb == 130
    large = stage.send(stage.deploy("large", memory_mb=200))
    stage.play(1)
    assert stage.start(large) is Start.COLD
    assert [drop.why for drop in stage.all(DropTemplate)] == ["template evicted for memory"]
    again = stage.send(one)
    stage.play(1)
    assert stage.why(again) == "evicted 1.0 s ago for memory; template evicted for memory"


def test_a_template_with_sandboxes_is_not_evicted() -> None:
    stage = Stage(WorkerConfig(memory_mb=250), times=Times(template_mb=30, run_ms=500))
    one = stage.deploy("one")
    stage.send(one)
    stage.play(1)
    stage.send(one)
    stage.play(0.1)
    stage.send(stage.deploy("large", memory_mb=150))
    stage.play(0.1)
    assert stage.all(DropTemplate) == []
    stage.play(2)
    assert len(stage.ended) == 3


def test_a_template_is_not_made_when_there_is_no_memory() -> None:
    stage = Stage(WorkerConfig(memory_mb=199))
    one = stage.deploy("one")
    stage.send(one)
    stage.play(1)
    assert stage.all(MakeTemplate) == []


def test_a_template_may_not_hold_more_than_its_limit() -> None:
    stage = Stage(WorkerConfig(memory_mb=200), times=Times(template_mb=5000))
    stage.send(stage.deploy("one"))
    stage.play(1)
    assert stage.used_mb == 200


def test_min_sandboxes_are_not_evicted() -> None:
    stage = Stage(WorkerConfig(memory_mb=500, templates=False), times=Times(run_ms=60_000))
    stage.deploy("kept", min_sandboxes=2)
    stage.play(1)
    waiting = stage.send(stage.deploy("large", memory_mb=200), 2)
    stage.play(5)
    assert waiting not in stage.started
    assert stage.idle("kept") == 2
    stage.deploy("kept", 2, min_sandboxes=1)
    stage.play(5)
    assert waiting in stage.started


def test_min_sandboxes_come_back_when_there_is_memory() -> None:
    stage = Stage(WorkerConfig(memory_mb=400, templates=False), times=Times(run_ms=3000))
    stage.send(stage.deploy("large", memory_mb=200), 2)
    stage.play(0.2)
    stage.deploy("kept", min_sandboxes=1)
    stage.play(2)
    assert stage.idle("kept") == 0
    stage.play(3)
    assert stage.idle("kept") == 1


def test_a_buffer_is_kept_free_in_the_background() -> None:
    stage = Stage(WorkerConfig(memory_mb=300, memory_buffer_mb=150, templates=False))
    stage.send(stage.deploy("one"))
    stage.play(0.3)
    stage.send(stage.deploy("two"))
    stage.play(0.3)
    assert stage.used_mb == 200
    stage.play(1)
    assert [kill.why for kill in stage.all(Kill)] == ["evicted for the free buffer"]
    assert stage.used_mb == 100


def test_an_idle_sandbox_goes_when_its_policy_says() -> None:
    stage = Stage(keepalive=Ttl(idle_s=60))
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(30)
    stage.send(echo)
    stage.play(59)
    assert stage.idle("echo") == 1, "it was used in between"
    stage.play(2)
    assert stage.idle("echo") == 0
    name = stage.send(echo)
    stage.play(1)
    assert stage.why(name) == "expired 1.0 s ago: unused for 60 s"


def test_a_policy_may_make_a_sandbox_ahead_of_the_next_arrival() -> None:
    stage = Stage(keepalive=HybridHistogram())
    echo = stage.deploy("echo")
    for _ in range(30):
        stage.send(echo)
        stage.play(600)
    name = stage.send(echo)
    assert stage.start(name) is Start.PREWARMED
    assert stage.all(Kill) != []


def test_ordered_sandboxes_evict_others_but_not_their_own_kind() -> None:
    stage = Stage(BARE)
    one = stage.deploy("one")
    stage.send(one)
    stage.play(1)
    stage.deploy("two")
    stage.tell(Prewarm("two", 9))
    stage.play(1)
    assert (stage.idle("one"), stage.idle("two")) == (0, 3)


def test_a_check_waits_for_memory_before_anyone_behind_it() -> None:
    stage = Stage(WorkerConfig(memory_mb=200), times=Times(run_ms=300))
    stage.send(stage.deploy("one"), 2)
    stage.play(0.2)
    stage.check(revision("new", memory_mb=150))
    behind = stage.send(stage.deploy("behind", memory_mb=32))
    stage.play(0.1)
    assert stage.all(MakeTemplate) == []
    stage.play(2)
    assert stage.checked[0].error is None
    assert behind in stage.ended


def test_no_more_of_a_kind_are_evicted_at_once_than_it_can_spare() -> None:
    stage = Stage(WorkerConfig(memory_mb=400, templates=False), times=Times(run_ms=60_000))
    kept = stage.deploy("kept", min_sandboxes=1)
    stage.play(1)
    stage.send(kept, 2)
    stage.play(61)
    assert stage.idle("kept") == 2
    waiting = stage.send(stage.deploy("large", memory_mb=200), 2)
    stage.play(5)
    assert waiting not in stage.started
    assert stage.idle("kept") == 2


def test_the_template_of_who_asks_goes_last() -> None:
    stage = Stage(WorkerConfig(memory_mb=260), times=Times(template_mb=60))
    one, two = stage.deploy("one"), stage.deploy("two")
    for function in (one, two):
        stage.send(function)
        stage.play(1)
        stage.tell(Evict(function.function))
        stage.play(1)
    stage.check(revision("new"))
    stage.play(1)
    assert stage.used_mb == 180, "three templates"
    name = stage.send(one)
    stage.play(1)
    assert [drop.template for drop in stage.all(DropTemplate)] == [stage.all(MakeTemplate)[1].template]
    assert stage.start(name) is Start.TEMPLATE


def test_a_buffer_that_was_short_while_all_ran_is_restored_when_they_rest() -> None:
    stage = Stage(WorkerConfig(memory_mb=300, memory_buffer_mb=250, templates=False), times=Times(run_ms=3000))
    stage.send(stage.deploy("one"))
    stage.play(3)
    assert stage.all(Kill) == []
    stage.play(2)
    assert [kill.why for kill in stage.all(Kill)] == ["evicted for the free buffer"]


def test_a_buffer_is_restored_in_time_however_busy_the_others_are() -> None:
    stage = Stage(WorkerConfig(memory_mb=300, memory_buffer_mb=150, templates=False))
    one, two = stage.deploy("one"), stage.deploy("two")
    stage.send(one)
    stage.play(0.3)
    for _ in range(5):
        stage.send(two)
        stage.play(0.3)
    assert [kill.sandbox for kill in stage.all(Kill)] == [stage.started["one-1"].sandbox]


def test_a_policy_is_told_what_a_sandbox_costs_and_how_often_it_is_wanted() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    for _ in range(3):
        stage.send(echo)
        stage.play(7)
    (sandbox,) = stage.core.pool.sandboxes.values()
    at_s = stage.clock.now() - 7 + 0.01
    idle = sandbox.idle
    assert idle is not None
    assert idle == Idle(
        sandbox.id, "echo", Resources(100), idle.idle_since, 3, idle.cold_s, 7.0,
        used=True, served=3, cached_uses=3, exec_s=idle.exec_s, application="echo", trigger="http",
    )  # fmt: skip
    assert (idle.idle_since, idle.cold_s, idle.exec_s) == pytest.approx((at_s, 0.1, 0.01))


def test_nothing_is_made_ahead_of_need_from_what_somebody_waits_for() -> None:
    stage = Stage(BARE, limit=2, times=Times(run_ms=5000))
    kept, small = stage.deploy("kept", min_sandboxes=1), stage.deploy("small")
    stage.play(1)
    name = stage.send(kept)
    stage.send(small)
    stage.play(1)
    large = stage.send(stage.deploy("large", memory_mb=250))  # the limit is reached
    stage.machine.crash(stage.started[name].sandbox)
    stage.play(1)
    assert [made.revision.function for made in stage.all(MakeSandbox)] == ["kept", "small"]
    stage.play(10)
    assert large in stage.ended
