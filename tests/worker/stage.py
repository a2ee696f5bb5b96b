"""A worker core on a simulated runtime under a clock that stands still: what the stories are played on."""

from math import inf
from typing import TypeVar

from attacca.kernel.clock import ManualClock
from attacca.kernel.drive import Drive, HandTimer, each, raise_refused
from attacca.kernel.ids import Ids
from attacca.model.endpoints import (
    NotBegun,
    Ordered,
    SandboxDown,
    Sandboxes,
    SandboxUp,
    SlotFree,
    StartSandbox,
    StopSandbox,
)
from attacca.model.function import PythonDirectory, Revision, Settings, Signature
from attacca.model.invocation import Failed, Invocation, Outcome, Request, Start
from attacca.model.messages import Check, Checked, Deleted, Deployed, Dispatch, Ended, Resting, Send, Started, Withdraw
from attacca.policy.concurrency.fixed import Fixed
from attacca.policy.concurrency.types import Concurrency
from attacca.policy.dispatch.types import Dispatcher
from attacca.policy.keepalive.ttl import Ttl
from attacca.policy.keepalive.types import Keepalive
from attacca.policy.queueing.fcfs import Fcfs
from attacca.policy.queueing.types import Queueing
from attacca.worker.config import WorkerConfig
from attacca.worker.core import invariants, view
from attacca.worker.core.events import (
    Command,
    DropTemplate,
    Event,
    Hand,
    Kill,
    MakeSandbox,
    MakeTemplate,
    Received,
    Run,
    Stop,
    TakeBack,
    Tick,
    ToPeer,
)
from attacca.worker.core.reports import Report
from attacca.worker.core.worker import WorkerCore
from attacca.worker.runtime.scripted import Handler, ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime

C = TypeVar("C")
GATEWAY, CONTROL = "gateway", "control"


class Counted:
    """Chance that is none: ids without a random prefix."""

    def random(self) -> float:
        raise NotImplementedError

    expovariate = choice = sample = random

    def getrandbits(self, k: int) -> int:
        return 0


def revision(function: str, number: int = 1, **settings: object) -> Revision:
    fields = {"memory_mb": 100, "handler": "main:handler", **settings}
    return Revision(
        function=function,
        number=number,
        settings=Settings(name=function, **fields),  # type: ignore[arg-type]
        handler="main:handler",
        signature=Signature.EVENT_CONTEXT,
        artefact=PythonDirectory(f"code-{number}"),
    )


class Stage:
    def __init__(
        self,
        config: WorkerConfig | None = None,
        *,
        limit: int = 100,
        times: Times | None = None,
        handler: Handler | None = None,
        queueing: Queueing | None = None,
        concurrency: Concurrency | None = None,
        keepalive: Keepalive | None = None,
        shortcut: bool = True,
        on_devices: Queueing | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.machine = ScriptedMachine(self.clock, times, handler)
        self.runtime = SimulatedRuntime(self.machine, self._hear)
        self.core = WorkerCore(
            config or WorkerConfig(memory_mb=1000),
            queueing or Fcfs(),
            concurrency or Fixed(count=limit),
            keepalive or Ttl(idle_s=60.0),
            Ids(Counted(), "s"),  # type: ignore[arg-type]
            2,
            shortcut=shortcut,
            on_devices=on_devices,
            dispatcher=dispatcher,
        )
        self.timer = HandTimer()
        self.drive: Drive[Event, Command] = Drive(
            self._handle, self.core.alarm, each(self._perform), self.clock.now, self.timer, Tick(), raise_refused
        )
        self.said: list[tuple[float, Command]] = []
        self.started: dict[str, Started] = {}
        self.ended: dict[str, Ended] = {}
        self.checked: list[Checked] = []
        self.rests: dict[str, int] = {}  # as it was said
        self.not_begun: list[NotBegun] = []
        self.freed: list[tuple[str, str]] = []
        self.up: dict[str, SandboxUp] = {}
        self.down: dict[str, SandboxDown] = {}
        self.ordered: dict[str, Ordered] = {}
        self.sent = 0

    # What happens.

    def tell(self, event: Event) -> list[Command]:
        commands = self.drive.decide(event)
        decided = list(commands)
        self.drive.carry_out(commands)
        return decided

    def _handle(self, now: float, event: Event) -> list[Command]:
        commands = self.core.handle(now, event)
        invariants.check(self.core)
        return commands

    def deploy(self, function: str, number: int = 1, **settings: object) -> Revision:
        found = revision(function, number, **settings)
        self.tell(Deployed(self.sent, found))
        return found

    def check(self, of: Revision) -> None:
        self.tell(Received(CONTROL, Check(str(len(self.checked)), of)))

    def delete(self, function: str) -> None:
        self.tell(Deleted(self.sent, function))

    def send(self, of: Revision, count: int = 1) -> str:
        for _ in range(count):
            self.sent += 1
            name = f"{of.function}-{self.sent}"
            self.tell(Received(GATEWAY, Dispatch(Invocation(name, of.function, of.id, Request(body=name.encode())))))
        return name

    def order(self, of: Revision, name: str = "c1", *, is_ahead: bool = False) -> str:
        """By control."""
        self.tell(Received(CONTROL, StartSandbox(name, of.function, of.id, "wanted", is_ahead)))
        return name

    def stop(self, name: str = "c1") -> None:
        self.tell(Received(CONTROL, StopSandbox(name, "too many")))

    def run_in(self, sandbox: str, of: Revision, *, peer: str = GATEWAY) -> str:
        """It is to run there and nowhere else."""
        self.sent += 1
        name = f"{of.function}-{self.sent}"
        invocation = Invocation(name, of.function, of.id, Request(body=name.encode()))
        self.tell(Received(peer, Dispatch(invocation, sandbox=sandbox)))
        return name

    def withdraw(self, name: str, outcome: Outcome | None = None, *, running: bool) -> None:
        self.tell(Withdraw(name, running, outcome or Failed("timeout", "the clock fired")))

    def play(self, seconds: float) -> "Stage":
        """Let time pass: reports arrive and the worker wakes when they should, in the order of their times."""
        until = self.clock.now() + seconds
        self.drive.wind()  # somebody may have asked to be woken outside of any event
        while True:
            at = min(self.timer.at, inf if (due := self.machine.next_at()) is None else due)
            if at > until:
                break
            self.clock.time = max(self.clock.time, at)
            while self.machine.advance():
                pass
            if self.timer.at <= self.clock.time:
                self.timer.ring()
        self.clock.time = until
        return self

    # What came of it.

    def all(self, kind: type[C]) -> list[C]:
        return [command for _, command in self.said if isinstance(command, kind)]

    def start(self, name: str) -> Start:
        return self.started[name].start

    def why(self, name: str) -> str:
        return self.started[name].why

    def failure(self, name: str) -> Failed:
        outcome = self.ended[name].outcome
        assert isinstance(outcome, Failed), f"{name} ended as {outcome}"
        return outcome

    def idle(self, function: str) -> int:
        return next((one.idle for one in view.of(self.core, self.clock.now()).functions if one.function == function), 0)

    def phases(self) -> list[str]:
        return [sandbox.phase for sandbox in view.of(self.core, self.clock.now()).sandboxes]

    @property
    def used_mb(self) -> int:
        return view.of(self.core, self.clock.now()).used.memory_mb

    def _hear(self, report: Report) -> None:
        self.tell(report)  # type: ignore[arg-type]  # the simulation streams nothing

    def _perform(self, command: Command) -> None:
        runtime = self.runtime
        self.said.append((self.clock.now(), command))
        match command:
            case Run():
                assert command.invocation.id not in self.ended
                runtime.run(command.sandbox, command.revision, command.invocation)
            case Send(peer, message):
                self._told(peer, message)
            case MakeSandbox():
                runtime.make_sandbox(command.sandbox, command.revision, command.template)
            case Kill():
                runtime.kill(command.sandbox)
            case Stop():
                runtime.stop(command.sandbox, command.invocation)
            case MakeTemplate():
                runtime.make_template(command.template, command.revision)
            case DropTemplate():
                runtime.drop_template(command.template)
            case Hand() | TakeBack():
                runtime.tell(command.sandbox, command)
            case _:
                raise AssertionError(f"no event function is played here: {command}")

    def _told(self, peer: str, message: ToPeer) -> None:
        match message:
            case Started():
                assert message.id not in self.started
                self.started[message.id] = message
            case Ended():
                assert message.id not in self.ended, f"{message.id} ended twice"
                self.ended[message.id] = message
            case Checked():
                assert peer == CONTROL
                self.checked.append(message)
            case Resting():
                self.rests[message.function] = message.idle
            case NotBegun():
                self.not_begun.append(message)
            case SlotFree():
                self.freed.append((peer, message.sandbox))
            case SandboxUp():
                self.up[message.id] = message
            case SandboxDown():
                assert message.id not in self.down, f"{message.id} ended twice"
                self.down[message.id] = message
            case Sandboxes():
                self.ordered = {one.id: one for one in message.ordered}
            case _:
                raise AssertionError(f"no event function is played here: {message}")
