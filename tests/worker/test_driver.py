"""The driver is dull: nothing is lost, doubled or turned round between core, runtime and gateway."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from attacca.errors import BadConfig
from attacca.kernel.clock import SystemClock
from attacca.kernel.rand import Streams
from attacca.kernel.registry import Choice
from attacca.model.function import Revision
from attacca.model.invocation import Failed, Invocation, Making, Ok, Request, Start
from attacca.model.messages import (
    AskHeld,
    AskView,
    Body,
    Check,
    Checked,
    Cordon,
    Deployed,
    Dispatch,
    Ended,
    Flow,
    FromWorker,
    Heartbeat,
    Held,
    Logged,
    ResponseBody,
    ResponseHead,
    Started,
    ToControl,
    Viewed,
    Withdraw,
    WorkerJoined,
)
from attacca.worker.config import WorkerConfig
from attacca.worker.core.reports import RunBody, RunFlow, RunHead, SandboxReady
from attacca.worker.driver import Worker
from attacca.worker.runtime.scripted import Fault, ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime
from tests.worker.stage import revision

QUICK = Times(sandbox_ms=0, code_ms=0, imports_ms=0, fork_ms=0, run_ms=0, kill_ms=0)
ECHO = revision("echo")


class House:
    """A worker in its loop, and what its gateway and its log hear."""

    def __init__(self, times: Times = QUICK, config: WorkerConfig | None = None) -> None:
        clock = SystemClock()
        self.machine = ScriptedMachine(clock, times, on_loop=True)
        self.runtime = SimulatedRuntime(self.machine)
        self.heard: list[FromWorker | ToControl] = []
        self.logged: list[Logged] = []
        self.on_heard: Callable[[FromWorker | ToControl], None] | None = None
        self.worker = Worker(
            config or WorkerConfig(memory_mb=1000),
            self.runtime,
            clock,
            Streams(1),
            self._hear,
            self.logged.append,
            lambda: 0.5,
        )
        self._news = asyncio.Event()

    def send(self, name: str, of: Revision = ECHO, *, more: bool = False) -> None:
        self.worker.receive("g1", Dispatch(Invocation(name, of.function, of.id, Request(body=b"b", more=more))))

    async def ended(self, name: str) -> Ended:
        while True:
            for message in self.heard:
                if isinstance(message, Ended) and message.id == name:
                    return message
            self._news.clear()
            await self._news.wait()

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            await self.turn()

    async def turn(self) -> None:
        """Let what is due happen."""
        await asyncio.sleep(0)

    def report(self, report: RunHead | RunBody | RunFlow | Logged | SandboxReady) -> None:
        self.runtime.report(report)

    def _hear(self, peer: str, message: FromWorker | ToControl) -> None:
        assert peer == ("control" if isinstance(message, Checked | Held | Viewed) else "g1")
        self.heard.append(message)
        self._news.set()
        if self.on_heard is not None:
            self.on_heard(message)


def story(play: Callable[[House], Awaitable[None]], times: Times = QUICK, config: WorkerConfig | None = None) -> House:
    async def main() -> House:
        house = House(times, config)
        await house.worker.open()
        house.worker.receive("control", Deployed(1, ECHO))
        await asyncio.wait_for(play(house), 5)
        await house.worker.close()
        return house

    return asyncio.run(main())


def test_an_invocation_goes_through() -> None:
    async def play(house: House) -> None:
        house.send("i1")
        assert (await house.ended("i1")).outcome == Ok(body=b"b")
        house.send("i2")
        await house.ended("i2")
        starts = [message.start for message in house.heard if isinstance(message, Started)]
        assert starts == [Start.COLD, Start.WARM]
        assert house.worker.busy() == 0
        assert house.worker.showing.whole().functions[0].invocations == 2

    story(play)


def test_what_the_gateway_sends_while_it_is_told_has_its_turn_after() -> None:
    async def play(house: House) -> None:
        def on_heard(message: FromWorker | ToControl) -> None:
            if isinstance(message, Ended) and message.id != "i3":
                house.send(f"i{int(message.id[1:]) + 1}")

        house.on_heard = on_heard
        house.send("i1")
        await house.ended("i3")

    house = story(play)
    kinds = [(type(one).__name__, one.id) for one in house.heard if isinstance(one, Started | Ended)]
    assert kinds == [(kind, name) for name in ("i1", "i2", "i3") for kind in ("Started", "Ended")]


def test_a_check_is_answered_to_whoever_asked() -> None:
    async def play(house: House) -> None:
        house.machine.break_templates("bad", Fault())
        house.worker.receive("control", Check("1", revision("good", handler=None)))
        house.worker.receive("control", Check("2", revision("bad")))
        await house.until(lambda: sum(isinstance(message, Checked) for message in house.heard) == 2)
        checked = {message.id: message for message in house.heard if isinstance(message, Checked)}
        assert (checked["1"].revision.function, checked["1"].error) == ("good", None)
        assert checked["2"].error is not None
        assert checked["2"].error.code == "bad_function"


def test_whoever_asks_is_told_whose_code_is_held() -> None:
    async def play(house: House) -> None:
        house.worker.receive("control", AskHeld("7"))
        assert house.heard[-1] == Held("7", "worker", ECHO.artefact.digests)

    story(play)


def test_a_view_is_sent_to_whoever_asked() -> None:
    async def play(house: House) -> None:
        house.send("i1")
        await house.ended("i1")
        house.worker.receive("control", AskView("v1"))
        viewed = house.heard[-1]
        assert isinstance(viewed, Viewed)
        assert (viewed.id, viewed.view.name, viewed.view.functions[0].invocations) == ("v1", "worker", 1)

    story(play)


def test_bodies_that_come_early_are_held_and_given_in_order() -> None:
    async def play(house: House) -> None:
        house.send("i1", more=True)
        house.worker.receive("g1", Body("i1", b"1", last=False))
        await house.until(lambda: any(isinstance(message, Started) for message in house.heard))
        house.worker.receive("g1", Body("i1", b"2", last=False))
        house.worker.receive("g1", Body("i1", b"3", last=True))
        assert (await house.ended("i1")).outcome == Ok(body=b"b123")
        house.worker.receive("g1", Body("i1", b"late", last=True))

    story(play)


def test_a_body_too_large_to_hold_ends_its_invocation() -> None:
    async def play(house: House) -> None:
        house.send("i1", more=True)
        house.worker.receive("g1", Body("i1", b"x" * 1025, last=False))
        outcome = (await house.ended("i1")).outcome
        assert isinstance(outcome, Failed)
        assert outcome.code == "payload_too_large"

    story(play, config=WorkerConfig(memory_mb=1000, body_hold_kb=1, body_hold_kb_max=1))


def test_a_stream_goes_straight_on_but_never_after_the_end() -> None:
    async def play(house: House) -> None:
        house.send("i1", more=True)
        await house.until(lambda: bool(house.heard))
        started = house.heard.pop()
        assert isinstance(started, Started)
        house.report(RunHead(started.sandbox, "i1", 200, ()))
        house.report(RunBody(started.sandbox, "i1", b"x"))
        house.report(RunFlow(started.sandbox, "i1", paused=True))
        assert house.heard == [ResponseHead("i1", 200, ()), ResponseBody("i1", b"x"), Flow("i1", paused=True)]
        house.worker.receive("g1", Flow("i1", paused=True))
        assert house.machine.paused == {"i1": True}
        house.worker.receive("g1", Withdraw("i1", running=True, outcome=Failed("timeout", "too long")))
        house.report(RunBody(started.sandbox, "i1", b"late"))
        house.worker.receive("g1", Flow("i1", paused=False))
        assert isinstance(house.heard[-1], Ended)
        assert house.machine.paused == {"i1": True}

    story(play)


def test_logs_pass_it_by() -> None:
    line = Logged("echo", "echo@1", "s1", "i1", "stdout", "hello\n")

    async def play(house: House) -> None:
        house.report(line)

    assert story(play).logged == [line]


def test_draining_waits_for_what_runs() -> None:
    async def play(house: House) -> None:
        house.send("i1")
        await house.until(lambda: bool(house.heard))
        house.send("i2")  # starts its own sandbox
        await house.worker.drain(grace_s=5)
        assert house.worker.busy() == 0
        assert {message.id for message in house.heard if isinstance(message, Ended)} == {"i1", "i2"}

    story(play, Times(sandbox_ms=0, code_ms=0, imports_ms=0, run_ms=5))


def test_closing_ends_whatever_runs_exactly_once() -> None:
    async def play(house: House) -> None:
        house.send("i1", more=True)
        await house.until(lambda: bool(house.heard))
        await house.worker.drain(grace_s=0.001)
        assert house.worker.busy() == 1

    house = story(play)
    (ended,) = [message for message in house.heard if isinstance(message, Ended)]
    assert isinstance(ended.outcome, Failed)
    assert ended.outcome.code == "draining"


def test_a_closed_worker_still_answers() -> None:
    async def play(house: House) -> None:
        await house.worker.close()
        house.send("i1")
        assert isinstance((await house.ended("i1")).outcome, Failed)

    story(play)


def test_idle_sandboxes_expire_by_the_timer() -> None:
    async def play(house: House) -> None:
        house.send("i1")
        await house.ended("i1")
        await house.until(lambda: not house.runtime.sandboxes)

    keepalive = Choice(policy="ttl", options={"idle_s": 0.003})
    story(play, config=WorkerConfig(memory_mb=1000, templates=False, keepalive=keepalive))


def test_the_load_is_measured_if_the_policy_wants_it() -> None:
    async def play(house: House) -> None:
        await house.until(lambda: house.worker.showing.whole().limit == 3)

    concurrency = Choice(policy="aimd", options={"count": 1, "check_s": 0.001, "max_oversubscribe": 3})
    story(play, config=WorkerConfig(concurrency=concurrency))


def test_a_protocol_bug_is_seen_and_survived() -> None:
    seen: list[str] = []

    async def play(house: House) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["message"]))
        house.report(SandboxReady("never-was", Making()))
        house.send("i1")
        await house.ended("i1")

    story(play)
    assert seen == ["SandboxReady about sandbox never-was, which this worker does not know"]


def test_a_policy_that_does_not_exist_stops_the_start() -> None:
    async def play(_: House) -> None: ...

    with pytest.raises(BadConfig, match="no keepalive policy is called 'forever'"):
        story(play, config=WorkerConfig(keepalive=Choice(policy="forever")))


def test_who_joins_hears_from_it_until_it_is_lost() -> None:
    async def play(house: House) -> None:
        house.worker.join("g1")
        assert repr(house.worker) == "<Worker open: 0 invocations, 0 running, 1 peers>"
        (joined,) = [message for message in house.heard if isinstance(message, WorkerJoined)]
        assert (joined.view.name, joined.view.draining) == ("worker", False)
        house.send("i1")
        await house.ended("i1")
        house.worker._beat()
        beats = [message for message in house.heard if isinstance(message, Heartbeat)]
        assert [beat.view.idle for beat in beats] == [{"echo": 1}]
        await house.worker.drain(grace_s=0.001)
        assert isinstance(house.heard[-1], Heartbeat)
        assert house.heard[-1].view.draining, "said at once"
        house.worker.lose("g1")
        count = len(house.heard)
        house.worker._beat()
        assert len(house.heard) == count

    story(play)


def test_a_worker_that_is_cordoned_says_so_and_still_takes_what_comes() -> None:
    async def play(house: House) -> None:
        house.worker.join("g1")
        house.worker.receive("control", Cordon("worker", is_on=True))
        assert house.worker.showing.whole().draining
        told = [one for one in house.heard if isinstance(one, Heartbeat)]
        assert [one.view.draining for one in told] == [True]
        house.worker.receive("control", Cordon("worker", is_on=False))
        assert not house.worker.showing.whole().draining

    story(play)
