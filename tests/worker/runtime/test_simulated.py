"""The twin keeps the runtime's contract: every order ends in exactly one of its reports."""

import asyncio

import pytest

from attacca.kernel.clock import ManualClock, SystemClock
from attacca.model.invocation import Invocation, Making, Ok, Request
from attacca.worker.core.reports import (
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)
from attacca.worker.runtime.scripted import Fault, ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime, Steps
from attacca.worker.runtime.types import Runtime
from tests.worker.stage import revision

ECHO = revision("echo")
CALL = Invocation("i1", "echo", ECHO.id, Request(body=b"hello"))


class Ear:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.heard: list[Report] = []
        self.machine = ScriptedMachine(self.clock)
        self.runtime = SimulatedRuntime(self.machine, self.heard.append)

    def listen(self, seconds: float = 1.0) -> list[type]:
        self.clock.time += seconds
        while self.machine.advance():
            pass
        heard = [type(report) for report in self.heard]
        self.heard.clear()
        return heard


def test_it_is_a_runtime() -> None:
    runtime: Runtime = SimulatedRuntime(ScriptedMachine(ManualClock()))
    assert runtime is not None


def test_a_sandbox_is_made_runs_and_goes() -> None:
    ear = Ear()
    ear.runtime.make_sandbox("s1", ECHO, None)
    assert ear.listen(0.0999) == []
    assert ear.listen(0.001) == [SandboxReady]
    ear.runtime.run("s1", ECHO, CALL)
    ear.clock.time += 1
    ear.machine.advance()
    assert ear.heard == [RunEnded("s1", "i1", Ok(body=b"hello"), 10.0)]
    ear.runtime.kill("s1")
    assert ear.listen() == [RunEnded, SandboxGone]
    assert ear.runtime.sandboxes == {}


def test_what_is_killed_before_it_is_ready_fails() -> None:
    ear = Ear()
    ear.runtime.make_sandbox("s1", ECHO, None)
    ear.runtime.kill("s1")
    ear.runtime.make_template("t1", ECHO)
    ear.runtime.drop_template("t1")
    assert ear.listen() == [SandboxFailed, TemplateFailed]


def test_a_killed_sandbox_ends_no_run() -> None:
    ear = Ear()
    ear.runtime.make_sandbox("s1", ECHO, None)
    ear.listen()
    ear.runtime.run("s1", ECHO, CALL)
    ear.runtime.kill("s1")
    ear.runtime.kill("s1")
    assert ear.listen() == [SandboxGone]
    ear.runtime.run("s1", ECHO, CALL)
    assert ear.listen() == []


def test_a_stopped_run_ends_and_the_sandbox_lives_on() -> None:
    ear = Ear()
    ear.runtime.make_sandbox("s1", ECHO, None)
    ear.listen()
    ear.runtime.run("s1", ECHO, CALL)
    ear.runtime.stop("s1", "i1")
    assert ear.listen() == [RunEnded]
    assert list(ear.runtime.sandboxes) == ["s1"]


def test_forks_are_quick_and_die_with_their_template() -> None:
    ear = Ear()
    ear.runtime.make_template("t1", ECHO)
    assert ear.listen() == [TemplateReady]
    ear.runtime.make_sandbox("s1", ECHO, "t1")
    assert ear.listen(0.006) == [SandboxReady]
    ear.runtime.make_sandbox("s2", ECHO, "t1")
    with pytest.raises(AssertionError, match="dropped under"):
        ear.runtime.drop_template("t1")
    ear.machine.crash("t1")
    assert ear.listen() == [SandboxGone, SandboxFailed, TemplateGone]


def test_faults_are_used_up() -> None:
    ear = Ear()
    ear.machine.break_starts("echo", Fault(times=1))
    ear.runtime.make_sandbox("s1", ECHO, None)
    ear.runtime.make_sandbox("s2", ECHO, None)
    assert ear.listen() == [SandboxFailed, SandboxReady]


def test_a_streamed_body_is_waited_for() -> None:
    ear = Ear()
    ear.runtime.make_sandbox("s1", ECHO, None)
    ear.listen()
    ear.runtime.run("s1", ECHO, Invocation("i1", "echo", ECHO.id, Request(body=b"a", more=True)))
    ear.runtime.body("s1", "i1", b"b", last=False)
    assert ear.listen() == []
    ear.runtime.body("s1", "i1", b"c", last=True)
    ear.clock.time += 1
    ear.machine.advance()
    assert ear.heard == [RunEnded("s1", "i1", Ok(body=b"abc"), 10.0)]


def test_more_than_its_slots_is_a_bug_of_the_worker() -> None:
    ear = Ear()
    ear.runtime.make_sandbox("s1", ECHO, None)
    ear.listen()
    ear.runtime.run("s1", ECHO, CALL)
    with pytest.raises(AssertionError, match="no free slot"):
        ear.runtime.run("s1", ECHO, Invocation("i2", "echo", ECHO.id, Request()))


def test_on_a_loop_it_reports_by_itself() -> None:
    async def main() -> None:
        times = Times(sandbox_ms=0, code_ms=0, imports_ms=1)
        runtime = SimulatedRuntime(ScriptedMachine(SystemClock(), times, on_loop=True))
        heard: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        await runtime.open(heard.set_result)
        runtime.make_sandbox("s1", ECHO, None)
        assert isinstance(await heard, SandboxReady)
        await runtime.close()

    asyncio.run(main())


def test_they_say_how_they_are() -> None:
    ear = Ear()
    assert repr(ear.runtime).startswith("<SimulatedRuntime 0 instances, 0 running, ")
    ear.runtime.make_sandbox("s1", ECHO, None)
    ear.machine.break_starts("cat", Fault())
    assert repr(ear.machine) == "<ScriptedMachine 1 due, 1 broken, 0 bodies>"
    instance = ear.runtime.instances["s1"]
    assert repr(instance) == "<Instance s1 starting, 0 running>"
    ear.listen()
    ear.runtime.run("s1", ECHO, CALL)
    job = instance.running["i1"]
    assert repr(job) == "<Job i1 in s1>"
    ear.runtime.stick(instance)
    assert repr(job) == "<Job i1 in s1, stuck>"
    assert repr(instance) == "<Instance s1 ready, 1 running>"
    assert repr(ear.runtime).startswith("<SimulatedRuntime 1 instances, 1 running, ")
    ear.runtime.kill("s1")
    assert repr(instance) == "<Instance s1 told to end, 0 running>"


def test_who_is_stuck_goes_on_when_it_is_loosened() -> None:
    ear = Ear()
    ear.runtime.make_sandbox("s1", ECHO, None)
    ear.listen()
    ear.runtime.run("s1", ECHO, CALL)
    stuck = ear.runtime.stick(ear.runtime.instances["s1"])
    assert ear.listen() == []
    ear.runtime.loosen(stuck)
    ear.runtime.loosen(stuck)
    assert ear.listen() == [RunEnded]


def test_of_a_start_of_known_length_imports_are_the_rest() -> None:
    steps = Steps(5.0, 1.0, 2.0, 1.0, 0.0, 3.0)
    assert steps.within(20.0) == Steps(5.0, 1.0, 2.0, 1.0, 8.0, 3.0)
    assert steps.within(7.0) == Steps(5.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    assert steps.longer(2.0).total == 2 * steps.total == 24.0
    assert Steps._fields == Making.__struct_fields__
