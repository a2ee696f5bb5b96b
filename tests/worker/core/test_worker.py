"""Stories of one worker, told through what it orders and what becomes of the invocations."""

import pytest

from attacca.errors import IllegalTransition
from attacca.model.invocation import Failed, Invocation, Making, Ok, Request, Start
from attacca.model.messages import Dispatch, Ended, Evict, Resting, Send, Started, WatchIdle
from attacca.policy.keepalive.hybrid_histogram import HybridHistogram
from attacca.worker.config import WorkerConfig
from attacca.worker.core import invariants, view
from attacca.worker.core.events import Drain, DropTemplate, Kill, MakeSandbox, PeerLost, Received, Run, Stop
from attacca.worker.core.reports import RunEnded, SandboxGone, SandboxReady, TemplateGone
from attacca.worker.runtime.scripted import Fault, Times
from tests.worker.stage import Stage, revision


def test_the_first_is_cold_and_the_second_warm() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    first = stage.send(echo)
    stage.play(1)
    second = stage.send(echo)
    stage.play(1)
    assert (stage.start(first), stage.why(first)) == (Start.COLD, "first of this revision")
    assert (stage.start(second), stage.why(second)) == (Start.WARM, "a slot was free")
    assert stage.ended[second].outcome == Ok(body=second.encode())
    assert len(stage.all(MakeSandbox)) == 1


def test_a_warm_dispatch_is_two_commands() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    invocation = Invocation("warm", "echo", echo.id, Request())
    run, started = stage.tell(Received("gateway", Dispatch(invocation)))
    assert isinstance(run, Run)
    assert run.invocation is invocation
    assert isinstance(started, Send)
    assert (started.peer, type(started.message)) == ("gateway", Started)
    assert stage.tell(RunEnded(run.sandbox, "warm", Ok(), 1.0)) == [Send("gateway", Ended("warm", Ok(), 1.0))]


def test_unknown_revisions_are_not_found() -> None:
    stage = Stage()
    name = stage.send(revision("ghost"))
    assert stage.failure(name).code == "not_found"


def test_a_function_that_never_fits_is_told_at_once() -> None:
    stage = Stage(WorkerConfig(memory_mb=500))
    name = stage.send(stage.deploy("big", memory_mb=501, min_sandboxes=1))
    assert stage.failure(name).code == "no_capacity"
    assert stage.failure(name).message == "'big' asks for 501 MB, and the whole worker has 500 MB"


def test_one_id_is_dispatched_once() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    stage.send(echo)
    with pytest.raises(IllegalTransition):
        stage.tell(Received("gateway", Dispatch(Invocation("echo-1", "echo", echo.id, Request()))))
    invariants.check(stage.core)


def test_each_failed_start_is_told_to_one_who_waited() -> None:
    stage = Stage()
    stage.machine.break_starts("echo", Fault(times=2))
    echo = stage.deploy("echo", concurrency=3)
    names = [stage.send(echo) for _ in range(3)]
    stage.play(2)
    assert [stage.failure(name).code for name in names[:2]] == ["bad_function", "bad_function"]
    assert stage.failure(names[0]).traceback.startswith("Traceback")
    assert isinstance(stage.ended[names[2]].outcome, Ok)
    assert len(stage.all(MakeSandbox)) == 3


def test_a_start_that_was_merely_lost_is_tried_again_but_not_for_ever() -> None:
    stage = Stage()
    stage.machine.break_starts("echo", Fault(code="sandbox_lost"))
    name = stage.send(stage.deploy("echo"))
    stage.play(5)
    assert len(stage.all(MakeSandbox)) == 3
    assert stage.failure(name).code == "sandbox_lost"


def test_a_start_for_which_the_machine_has_no_room_is_told_at_once_and_held_against_nobody() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    first = stage.send(echo)
    stage.play(1)
    stage.tell(Evict("echo"))
    stage.machine.break_starts("echo", Fault(code="no_capacity", traceback="", times=5))
    names = [stage.send(echo) for _ in range(5)]
    stage.play(2)
    assert [stage.failure(name).code for name in names] == ["no_capacity"] * 5
    assert "ulimit -n" in stage.failure(names[0]).hint
    assert not stage.all(DropTemplate)
    last = stage.send(echo)
    stage.play(1)
    assert (stage.start(first), stage.start(last)) == (Start.COLD, Start.TEMPLATE)


@pytest.mark.parametrize("code", ["sandbox_lost", "out_of_memory"])
def test_who_ran_in_a_sandbox_that_died_is_told_so(code: str) -> None:
    stage = Stage()
    echo = stage.deploy("echo", concurrency=2)
    names = [stage.send(echo), stage.send(echo)]
    stage.play(0.105)
    stage.machine.crash(stage.started[names[0]].sandbox, code, "killed")
    stage.play(0.001)
    assert [stage.failure(name).code for name in names] == [code, code]
    third = stage.send(echo)
    stage.play(1)
    assert stage.why(third).startswith("died 0.0 s ago: killed")
    (counted,) = view.of(stage.core, stage.clock.now()).functions
    assert counted.cold + counted.template + counted.warm == counted.invocations == 3
    assert counted.errors == 2


def test_reports_about_what_was_killed_are_ignored_but_not_about_what_never_was() -> None:
    stage = Stage(times=Times(run_ms=1000))
    echo = stage.deploy("echo")
    name = stage.send(echo)
    stage.play(0.2)
    sandbox = stage.started[name].sandbox
    stage.withdraw(name, running=True)
    assert stage.tell(RunEnded(sandbox, name, Ok(), 1.0)) == []
    assert stage.tell(RunEnded("never-was", name, Ok(), 1.0)) == []
    stage.play(1)
    with pytest.raises(IllegalTransition):
        stage.tell(SandboxGone(sandbox, "sandbox_lost", "again"))
    with pytest.raises(IllegalTransition):
        stage.tell(SandboxReady("never-was", Making()))
    with pytest.raises(IllegalTransition):
        stage.tell(TemplateGone("never-was", "again"))


def test_who_waits_can_always_be_withdrawn() -> None:
    stage = Stage(limit=1)
    echo = stage.deploy("echo")
    pending, queued = stage.send(echo), stage.send(echo)
    stage.withdraw(queued, running=False)
    stage.withdraw(pending, Failed("cancelled", "gone away"), running=False)
    assert stage.failure(queued).code == "timeout"
    assert stage.failure(pending).code == "cancelled"
    stage.play(1)
    assert stage.phases() == ["idle"], "its start went on"
    stage.withdraw(queued, running=True)  # again, too late


def test_who_runs_is_withdrawn_only_by_force() -> None:
    stage = Stage()
    echo = stage.deploy("echo")
    name = stage.send(echo)
    stage.play(0.105)
    stage.withdraw(name, running=False)
    assert name not in stage.ended
    stage.withdraw(name, running=True)
    assert stage.failure(name).code == "timeout"
    assert [kill.sandbox for kill in stage.all(Kill)] == [stage.started[name].sandbox]
    stage.play(1)
    assert stage.phases() == []


def test_a_shared_sandbox_finishes_what_else_runs_in_it_and_takes_nothing_new() -> None:
    stage = Stage(times=Times(run_ms=100))
    echo = stage.deploy("echo", concurrency=3)
    names = [stage.send(echo), stage.send(echo)]
    stage.play(0.105)
    stage.withdraw(names[0], running=True)
    assert [stop.invocation for stop in stage.all(Stop)] == [names[0]]
    assert stage.phases() == ["draining"]
    other = stage.send(echo)
    stage.play(0.0955)
    assert isinstance(stage.ended[names[1]].outcome, Ok)
    assert stage.phases() == ["dying", "starting"]
    stage.play(1)
    assert stage.started[other].sandbox != stage.started[names[0]].sandbox


def test_draining_refuses_who_waits_and_finishes_what_runs() -> None:
    stage = Stage(limit=2)
    one, two = stage.deploy("one"), stage.deploy("two")
    running = stage.send(one)
    stage.play(0.105)
    pending, queued = stage.send(two), stage.send(two)
    stage.tell(Drain())
    late = stage.send(one)
    assert [stage.failure(name).code for name in (pending, queued, late)] == ["draining"] * 3
    stage.play(1)
    assert isinstance(stage.ended[running].outcome, Ok)
    assert stage.core.busy() == 0
    assert view.of(stage.core, 0).draining


def test_a_draining_worker_makes_nothing_ahead_of_need() -> None:
    stage = Stage(keepalive=HybridHistogram(bin_s=1.0))
    echo = stage.deploy("echo")
    for _ in range(30):
        stage.send(echo)
        stage.play(20)
    stage.send(echo)
    stage.play(5)
    assert stage.phases() == [], "the next one is expected in 15 s"
    stage.deploy("kept", min_sandboxes=1)
    made = len(stage.all(MakeSandbox))
    stage.tell(Drain())
    stage.machine.crash(next(iter(stage.runtime.sandboxes)))
    stage.play(100)
    assert len(stage.all(MakeSandbox)) == made


def test_what_a_lost_gateway_asked_for_is_ended_and_what_others_asked_for_goes_on() -> None:
    stage = Stage(limit=1)
    echo = stage.deploy("echo")
    runs, waits = stage.send(echo), stage.send(echo)
    stage.play(0.105)
    others = Invocation("other", "echo", echo.id, Request())
    stage.tell(Received("another", Dispatch(others)))
    stage.tell(PeerLost("gateway"))
    assert [stage.failure(name).code for name in (runs, waits)] == ["cancelled"] * 2
    stage.play(1)
    assert isinstance(stage.ended["other"].outcome, Ok)
    told = [command.peer for command in stage.all(Send) if command.message is stage.ended["other"]]
    assert told == ["another"], "each hears of its own"


def test_who_watches_hears_what_rests_now_and_of_each_change_before_what_came_of_it() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000, templates=False))
    echo = stage.deploy("echo")
    stage.send(echo)
    stage.play(1)
    assert stage.rests == {}
    assert stage.tell(Received("gateway", WatchIdle())) == [Send("gateway", Resting("worker", "echo", 1))]
    rests, run, started = stage.tell(Received("gateway", Dispatch(Invocation("warm", "echo", echo.id, Request()))))
    assert rests == Send("gateway", Resting("worker", "echo", 0))
    assert isinstance(run, Run)
    assert isinstance(started, Send)
    stage.play(1)
    assert stage.rests == {"echo": 1}
    stage.tell(PeerLost("gateway"))
    stage.tell(Received("another", Dispatch(Invocation("last", "echo", echo.id, Request()))))
    assert stage.rests == {"echo": 1}, "nobody watches"
