"""One node: a worker's core on a simulated machine, whose event functions do what their workflow says."""

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import msgspec

from attacca.errors import IllegalTransition
from attacca.kernel.drive import Drive, raise_refused
from attacca.kernel.rand import Streams
from attacca.load.workload.scenario import Scenario
from attacca.load.workload.schedule import RUN, Target
from attacca.model.events import BetweenInstances, EventKind, Faraway, OfInstances, ReplyKind, place
from attacca.model.invocation import FunctionError
from attacca.model.messages import Logged, Send
from attacca.model.sandbox import WorkerView
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.gateway import Broken
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
    PeerJoined,
    PeerLost,
    Received,
    Respond,
    Tick,
    Warn,
    Write,
)
from attacca.worker.core.mailboxes import QUICK_MS, Stage
from attacca.worker.core.reports import EventAsked, EventSent, Report, RunBody, RunEnded, RunFlow, RunHead, StateOffered
from attacca.worker.core.ways import is_far
from attacca.worker.core.worker import WorkerCore
from attacca.worker.far import Far
from attacca.worker.runtime.simulated import SimulatedRuntime

CONTROL = "control"
HANDLED: Final = int(What.HANDLED)
OF_CASTS: Final = (EventKind.CAST, EventKind.CALL)
JUNK: Final = b"x"  # what means nothing to who gets it
FLOOD: Final = 300  # events at once
Heard = Callable[[ReplyKind], None]


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

    def fell(self, instance: str) -> None:
        """It crashed."""

    def calls(self, instance: str) -> float:
        """It calls whom it sends on to, and waits for so many seconds; 0: it does not."""

    def replied(self, node: "SimulatedNode", instance: str, data: str, *, is_error: bool) -> None:
        """The one that it has called is done."""

    def syncs(self, instance: str) -> bytes | None:
        """The state that it wants to be kept now, if any."""

    def kept(self, instance: str, state: bytes) -> None: ...
    def begins(self, instance: str, state: bytes | None) -> None: ...

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
        self.is_up = self.is_cordoned = False
        self.is_touched = False  # its core has decided something since somebody looked
        self.slow = 1.0
        self.up_count = 0
        self._policies = policies_of(self.config, None)
        self._scenario, self._engine, self._event_log, self._chances = scenario, engine, event_log, chances
        self._around = around
        self._ids = Numbers(f"{self.name}-")
        self._timer = EngineTimer(engine)
        self._delivered: dict[str, Delivered] = {}
        self._handled = self._asked = 0
        self._open: dict[tuple[str, int], Heard] = {}  # what instances wait for
        self._behind: dict[str, list[RunEnded]] = {}  # of those that wait within an event: of others, handed ahead
        self._answers_twice = False
        self.cut_short = 0  # events that ended with who handled them
        self.dropped = 0  # events, as its log says
        self.alone_at = self.led_at = 0.0  # when it lost its link to control last, and when it had one again
        self.cut_offs = 0  # times that it has ended what it has, because it was alone
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
        self._open.clear()
        self._behind.clear()
        self.machine = SharedMachine(
            self._engine, scenario.hardware, self._chances, config.cores, config.resources, self._delivered
        )
        self.runtime = SimulatedRuntime(self.machine, self._report)
        self.machine.cpu.set_speed(1.0 / self.slow)
        self.drive: Drive[Event, Command] = Drive(
            self._decide, self.core.alarm, self._perform, self._now, self._timer, Tick(), raise_refused
        )
        self.is_up = self.is_touched = True
        self.up_count += 1
        self.far = Far(self.name, self.hear_node, self.joined, partial(self._around.to_control, self), self.instance)

    def crash(self) -> None:
        self.is_up = False
        self.runtime.crash()
        self._delivered.clear()
        self.drive.stop()

    def set_slow(self, slow: float) -> None:
        self.slow = slow
        self.machine.cpu.set_speed(1.0 / slow)

    def view(self) -> WorkerView:
        told = view.brief(self.core)
        return msgspec.structs.replace(told, draining=True) if self.is_cordoned else told

    def gauge(self) -> Gauge:
        if not self.is_up:
            return Gauge()
        core, machine, runtime = self.core, self.machine, self.runtime
        computing = runtime.running if machine.cpu.busy is None else machine.cpu.busy
        waiting = sum(len(one.mailbox.events) for one in core.instances.by_id.values())
        share = min(1.0, computing / machine.cores)
        return Gauge(len(core.pool.sandboxes), runtime.busy, waiting, runtime.running, core.pool.used.memory_mb, share)

    # What is said to it.

    def lead(self) -> None:
        """There is a link to control."""
        if self.is_up:
            self.led_at = self._engine.now
            self.drive.feed(PeerJoined(CONTROL))

    def leave_alone(self) -> None:
        if self.is_up:
            self.alone_at = self._engine.now
            self.drive.feed(PeerLost(CONTROL))

    def hear_control(self, message: OfInstances | Faraway) -> None:
        if not self.is_up:
            return
        if isinstance(message, Faraway):
            self.far.hear(message)
        else:
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

    def has_taken(self, instance: str) -> int:
        """Events for that instance so far."""
        known = self.core.instances.by_id.get(instance)
        return 0 if known is None else known.handled + len(known.given) + len(known.mailbox.events)

    # What goes wrong with what it has.

    def ready(self) -> list[str]:
        """Instances that handle events."""
        return [one.id for one in self.core.instances.by_id.values() if one.stage is Stage.UP]

    def lose(self, instance: str) -> None:
        """Its sandbox dies."""
        self._cuts_short(instance)
        self._around.fell(instance)
        self.runtime.lose(instance, "sandbox_lost", "killed by signal 9")

    def misbehave(self, instance: str, share: float) -> None:
        """It floods its output, calls itself, calls one that is gone, or says twice that it is done."""
        kind = int(share * 4)
        if kind == 0:
            for _ in range(FLOOD):
                self.drive.feed(EventSent(instance, "to", is_instance=False, data=JUNK))
        elif kind == 1:
            self._ask(instance, "self", JUNK, 1.0, lambda _: None)
        elif kind == 2:
            self._ask(instance, f"{place(instance)}.0@{self.name}", JUNK, 1.0, lambda _: None, is_instance=True)
        else:
            self._answers_twice = True

    def _cuts_short(self, instance: str) -> None:
        self._behind.pop(instance, None)
        known = self.core.instances.by_id.get(instance)
        self.cut_short += known is not None and bool(known.given)

    # What its core wants.

    def _now(self) -> float:
        return self._engine.now

    def _decide(self, now: float, event: Event) -> list[Command]:
        self.is_touched = True
        return self.core.handle(now, event)

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            if type(command) is Deliver:
                self._deliver(command)
            elif type(command) is Send:
                message = command.message
                if not isinstance(message, BetweenInstances):
                    self._around.to_control(self, message)
                elif is_far(command.peer):
                    self.far.send(command.peer, message)
                else:
                    self._around.to_node(self, command.peer, message)
            else:
                self._order(command)

    def _deliver(self, command: Deliver) -> None:
        delivery = command.delivery
        self._handled += 1
        is_event = delivery.kind in OF_CASTS and delivery.data != JUNK
        data = (delivery.data or b"").decode() if is_event else ""
        work_s = self._around.work_s(command.sandbox, data) if is_event else 0.0
        if delivery.kind is EventKind.INIT:
            self._around.begins(command.sandbox, delivery.state)
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
                self._cuts_short(command.sandbox)
                runtime.kill(command.sandbox)
            case MakeTemplate():
                runtime.make_template(command.template, command.revision)
            case DropTemplate():
                runtime.drop_template(command.template)
            case Dial():
                self._around.dial(self, command.worker)
            case Write() | Warn():
                self.dropped += isinstance(command, Write)
                self.cut_offs += isinstance(command, Warn)
            case Respond():
                heard = self._open.pop((command.sandbox, command.asked), None)
                if heard is None:
                    raise Broken(f"{command.sandbox} is answered, and waits for nothing")
                heard(command.kind)
            case Listen():
                runtime.tell(command.sandbox, command)
            case _:
                raise IllegalTransition(f"nobody asked node {self.name} for {type(command).__name__}", "report it")

    def _report(self, report: Report) -> None:
        if type(report) is RunEnded:
            if report.sandbox in self._behind:  # it has events one after the other
                self._behind[report.sandbox].append(report)
                return
            doing = self._delivered.pop(report.invocation, None)
            if doing is not None and doing.data and self._goes_on(report, doing):
                return
        assert not isinstance(report, RunHead | RunBody | RunFlow | Logged), (
            "what is simulated streams and logs nothing"
        )
        if self.is_up:
            self.drive.feed(report)
            if self._answers_twice and type(report) is RunEnded:
                self._answers_twice = False
                self.drive.feed(report)

    def _goes_on(self, report: RunEnded, doing: Delivered) -> bool:
        """It sends the event on. True: it waits for the reply before it is done."""
        around, instance, data = self._around, report.sandbox, doing.data
        self._event_log.note(HANDLED, self.place, int(data))
        output = around.handled(self, instance, doing.source, data)
        wait_s = around.calls(instance) if output else 0.0
        if wait_s:
            began = self._engine.now

            def replied(kind: ReplyKind) -> None:
                is_error = kind is ReplyKind.ERROR
                around.replied(self, instance, data, is_error=is_error)
                outcome = FunctionError("CallFailed", "it was not answered") if is_error else report.outcome
                waited_ms = (self._engine.now - began) * 1e3
                took_ms = max(report.run_ms + waited_ms, QUICK_MS)  # what waits is given nothing ahead
                self.drive.feed(msgspec.structs.replace(report, outcome=outcome, run_ms=took_ms))
                for behind in self._behind.pop(instance, ()):
                    self._report(behind)

            self._behind[instance] = []
            self._ask(instance, output, data.encode(), wait_s, replied)
            return True
        if output:
            self.drive.feed(EventSent(instance, output, is_instance=False, data=data.encode()))
        state = around.syncs(instance)
        if state is not None:
            self._sync(instance, state)
        return False

    def _ask(
        self, instance: str, target: str, data: bytes, wait_s: float, heard: Heard, *, is_instance: bool = False
    ) -> None:
        self._asked += 1
        self._open[instance, self._asked] = heard
        self.drive.feed(EventAsked(instance, self._asked, target, is_instance, data, wait_s))

    def _sync(self, instance: str, state: bytes) -> None:
        def heard(kind: ReplyKind) -> None:
            if kind is not ReplyKind.ERROR:
                self._around.kept(instance, state)

        self._asked += 1
        self._open[instance, self._asked] = heard
        self.drive.feed(StateOffered(instance, self._asked, state))
