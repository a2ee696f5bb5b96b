"""One node: a worker's core on a simulated machine, whose event functions do what their workflow says."""

from typing import Final, Protocol

from attacca.errors import IllegalTransition
from attacca.kernel.drive import Drive, raise_refused
from attacca.kernel.rand import Streams
from attacca.load.workload.scenario import Scenario
from attacca.load.workload.schedule import RUN, Target
from attacca.model.events import BetweenInstances, EventKind, OfInstances
from attacca.model.messages import Logged, Send
from attacca.model.sandbox import WorkerView
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.hardware import Chances, SharedMachine
from attacca.sim.platform.settings import config_of, policies_of
from attacca.sim.platform.worker import Numbers
from attacca.sim.record.event_log import EventLog, What
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.record.ledger import Gauge
from attacca.worker.core import view
from attacca.worker.core.events import (
    Command,
    Deliver,
    Dial,
    DropTemplate,
    Event,
    Kill,
    Listen,
    MakeSandbox,
    MakeTemplate,
    NeighbourJoined,
    NeighbourSaid,
    Received,
    Respond,
    Tick,
    Write,
)
from attacca.worker.core.mailboxes import Stage
from attacca.worker.core.reports import EventSent, Report, RunBody, RunEnded, RunFlow, RunHead
from attacca.worker.core.worker import WorkerCore
from attacca.worker.runtime.simulated import SimulatedRuntime

CONTROL = "control"
HANDLED: Final = int(What.HANDLED)


class Delivered(SimulatedInvocation):
    """What an instance has to do with one event. `kind` and `data`: the event's; `source`: who sent it."""

    __slots__ = ("data", "kind", "source")

    def __init__(self, idx: int, due: float, target: Target, request_s: float, phase: str) -> None:
        super().__init__(idx, due, target, request_s, phase)
        self.kind = EventKind.INIT
        self.data = self.source = ""


class Around(Protocol):
    """What there is around a node."""

    target: Target  # of what is no event of a workflow's

    def work_s(self, instance: str, data: str) -> float:
        """How long it takes with that event."""

    def handled(self, node: "SimulatedNode", instance: str, source: str, data: str) -> str:
        """It has; the output that it sends it on by, or none."""

    def to_control(self, node: "SimulatedNode", message: object) -> None: ...
    def to_node(self, node: "SimulatedNode", other: str, message: BetweenInstances) -> None: ...
    def dial(self, node: "SimulatedNode", other: str) -> None: ...


class SimulatedNode:
    def __init__(
        self, place: int, scenario: Scenario, engine: Engine, event_log: EventLog, chances: Chances, around: Around
    ) -> None:
        """
        Raises:
            BadConfig: no such policy, or not with these options.
        """
        self.place = place
        self.name = f"w{place}"
        self.config = config_of(scenario, self.name)
        self.is_up = False
        self.slow = 1.0
        self.up_count = 0
        self._policies = policies_of(self.config, None)
        self._scenario, self._engine, self._event_log, self._chances = scenario, engine, event_log, chances
        self._around = around
        self._ids = Numbers(f"{self.name}-")
        self._timer = EngineTimer(engine)
        self._delivered: dict[str, Delivered] = {}
        self._handled = 0
        self.dropped = 0  # events, as its log says
        self.start()

    def __repr__(self) -> str:
        state = "up" if self.is_up else "down"
        here = len(self.core.instances.by_id)
        return f"<SimulatedNode {self.name} {state}: {here} instances, {self._handled} handled, {self.up_count} starts>"

    @property
    def instance(self) -> bytes:
        """By which others know this process of it from the one before."""
        return str(self.up_count).encode()

    def start(self) -> None:
        """A new core on an empty machine."""
        queueing, concurrency, keepalive = self._policies
        config, scenario = self.config, self._scenario
        chance = Streams(scenario.seed).stream(f"node/{self.name}/{self.up_count}")
        self.core = WorkerCore(config, queueing, concurrency, keepalive, self._ids, config.cores, chance=chance)
        self._delivered.clear()
        self.machine = SharedMachine(
            self._engine, scenario.hardware, self._chances, config.cores, config.resources, self._delivered
        )
        self.runtime = SimulatedRuntime(self.machine, self._report)
        self.machine.cpu.set_speed(1.0 / self.slow)
        self.drive: Drive[Event, Command] = Drive(
            self.core.handle, self.core.alarm, self._perform, self._now, self._timer, Tick(), raise_refused
        )
        self.is_up = True
        self.up_count += 1

    def crash(self) -> None:
        self.is_up = False
        self.runtime.crash()
        self._delivered.clear()
        self.drive.stop()

    def set_slow(self, slow: float) -> None:
        self.slow = slow
        self.machine.cpu.set_speed(1.0 / slow)

    def view(self) -> WorkerView:
        return view.brief(self.core)

    def gauge(self) -> Gauge:
        if not self.is_up:
            return Gauge()
        core, machine, runtime = self.core, self.machine, self.runtime
        computing = runtime.running if machine.cpu.busy is None else machine.cpu.busy
        waiting = sum(len(one.mailbox.events) for one in core.instances.by_id.values())
        share = min(1.0, computing / machine.cores)
        return Gauge(len(core.pool.sandboxes), runtime.busy, waiting, runtime.running, core.pool.used.memory_mb, share)

    # What is said to it.

    def hear_control(self, message: OfInstances) -> None:
        if self.is_up:
            self.drive.feed(Received(CONTROL, message))

    def hear_node(self, other: str, instance: bytes, message: BetweenInstances) -> None:
        if self.is_up:
            self.drive.feed(NeighbourSaid(other, instance, message))

    def joined(self, other: str) -> None:
        if self.is_up:
            self.drive.feed(NeighbourJoined(other))

    def takes(self, instance: str, data: str) -> bool:
        """Something comes to one of its instances, from outside. False: it is not up."""
        known = self.core.instances.by_id.get(instance) if self.is_up else None
        if known is None or known.stage is not Stage.UP:
            return False
        self.drive.feed(EventSent(instance, "self", is_instance=False, data=data.encode()))
        return True

    # What its core wants.

    def _now(self) -> float:
        return self._engine.now

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            if type(command) is Deliver:
                self._deliver(command)
            elif type(command) is Send:
                message = command.message
                if isinstance(message, BetweenInstances):
                    self._around.to_node(self, command.peer, message)
                else:
                    self._around.to_control(self, message)
            else:
                self._order(command)

    def _deliver(self, command: Deliver) -> None:
        delivery = command.delivery
        self._handled += 1
        is_event = delivery.kind is EventKind.CAST
        data = (delivery.data or b"").decode() if is_event else ""
        work_s = self._around.work_s(command.sandbox, data) if is_event else 0.0
        doing = Delivered(self._handled, self._engine.now, self._around.target, work_s, RUN)
        doing.kind, doing.source, doing.data = delivery.kind, delivery.source, data
        self._delivered[delivery.id] = doing
        self.runtime.tell(command.sandbox, command)

    def _order(self, command: Command) -> None:
        runtime, note = self.runtime, self._event_log.note
        match command:
            case MakeSandbox():
                note(What.MAKING, self.place, 0)
                runtime.make_sandbox(command.sandbox, command.revision, command.template)
            case Kill():
                note(What.KILLED, self.place, 0)
                runtime.kill(command.sandbox)
            case MakeTemplate():
                runtime.make_template(command.template, command.revision)
            case DropTemplate():
                runtime.drop_template(command.template)
            case Dial():
                self._around.dial(self, command.worker)
            case Write():
                self.dropped += 1
            case Listen() | Respond():
                runtime.tell(command.sandbox, command)
            case _:
                raise IllegalTransition(f"nobody asked node {self.name} for {type(command).__name__}", "report it")

    def _report(self, report: Report) -> None:
        if type(report) is RunEnded:
            doing = self._delivered.pop(report.invocation, None)
            if doing is not None and doing.kind is EventKind.CAST:
                self._event_log.note(HANDLED, self.place, int(doing.data))
                output = self._around.handled(self, report.sandbox, doing.source, doing.data)
                if output:
                    self.drive.feed(EventSent(report.sandbox, output, is_instance=False, data=doing.data.encode()))
        assert not isinstance(report, RunHead | RunBody | RunFlow | Logged), (
            "what is simulated streams and logs nothing"
        )
        if self.is_up:
            self.drive.feed(report)
