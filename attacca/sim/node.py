"""One simulated worker: its core, its machine, its clock and its one timer; as dull as the live driver."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from math import exp, inf

from attacca.errors import IllegalTransition
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.kernel.registry import Choice, build
from attacca.load.workload.scenario import Scenario
from attacca.model.invocation import Start
from attacca.model.messages import Catalogue, Check, Deployed, Dispatch, Ended, Resting, Send, Started, Withdraw
from attacca.model.sandbox import WorkerView
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.concurrency.types import Concurrency
from attacca.policy.keepalive import BOUNDS, KEEPALIVE
from attacca.policy.keepalive.types import Keepalive
from attacca.policy.queueing import QUEUEING
from attacca.policy.queueing.types import Queueing
from attacca.sim.engine import Engine
from attacca.sim.flight import Flight
from attacca.sim.hardware import Chances, Machine
from attacca.sim.journal import Journal, What
from attacca.sim.network import Road
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import (
    Command,
    DropTemplate,
    Event,
    Kill,
    MakeSandbox,
    MakeTemplate,
    Measured,
    Received,
    Run,
    Stop,
    Tick,
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

Handle = Callable[[float, Event], list[Command]]
Wrap = Callable[["Node", Handle], Handle]

EARLY_S = 1e-6  # more than what two clocks lose by being subtracted: a timer must not ring early
TOLD_FROM = 1 << 50  # draws of what is said of idle sandboxes are numbered from here down
FRONT = "gateway"
ENDLESS_MB = 1 << 40
LOAD_OVER_S = 60.0  # the load average that concurrency policies look at
RAN = {
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


class Node:
    def __init__(
        self,
        place: int,
        scenario: Scenario,
        engine: Engine,
        journal: Journal,
        chances: Chances,
        flights: Mapping[str, Flight],
        catalogue: Catalogue,
        wrap: Wrap | None,
        keepalive: Keepalive | None = None,
        checked: Collection[str] = (),
    ) -> None:
        """`wrap` is put around the core's `handle`, for those who look on. `keepalive`: in place of the scenario's.
        `checked`: the functions whose code was checked here when they were deployed.

        Raises:
            BadConfig: no such policy, or not with these options.
        """
        self.place = place
        self.name = f"w{place}"
        self.config = _config(scenario, self.name)
        self.is_up = False
        self.skew_s = 0.0  # its clock goes before the gateway's by so much
        self.slow = 1.0
        self.up_count = 0
        self.to_gateway: Road | None = None
        self.from_gateway: Road | None = None
        self._policies = _policies(self.config, keepalive)
        self._hardware = scenario.hardware
        self._engine = engine
        self._journal = journal
        self._chances = chances
        self._flights = flights
        self._catalogue = catalogue
        self._checked = checked
        self._wrap = wrap
        self._seed = scenario.seed
        self._ids = Numbers(f"{self.name}-")
        self._tells_idle = False
        self._news: dict[str, int] = {}  # the core's, as long as somebody wants to hear them
        self._told = 0
        self._later: deque[Event] = deque()
        self._is_feeding = False
        self._timer: int | None = None
        self._timer_at = inf
        self.start()

    def start(self) -> None:
        """A new core on an empty machine."""
        queueing, concurrency, keepalive = self._policies
        config = self.config
        chance = Streams(self._seed).stream(f"keepalive/{self.name}/{self.up_count}")
        self.core = WorkerCore(config, queueing, concurrency, keepalive, self._ids, config.cores, chance=chance)
        if self._tells_idle:
            self.core.pool.news = self._news = {}
        self.machine = Machine(
            self._engine, self._hardware, self._chances, config.cores, config.resources, self._flights, self._report
        )
        self.machine.cpu.set_speed(1.0 / self.slow)
        self._next_timer = self.core.timers.next
        self._handle: Handle = self.core.handle if self._wrap is None else self._wrap(self, self.core.handle)
        self.is_up = True
        self.up_count += 1
        self._load = 0.0
        if concurrency.every_s is not None:
            self._engine.at(self._engine.now + concurrency.every_s, self._measure, self.up_count)
        if self.up_count == 1:
            self._deploy()
        self.feed(self._catalogue)

    def _deploy(self) -> None:
        """Before the run: a check leaves a template behind, where templates are wanted and there is room."""
        with self.machine.at_once():
            for revision in self._catalogue.current:
                if revision.function in self._checked:
                    self.feed(Received(FRONT, Check(revision.id, revision)))
                    self.feed(Deployed(self._catalogue.generation, revision))

    def crash(self) -> None:
        """Nobody is told; who sends here sends into the void."""
        self.is_up = False
        self.machine.crash()
        self._later.clear()
        self._set_timer(inf)

    def set_slow(self, slow: float) -> None:
        """1: as built; 2: everything that computes takes twice as long."""
        self.slow = slow
        self.machine.cpu.set_speed(1.0 / slow)

    def receive(self, message: Dispatch | Withdraw) -> None:
        if not self.is_up:
            return
        if type(message) is Dispatch:
            flight = self._flights[message.invocation.id]
            now = self._engine.now
            if flight.key == message.invocation.id:
                flight.enq = now
                flight.queue_len = self.core.scheduler.queued
            if now != flight.due:
                self._journal.note(What.ENTERED, self.place, flight.idx)
            self.feed(Received(FRONT, message))
        else:
            self.feed(message)  # type: ignore[arg-type]

    def tell_idle(self) -> None:
        """From now on, of each change."""
        self._tells_idle = True
        self.core.pool.news = self._news = self._idle()
        self._tell_news()

    def _tell_news(self) -> None:
        news, road = self._news, self.to_gateway
        if road is not None:
            for function, idle in news.items():
                self._told += 1
                road.send(Resting(self.name, function, idle), -TOLD_FROM - self._told)
        news.clear()

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
            queued=core.scheduler.queued,
            running=core.scheduler.running,
            limit=core.scheduler.limit,
            cores=self.config.cores,
            idle=self._idle() if self._tells_idle else None,
        )

    def feed(self, event: Event) -> None:
        """One at a time: what arises while commands are carried out has its turn after them."""
        if self._is_feeding:
            self._later.append(event)
            return
        self._is_feeding = True
        self._step(event)
        while self._later:
            self._step(self._later.popleft())
        self._is_feeding = False
        self.look_at_clock()

    def look_at_clock(self) -> None:
        wakeup = self._next_timer()
        if wakeup is not None:
            if self.skew_s:
                wakeup += EARLY_S - self.skew_s
            if wakeup < self._timer_at:
                self._set_timer(wakeup)

    def _step(self, event: Event) -> None:
        machine = self.machine
        commands = self._handle(self._engine.now + self.skew_s, event)
        if self._news:
            self._tell_news()
        for command in commands:
            kind = type(command)
            if kind is Run:
                machine.run(command)  # type: ignore[arg-type]
            elif kind is Send:
                message = command.message  # type: ignore[union-attr]
                what = type(message)
                if what is Started:
                    self._started(message)  # type: ignore[arg-type]
                elif what is Ended:
                    assert self.to_gateway is not None
                    self.to_gateway.send(message, self._flights[message.id].draw + 1)
            else:
                self._order(command)

    def _started(self, started: Started) -> None:
        flight = self._flights[started.id]
        if flight.key == started.id:  # it was not sent to somebody else meanwhile
            flight.handed = self._engine.now
            flight.timing = started.timing
            flight.start = started.start
            flight.sandbox = started.sandbox
            flight.worker = self.place
        self._journal.note(RAN[started.start], self.place, flight.idx)
        assert self.to_gateway is not None
        self.to_gateway.send(started, flight.draw)

    def _order(self, command: Command) -> None:
        note, place, machine = self._journal.note, self.place, self.machine
        match command:
            case MakeSandbox():
                note(What.MAKING, place, _number(command.sandbox))
                machine.make_sandbox(command)
            case Kill():
                note(What.KILLED, place, _number(command.sandbox))
                machine.kill(command)
            case MakeTemplate():
                note(What.TEMPLATE_MAKING, place, _number(command.template))
                machine.make_template(command)
            case DropTemplate():
                note(What.TEMPLATE_DROPPED, place, _number(command.template))
                machine.drop_template(command)
            case Stop():
                machine.stop(command)
            case _:
                raise IllegalTransition(f"nobody asked worker {self.name} for {type(command).__name__}", "report it")

    def _report(self, report: Report) -> None:
        note, place = self._journal.note, self.place
        match report:
            case RunEnded():
                self.feed(report)
                return
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

    # Time.

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._engine.cancel(self._timer)
            self._timer = None
        self._timer_at = at
        if at < inf:
            self._timer = self._engine.at(max(at, self._engine.now), self._tick)

    def _tick(self, _: None) -> None:
        self._timer, self._timer_at = None, inf
        self.feed(Tick())

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


def _config(scenario: Scenario, name: str) -> WorkerConfig:
    system = scenario.system
    return WorkerConfig(
        name=name,
        memory_mb=ENDLESS_MB if system.keepalive.policy == "infinite" else system.memory_mb,
        cores=system.cores,
        queueing=Choice(policy=system.queueing.policy, options=system.queueing.options),
        concurrency=Choice(policy=system.concurrency.policy, options=system.concurrency.options),
        keepalive=Choice(policy=system.keepalive.policy, options=system.keepalive.options),
        templates=system.templates,
    )


def _policies(config: WorkerConfig, keepalive: Keepalive | None) -> tuple[Queueing, Concurrency, Keepalive]:
    queueing, concurrency, keeping = config.queueing, config.concurrency, config.keepalive
    return (
        build(QUEUEING, queueing.policy, queueing.options, "attacca.policy.queueing"),
        build(CONCURRENCY, concurrency.policy, concurrency.options, "attacca.policy.concurrency"),
        keepalive or build(KEEPALIVE | BOUNDS, keeping.policy, keeping.options, "attacca.policy.keepalive"),
    )
