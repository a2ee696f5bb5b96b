"""The worker's machine: what happens goes in, what is to be done comes out.

Dispatch -> [Run, Send(Started)] when a slot is free, [MakeSandbox] when one must be made.
RunEnded -> [Send(Ended)], and the Run of whoever is next.
A report about a sandbox in a phase that has no row for it is refused and changes nothing.
"""

from attacca.errors import IllegalTransition
from attacca.kernel.chance import Chance
from attacca.kernel.ids import Ids
from attacca.kernel.timers import Alarm
from attacca.model.endpoints import AskSandboxes, StartSandbox, StopSandbox
from attacca.model.invocation import Failed, Outcome
from attacca.model.machine import Machine
from attacca.model.messages import Catalogue as Announced
from attacca.model.messages import (
    Check,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Evict,
    Prewarm,
    Send,
    WatchIdle,
    Withdraw,
)
from attacca.policy.concurrency.types import Concurrency, checked
from attacca.policy.dispatch.estimate import ByEstimate
from attacca.policy.dispatch.types import Dispatcher
from attacca.policy.keepalive.types import Keepalive
from attacca.policy.queueing.types import Queueing
from attacca.policy.queueing.types import begin as begin_queue
from attacca.worker.config import WorkerConfig
from attacca.worker.core.accelerators import Accelerators
from attacca.worker.core.catalogue import Catalogue
from attacca.worker.core.checks import DRAINING, Checks, never_fits
from attacca.worker.core.choosing import Choosing
from attacca.worker.core.events import Asked, Command, Drain, Event, Measured, PeerLost, Received, Stop, Tick
from attacca.worker.core.failing import Failing
from attacca.worker.core.instances import OF_INSTANCES, Instances
from attacca.worker.core.lines import lines_of
from attacca.worker.core.orders import Orders
from attacca.worker.core.phases import Phase, Position
from attacca.worker.core.pool import Pool
from attacca.worker.core.reports import (
    DevicesSeen,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    TakenBack,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
    advice,
)
from attacca.worker.core.scheduler import Scheduler
from attacca.worker.core.state import Function, Loss, QueuedInvocation, RevisionState, Sandbox
from attacca.worker.core.templates import Templates
from attacca.worker.core.timers import Timer, Timers

Told = Announced | Deployed | Deleted | Prewarm | Evict | Measured | PeerLost | DevicesSeen | Drain

FORSAKEN = Failed("cancelled", "the gateway that sent it is gone")


class WorkerCore:
    def __init__(
        self,
        config: WorkerConfig,
        queueing: Queueing,
        concurrency: Concurrency,
        keepalive: Keepalive,
        ids: Ids,
        cores: int,
        *,
        chance: Chance | None = None,
        shortcut: bool = True,
        on_devices: Queueing | None = None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        """`chance`: what a keep-alive policy may draw from. `shortcut`: an invocation that finds a free slot and
        nobody waiting runs without the general search.

        Raises:
            BadConfig: a policy lacks something that it will be asked for.
        """
        self.config = config
        self.concurrency = checked(concurrency)
        self.functions: dict[str, Function] = {}
        self.timers = Timers()
        self.alarm: Alarm = self.timers  # when it wants the next Tick; a Tick at any other time does no harm
        self.pool = Pool(config, keepalive, ids, self.timers, self.functions, chance)
        self.scheduler = Scheduler(
            config, self.pool, begin_queue(queueing), concurrency, self.timers, self.functions, cores
        )
        self.checks = Checks(config, self.pool, self.timers, self.functions)
        self.lines = lines_of(config, self.pool, self.scheduler, on_devices, self.timers, self.functions)
        self.choosing = Choosing(dispatcher or ByEstimate(), self.lines, self.functions)
        self.catalogue = Catalogue(config, self.pool, self.lines, self.checks, self.timers, self.functions)
        self.templates = Templates(config, self.pool, self.checks, self.catalogue, self.scheduler)
        self.orders = Orders(config, self.pool, self.catalogue)
        self.failing = Failing(self.pool, self.templates, self.lines, self.catalogue, self._ordered_ended)
        self.accelerators = Accelerators(config, self.pool, self.lines, self.catalogue, self.orders)
        self.instances = Instances(config, self.pool, self.checks, self.templates, self.timers, ids, chance)
        self.draining = False
        self.machine: Machine | None = None  # as control is told of it
        self._watchers: list[str] = []  # gateways that want to hear what rests
        self._shortcut = shortcut
        self._has_templates = config.templates

    def __repr__(self) -> str:
        return (
            f"<WorkerCore {self.config.name}: {self.pool!r}, {self.scheduler!r}{', draining' if self.draining else ''}>"
        )

    def handle(self, now: float, event: Event) -> list[Command]:
        out: list[Command] = []
        # The road of every invocation. A `match` asks the classes of structs one by one, at ten times the price.
        if type(event) is Received:
            message = event.message
            if type(message) is Dispatch:
                self._dispatch(now, event.peer, message, out)
            else:
                self._received(now, event.peer, message, out)
        elif type(event) is RunEnded:
            self._run_ended(now, event, out)
        else:
            self._rest(now, event, out)
        if self.pool.news:
            self.pool.tell_news(self.config.name, self._watchers, out)
        return out

    def _rest(self, now: float, event: Event, out: list[Command]) -> None:
        if type(event) is Tick:  # by far the most of these
            self._tick(now, out)
            self._move_on(now, out)
            return
        if isinstance(event, OF_INSTANCES):
            self.instances.take(now, event, out)
            return
        match event:
            case SandboxReady() | SandboxFailed() | SandboxGone():
                self._sandbox(now, event, out)
                self._move_on(now, out)
            case TemplateReady() | TemplateFailed() | TemplateGone():
                self.templates.hear(now, event, out)
                self._move_on(now, out)
            case TakenBack():
                self._taken_back(now, event, out)
                self._move_on(now, out)
            case Withdraw():
                self._withdraw(now, event, out)
                self._move_on(now, out)
            case Received() | RunEnded() | Tick():
                raise AssertionError("they are handled before")
            case _:
                self._told(now, event, out)
                self._move_on(now, out)

    def busy(self) -> int:
        """Invocations that have not ended."""
        return len(self.lines.items()) + len(self.orders.items)

    def _received(self, now: float, peer: str, message: Asked, out: list[Command]) -> None:
        match message:
            case StartSandbox():
                others_wait = bool(self.scheduler.head_of_line or self.checks.waiting)
                self.orders.start(now, peer, message, out, draining=self.draining, others_wait=others_wait)
            case StopSandbox():
                self.orders.stop(now, peer, message, out)
                self._move_on(now, out)
            case AskSandboxes():
                self.orders.tell(peer, self.instances.by_id, out)
            case Check():
                refusal = self.catalogue.refuse(message.revision.settings)
                self.checks.begin(now, peer, message, refusal, out, draining=self.draining)
                self._move_on(now, out)
            case WatchIdle():
                self._watchers.append(peer)
                idle = ((function.name, function.idle) for function in self.functions.values())
                self.pool.news = {name: count for name, count in idle if count}
            case Dispatch():
                raise AssertionError("it is handled before")
            case _:
                self.instances.hear(now, peer, message, out, draining=self.draining)

    # Invocations.

    def _dispatch(self, now: float, peer: str, message: Dispatch, out: list[Command]) -> None:
        if message.sandbox:
            self.orders.dispatch(now, peer, message, out, draining=self.draining)
            return
        invocation = message.invocation
        state = self.catalogue.states.get(invocation.revision)
        if state is None:
            state = self.catalogue.find(now, invocation.revision, out)
        if self.draining:
            out.append(Send(peer, Ended(invocation.id, DRAINING)))
        elif state is None or state.is_ordered:
            text = f"this worker knows no revision {invocation.revision!r}"
            outcome = Failed("not_found", text, "deploy it, or ask for the current one")
            out.append(Send(peer, Ended(invocation.id, outcome)))
        elif state.is_apart:
            self._apart(now, peer, message, state, out)
        else:
            scheduler = self.scheduler
            at_once = self._shortcut and not (self.checks.waiting or scheduler.has_line())
            if not scheduler.join(now, peer, invocation, state, out, at_once=at_once):
                self._move_on(now, out)

    def _apart(self, now: float, peer: str, message: Dispatch, state: RevisionState, out: list[Command]) -> None:
        if state.is_too_large:
            out.append(Send(peer, Ended(message.invocation.id, never_fits(state.revision, self.pool.capacity))))
            return
        self.choosing.join(now, peer, message.invocation, state, out)
        self._move_on(now, out)

    def _run_ended(self, now: float, event: RunEnded, out: list[Command]) -> None:
        sandbox = self.pool.sandboxes.get(event.sandbox)
        item = None if sandbox is None else sandbox.leave(event.invocation)
        if item is None:  # it was given up, or lost with its sandbox, in that moment
            if sandbox is not None and sandbox.is_ordered:  # or it was no invocation
                self.instances.run_ended(now, event, out)
            return
        assert sandbox is not None
        scheduler, state, goes_on = self.scheduler, item.state, bool(sandbox.ahead)
        if not state.is_apart:
            scheduler.run_ended(now, item, event.outcome, event.run_ms, out)
        elif state.is_ordered:
            self.orders.run_ended(now, item, event, out)
        else:
            self.lines.of(state).run_ended(now, item, event.outcome, event.run_ms, out)
            self.choosing.ended(now, item, event.run_ms / 1000)
            self._move_on(now, out)
        if state.template is None and self._has_templates and type(event.outcome) is not Failed and not self.draining:
            self.templates.want(now, state, out)
        if self.checks.waiting or state.retired or (self.lines.has_line() and not goes_on):
            self._move_on(now, out)
            self.catalogue.settle(now, state, out)
        if sandbox.running and not (goes_on or state.is_apart):
            scheduler.ahead.hand(now, sandbox, scheduler.items, out)
        while scheduler.ahead.given_up:
            given_up, withdraw = scheduler.ahead.given_up.pop()
            self._give_up(now, given_up, withdraw.outcome, out)

    def _withdraw(self, now: float, event: Withdraw, out: list[Command]) -> None:
        item = self.lines.find(event.id) or self.orders.items.get(event.id)
        if item is None or (item.position is Position.RUNNING and not event.running):
            return
        if item.position is Position.AHEAD:
            self.scheduler.ahead.drop(item, event, out)
        elif item.position is not Position.RUNNING:
            self.lines.of(item.state).drop(now, item, event.outcome, out)
        else:
            self._give_up(now, item, event.outcome, out)
        self.catalogue.settle(now, item.state, out)

    def _give_up(self, now: float, item: QueuedInvocation, outcome: Outcome, out: list[Command]) -> None:
        """What an interrupted handler leaves behind is not trusted, so its sandbox takes nothing new."""
        sandbox = item.sandbox
        assert sandbox is not None
        sandbox.leave(item.id)
        (self.orders if sandbox.is_ordered else self.lines.of(item.state)).lose(now, item, outcome, out)
        if sandbox.id in self.instances.by_id:  # what it serves is not run in it
            out.append(Stop(sandbox.id, item.id))
            self.orders.vacate(now, sandbox, out)
            return
        if not sandbox.running:
            self.pool.kill(now, sandbox, Loss(now, "stopped", ": its invocation was given up"), out)
            return
        out.append(Stop(sandbox.id, item.id))
        if sandbox.phase is not Phase.DRAINING:
            self.pool.start_draining(sandbox, ": an invocation in it was given up", out)

    def _forsake(self, now: float, peer: str, out: list[Command]) -> None:
        self._watchers = [one for one in self._watchers if one != peer]
        self.orders.forsake(peer)
        self.instances.lose(now, peer, out)
        for item in (*self.lines.items(), *self.orders.items.values()):
            if item.peer == peer:
                self._withdraw(now, Withdraw(item.id, running=True, outcome=FORSAKEN), out)

    def _drain(self, now: float, out: list[Command]) -> None:
        self.draining = True
        self.lines.drop_waiting(now, DRAINING, out)
        self.checks.drain(out)
        self.orders.drain(out)
        self.instances.drain(now, out)

    # Sandboxes and templates.

    def _sandbox(self, now: float, event: SandboxReady | SandboxFailed | SandboxGone, out: list[Command]) -> None:
        sandbox = self.pool.sandboxes.get(event.sandbox)
        if sandbox is None:
            raise IllegalTransition(
                f"{type(event).__name__} about sandbox {event.sandbox}, which this worker does not know",
                "a runtime reports the end of a sandbox once, and nothing after it",
            )
        match event:
            case SandboxReady() if sandbox.id in self.instances.by_id:
                self.instances.ready(now, sandbox, event, out)
            case SandboxReady():
                line = self.lines.of(sandbox.state)
                (self.orders.ready if sandbox.is_ordered else line.sandbox_ready)(now, sandbox, event, out)
                if sandbox.template is not None:
                    sandbox.state.template_failures = 0
                else:
                    self.templates.made_without(now, sandbox.state, out)
            case SandboxFailed():
                self.failing.failed(now, sandbox, event, out)
            case SandboxGone():
                self.scheduler.taken_back(now, sandbox, event.not_begun, out)
                lost = [*sandbox.running.values(), *self.scheduler.ahead.all_of(sandbox)]
                self.pool.ended(now, sandbox, Loss(now, "died", f": {event.message}"), out, was_ready=True)
                sandbox.running.clear()
                outcome = Failed(event.code, event.message, advice(event.code))
                for item in lost:
                    (self.orders if sandbox.is_ordered else self.lines.of(item.state)).lose(now, item, outcome, out)
                self._ordered_ended(now, sandbox, outcome, out)
        self.catalogue.settle(now, sandbox.state, out)

    def _ordered_ended(self, now: float, sandbox: Sandbox, error: Failed, out: list[Command]) -> None:
        if sandbox.id in self.instances.by_id:
            self.instances.ended(now, sandbox, error, out)
        elif sandbox.is_ordered:
            self.orders.ended(sandbox, error, out)

    def _taken_back(self, now: float, event: TakenBack, out: list[Command]) -> None:
        sandbox = self.pool.sandboxes.get(event.sandbox)
        if sandbox is not None:
            state = sandbox.state
            state.can_have_ahead = state.can_have_ahead and not event.by_itself
            self.scheduler.taken_back(now, sandbox, event.invocations, out)
            self.catalogue.settle(now, state, out)

    # The rest.

    def _told(self, now: float, event: Told, out: list[Command]) -> None:
        match event:
            case Announced():
                self.catalogue.replace(now, event, out)
            case Deployed():
                self.catalogue.adopt(now, event.revision, out)
            case Deleted():
                self.catalogue.delete(now, event.function, out)
            case Prewarm():
                self.catalogue.prewarm(now, event.function, event.count, out)
            case Evict():
                self.catalogue.evict(now, event, out)
            case Measured():
                self.scheduler.adjust(now, event.load_per_core)
            case PeerLost():
                self._forsake(now, event.peer, out)
            case DevicesSeen():
                self.accelerators.see(now, event, out)
            case Drain():
                self._drain(now, out)

    def _tick(self, now: float, out: list[Command]) -> None:
        for timer, name in self.timers.pop_due(now):
            if timer is Timer.EXPIRY:
                self.catalogue.expire(now, name, out)
            elif timer is Timer.PREWARM and not (self.draining or self.scheduler.head_of_line or self.checks.waiting):
                self.catalogue.foresee(now, name, out)
            elif timer is Timer.KEPT:
                self.templates.let_go(name, out)
            elif timer is Timer.CHECK:
                self.checks.give_up(name, out)
            elif timer is Timer.AHEAD:
                self.scheduler.ahead.look(now, out)
            elif timer is Timer.BUFFER:
                self.pool.restore_buffer(now, out)
            elif timer is Timer.KEEPALIVE:
                may_make = not (self.draining or self.scheduler.head_of_line or self.checks.waiting)
                self.catalogue.wake(now, out, may_make=may_make)
            elif timer >= Timer.LATER:
                self.instances.ring(now, timer, name, out)

    def _move_on(self, now: float, out: list[Command]) -> None:
        """Give out slots and memory: to the head of the line, to checks, to the queue, and only then ahead of need."""
        if self.draining:
            return
        scheduler = self.scheduler
        no_devices = self.lines.serve_devices(now, out)
        is_short = no_devices and self.lines.is_short_of_memory(self.pool)
        is_short = is_short or (bool(scheduler.head_of_line) and scheduler.serve_head_of_line(now, out))
        is_short = is_short or (bool(self.checks.waiting) and self.checks.serve(now, out))
        is_short = is_short or (bool(self.orders.waiting) and self.orders.serve(now, out))
        is_short = is_short or (bool(self.instances.by_id) and self.instances.serve(now, out))
        if self.lines.serve_plain(now, out, is_short=is_short) or is_short:
            return
        self.catalogue.stock(now, out, no_devices=no_devices)
