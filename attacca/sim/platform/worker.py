"""One simulated worker: its core, its machine, its clock and its one timer; as dull as the live driver."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from math import exp
from typing import Final

from attacca.errors import IllegalTransition
from attacca.kernel.drive import Drive, raise_refused
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.load.workload.scenario import Scenario
from attacca.model.endpoints import NotBegun, SandboxDown, Sandboxes, SandboxUp, SlotFree
from attacca.model.events import Faraway
from attacca.model.invocation import Start
from attacca.model.looks import AskLoads
from attacca.model.messages import (
    AskHeld,
    AskStory,
    AskView,
    Checked,
    Cordon,
    Dispatch,
    Ended,
    FromControl,
    Resting,
    Send,
    Started,
    WatchIdle,
    Withdraw,
    WorkerJoined,
)
from attacca.model.sandbox import MachineLoad, WorkerView
from attacca.model.supplies import Stock
from attacca.policy.keepalive.types import Keepalive
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.control import CONTROL, SimulatedControl
from attacca.sim.platform.hardware import Chances, SharedMachine
from attacca.sim.platform.network import Channel
from attacca.sim.platform.settings import config_of, on_devices_of, policies_of
from attacca.sim.record.event_log import EventLog, What
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.record.ledger import Gauge
from attacca.worker.core import view
from attacca.worker.core.events import (
    Asked,
    Command,
    DropTemplate,
    Event,
    Kill,
    MakeSandbox,
    MakeTemplate,
    Measured,
    PeerLost,
    Received,
    Run,
    Stop,
    Tick,
    ToPeer,
)
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
from attacca.worker.core.worker import WorkerCore
from attacca.worker.runtime.simulated import SimulatedRuntime

Handle = Callable[[float, Event], list[Command]]
Wrap = Callable[["SimulatedWorker", Handle], Handle]

TOLD_FROM = 1 << 50  # draws of what is said of idle sandboxes are numbered from here down
LOAD_OVER_S = 60.0  # the load average that concurrency policies look at
ENTERED: Final = int(What.ENTERED)
RAN: Final = {
    Start.WARM: int(What.RAN_WARM),
    Start.COLD: int(What.RAN_COLD),
    Start.TEMPLATE: int(What.RAN_TEMPLATE),
    Start.PREWARMED: int(What.RAN_PREWARMED),
}


class Numbers(Ids):
    """`w3-1`, `w3-2`, ...: a restarted worker goes on where it was."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0

    def next(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"


class SimulatedWorker:
    def __init__(
        self,
        place: int,
        scenario: Scenario,
        engine: Engine,
        event_log: EventLog,
        chances: Chances,
        invocations: Mapping[str, SimulatedInvocation],
        control: SimulatedControl,
        wrap: Wrap | None,
        keepalive: Keepalive | None = None,
    ) -> None:
        """`wrap` is put around the core's `handle`, for those who look on. `keepalive`: in place of the scenario's.

        Raises:
            BadConfig: no such policy, or not with these options.
        """
        self.place = place
        self.name = f"w{place}"
        self.config = config_of(scenario, self.name)
        self.is_up = False
        self.is_stopped = False  # as by SIGSTOP: what runs in sandboxes goes on, and nobody hears of it
        self.slow = 1.0
        self.up_count = 0
        self.to_gateways: dict[str, Channel] = {}
        self.from_gateways: dict[str, Channel] = {}
        self._policies = policies_of(self.config, keepalive)
        self._hardware, self._accelerators = scenario.hardware, scenario.system.accelerators or None
        self._engine = engine
        self._event_log = event_log
        self._chances = chances
        self._invocations = invocations
        self._control = control
        self._wrap = wrap
        self._seed = scenario.seed
        self._ids = Numbers(f"{self.name}-")
        self._tells_idle: dict[str, None] = {}  # gateways that want to know what rests
        self._told = 0
        self._missed: list[Callable[[], None]] = []  # while it was stopped
        self._timer = EngineTimer(engine)
        self.start()

    def __repr__(self) -> str:
        state = "up" if self.is_up else "down"
        return f"<SimulatedWorker {self.name} {state}: {self.core.busy()} invocations, started {self.up_count} times>"

    def gauge(self) -> Gauge:
        if not self.is_up:
            return Gauge()
        core, machine, runtime = self.core, self.machine, self.runtime
        computing = runtime.running if machine.cpu.busy is None else machine.cpu.busy
        return Gauge(
            len(core.pool.sandboxes),
            runtime.busy,
            core.lines.queued,
            runtime.running,
            core.pool.used.memory_mb,
            min(1.0, computing / machine.cores),
        )

    def start(self) -> None:
        """A new core on an empty machine."""
        queueing, concurrency, keepalive = self._policies
        config = self.config
        chance = Streams(self._seed).stream(f"keepalive/{self.name}/{self.up_count}")
        queueing_there, dispatcher = on_devices_of(config, Streams(self._seed).stream(f"dispatch/{self.name}"))
        self.core = WorkerCore(
            config, queueing, concurrency, keepalive, self._ids, config.cores, chance=chance,
            on_devices=queueing_there, dispatcher=dispatcher,
        )  # fmt: skip
        self.machine = SharedMachine(
            self._engine, self._hardware, self._chances, config.cores, config.resources, self._invocations,
            self._accelerators,
        )  # fmt: skip
        self.runtime = SimulatedRuntime(self.machine, self._report)
        self.machine.cpu.set_speed(1.0 / self.slow)
        handle = self.core.handle if self._wrap is None else self._wrap(self, self.core.handle)
        self.drive: Drive[Event, Command] = Drive(
            handle, self.core.alarm, self._perform, self._now, self._timer, Tick(), raise_refused
        )
        for gateway in self._tells_idle:
            self.drive.feed(Received(gateway, WatchIdle()))
        self.is_up = True
        self.up_count += 1
        self._load = 0.0
        if concurrency.every_s is not None:
            self._engine.at(self._engine.now + concurrency.every_s, self._measure, self.up_count)
        self.join_control()

    def join_control(self) -> None:
        if self.is_stopped:
            self._missed.append(self.join_control)
            return
        self._control.join(self, WorkerJoined(self.view(), view.capacity(self.core)))
        self.machine.tell_stock(lambda kept: self._control.say(self.name, Stock(self.name, kept)))

    @property
    def channels(self) -> list[Channel]:
        """Of each gateway, up and down."""
        ways = zip(self.to_gateways.values(), self.from_gateways.values(), strict=True)
        return [channel for way in ways for channel in way]

    def crash(self) -> None:
        """Nobody is told; who sends here sends into the void."""
        self.is_up = self.is_stopped = False
        self._missed.clear()
        self.runtime.crash()
        self.drive.stop()

    def stop(self) -> None:
        """Until it may go on, it neither hears, decides nor says anything."""
        self.is_stopped = True
        self.drive.stop()

    def go_on(self) -> None:
        self.is_stopped = False
        missed, self._missed = self._missed, []
        for happen in missed:
            happen()
        self.drive.wind()

    @property
    def speaks(self) -> bool:
        return self.is_up and not self.is_stopped

    def lose_gateway(self, gateway: str) -> None:
        """The link to it has ended."""
        if self.is_up:
            self.feed(PeerLost(gateway))

    def set_slow(self, slow: float) -> None:
        """1: as built; 2: everything that computes takes twice as long."""
        self.slow = slow
        self.machine.cpu.set_speed(1.0 / slow)

    def receive(self, gateway: str, message: Dispatch | Withdraw) -> None:
        if not self.is_up:
            return
        if self.is_stopped:
            self._missed.append(partial(self.receive, gateway, message))
            return
        if type(message) is Dispatch:
            invocation, now = message.invocation.id, self._engine.now
            flight = self._invocations[invocation]
            if flight.key == invocation:
                flight.enq = flight.due if message.sandbox else now
                flight.queue_len = self.core.lines.queued
            if now != flight.due:
                self._event_log.note(ENTERED, self.place, flight.idx)
            self.drive.feed(Received(gateway, message))
            if self._accelerators is not None:
                self.machine.expect(invocation, self.core.lines.devices)
        else:
            self.drive.feed(message)  # type: ignore[arg-type]

    def hear_control(self, message: FromControl) -> None:
        assert not isinstance(message, AskHeld | AskLoads | AskStory | AskView | Cordon), "nobody watches"
        if self.is_up:
            assert not isinstance(message, Faraway), "there is no other domain"
            self.feed(Received(CONTROL, message) if isinstance(message, Asked) else message)

    def tell_idle(self, gateway: str) -> None:
        """From now on, of each change."""
        if gateway not in self._tells_idle:
            self._tells_idle[gateway] = None
            if self.is_up:
                self.feed(Received(gateway, WatchIdle()))

    def _idle(self) -> dict[str, int]:
        resting = (sandbox for sandbox in self.core.pool.sandboxes.values() if sandbox.idle is not None)
        return dict(Counter(sandbox.state.function.name for sandbox in resting))

    def view(self) -> WorkerView:
        """Without its lists of functions and sandboxes: no balancing policy asks for more than the idle ones."""
        core = self.core
        return WorkerView(
            name=self.name,
            capacity=core.pool.capacity,
            used=core.pool.used,
            queued=core.lines.queued,
            running=core.lines.running,
            limit=core.scheduler.limit,
            cores=self.config.cores,
            load=self._machine_load(),
            idle=self._idle() if self._tells_idle else None,
        )

    def _machine_load(self) -> MachineLoad:
        """The processors as they are now; the load over the last minute, where a policy has that worked out."""
        pool, wanting, cores = self.core.pool, self.machine.wanting, self.config.cores
        load_1m = float(wanting) if self._policies[1].every_s is None else self._load
        free_mb = pool.capacity.memory_mb - pool.used.memory_mb
        return MachineLoad(
            cpu_share=min(1.0, wanting / cores), load_1m=load_1m, memory_free_mb=free_mb, disk_free_mb=0,
            received_mb_s=0.0, sent_mb_s=0.0,
        )  # fmt: skip

    def feed(self, event: Event) -> None:
        if self.is_stopped:
            self._missed.append(partial(self.drive.feed, event))
        else:
            self.drive.feed(event)

    def _now(self) -> float:
        return self._engine.now + self._timer.skew_s

    def skew(self, seconds: float) -> None:
        """Its clock goes on before the gateway's by so much more."""
        self._timer.skew_s += seconds
        self.drive.stop()
        if self.speaks:
            self.drive.wind()

    def _perform(self, commands: list[Command]) -> None:
        channels = self.to_gateways
        for command in commands:
            if type(command) is Run:
                self.runtime.run(command.sandbox, command.revision, command.invocation)
            elif type(command) is Send:
                message = command.message
                if type(message) is Started:
                    self._started(command.peer, message)
                elif type(message) is Ended:
                    channels[command.peer].send(message, self._invocations[message.id].draw + 1)
                else:
                    self._send(command.peer, message)
            else:
                self._order(command)

    def _send(self, peer: str, message: ToPeer) -> None:
        channel = self.to_gateways.get(peer)
        if type(message) is Checked:
            self._control.hear(message)
        elif isinstance(message, SandboxUp | SandboxDown | Sandboxes):
            self._control.say(self.name, message)
        elif isinstance(message, Resting | NotBegun | SlotFree) and channel is not None:
            self._told += 1
            channel.send(message, -TOLD_FROM - self._told)

    def _started(self, gateway: str, started: Started) -> None:
        invocation = started.id
        flight = self._invocations[invocation]
        if flight.key == invocation:  # it was not sent to somebody else meanwhile
            flight.handed = self._engine.now
            flight.said = started
            flight.worker = self.place
        self._event_log.note(RAN[started.start], self.place, flight.idx)
        self.to_gateways[gateway].send(started, flight.draw)

    def _order(self, command: Command) -> None:
        note, place, runtime = self._event_log.note, self.place, self.runtime
        match command:
            case MakeSandbox():
                note(What.MAKING, place, _number(command.sandbox))
                runtime.make_sandbox(command.sandbox, command.revision, command.template)
            case Kill():
                note(What.KILLED, place, _number(command.sandbox))
                runtime.kill(command.sandbox)
            case MakeTemplate():
                note(What.TEMPLATE_MAKING, place, _number(command.template))
                runtime.make_template(command.template, command.revision)
            case DropTemplate():
                note(What.TEMPLATE_DROPPED, place, _number(command.template))
                runtime.drop_template(command.template)
            case Stop():
                runtime.stop(command.sandbox, command.invocation)
            case _:
                raise IllegalTransition(f"nobody asked worker {self.name} for {type(command).__name__}", "report it")

    def _report(self, report: Report) -> None:
        if type(report) is RunEnded:
            self.feed(report) if self.is_stopped else self.drive.feed(report)
            return
        note, place = self._event_log.note, self.place
        match report:
            case SandboxReady():
                note(What.READY, place, _number(report.sandbox))
            case SandboxGone() | SandboxFailed():
                note(What.GONE, place, _number(report.sandbox))
            case TemplateReady():
                note(What.TEMPLATE_READY, place, _number(report.template))
            case TemplateGone() | TemplateFailed():
                note(What.TEMPLATE_GONE, place, _number(report.template))
            case _:
                return
        self.feed(report)

    def _measure(self, up_count: int) -> None:
        every_s = self._policies[1].every_s
        if not self.is_up or up_count != self.up_count or every_s is None:
            return
        kept = exp(-every_s / LOAD_OVER_S)
        self._load = self._load * kept + self.machine.wanting * (1 - kept)
        self._engine.at(self._engine.now + every_s, self._measure, up_count)
        self.feed(Measured(self._load / self.config.cores))


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])
