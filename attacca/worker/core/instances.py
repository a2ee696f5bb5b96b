"""Event functions on this worker: the lives of instances that control has ordered.

    StartInstance ──▶ WAITING ──▶ STARTING ──▶ BEGINNING ──▶ UP ──▶ STOPPING ──▶ DYING ──▶ InstanceDown
                     for room    its sandbox    its init    events   its stop    its sandbox

Each handles one event at a time, in the order in which they came (`exchange`). Its sandbox has its name, and holds its
resources as all others do.
"""

from msgspec import structs

from attacca.kernel.chance import Chance
from attacca.kernel.ids import Ids
from attacca.model.events import (
    AskInstances,
    BeginInstance,
    Delivery,
    EventKind,
    FunctionReplied,
    HandOver,
    Inherited,
    InstanceDown,
    InstanceUp,
    NodeBack,
    NodeGone,
    OfInstances,
    Patch,
    Refused,
    StartInstance,
    StateKept,
    StopInstance,
)
from attacca.model.events import Instances as Told
from attacca.model.function import PythonDirectory
from attacca.model.invocation import Failed, Ok, Outcome, timed
from attacca.model.messages import Logged, Send
from attacca.worker.config import WorkerConfig
from attacca.worker.core import inheriting, syncs
from attacca.worker.core.checks import DRAINING, Checks, never_fits
from attacca.worker.core.ends import init_failed, stopped, traced
from attacca.worker.core.events import Command, Deliver, NeighbourJoined, NeighbourSaid, PeerJoined
from attacca.worker.core.exchange import Exchange
from attacca.worker.core.mailboxes import QUICK_MS, EventInstance, Stage
from attacca.worker.core.pool import Pool, Room
from attacca.worker.core.replacing import Replacing
from attacca.worker.core.reports import EventAsked, EventSent, OfEvents, RunEnded, SandboxReady, StateOffered
from attacca.worker.core.state import Loss, RevisionState, Sandbox
from attacca.worker.core.telemetry import telemetry
from attacca.worker.core.templates import Templates
from attacca.worker.core.timers import Timer, Timers
from attacca.worker.core.wills import Wills

NO_ROOM = Failed("no_capacity", "this worker has no room for the instance now", "try another one")
UNKNOWN = Failed("not_found", "this worker has no instance of that name")
OfNeighbours = NeighbourSaid | NeighbourJoined | PeerJoined | FunctionReplied
OF_INSTANCES = (
    EventSent, EventAsked, StateOffered, NeighbourSaid, NeighbourJoined, PeerJoined, FunctionReplied,
)  # fmt: skip


class Instances:
    def __init__(
        self, config: WorkerConfig, pool: Pool, checks: Checks, templates: Templates, timers: Timers, ids: Ids,
        chance: Chance | None,
    ) -> None:  # fmt: skip
        self._worker = config.name
        self._pool, self._checks, self._templates = pool, checks, templates
        self._timers, self._chance = timers, chance
        self.control = ""  # who hears of them: whoever has ordered or asked last
        self.by_id: dict[str, EventInstance] = {}
        self.states: dict[str, RevisionState] = {}  # by revision id, of those that are here
        self.telemetry = telemetry(config.telemetry)
        self.wills = Wills(config.name, ids)
        again, gone = self._next, self._gone
        self.exchange = Exchange(config.name, timers, ids, self.by_id, again, gone, self.wills, self.telemetry)
        self.replacing = Replacing(config.cut_off_s, timers, self.by_id, self.exchange, self._kill, self._stopped)
        self._count = 0

    def __repr__(self) -> str:
        waiting = sum(len(one.mailbox.events) for one in self.by_id.values())
        return f"<Instances {len(self.by_id)} here, {waiting} events wait>"

    def take(self, now: float, event: OfEvents | OfNeighbours, out: list[Command]) -> None:
        exchange = self.exchange
        if type(event) is EventSent:
            exchange.sent(now, event, out)
            return
        match event:
            case EventSent():
                raise AssertionError("it is handled before")
            case EventAsked():
                exchange.asked(now, event, out)
            case StateOffered():
                self._offered(event, out)
            case NeighbourSaid():
                if isinstance(event.message, Refused):
                    self.replacing.refused(now, event.message, out)
                exchange.detours.hear(now, event.worker)
                exchange.said(event, out)
            case NeighbourJoined():
                exchange.neighbours.joined(event.worker, out)
            case PeerJoined():
                exchange.invoking.join(event.peer)
                self.replacing.join(event.peer)
            case FunctionReplied():
                exchange.replied(event, out)

    # What control says.

    def hear(self, now: float, peer: str, order: OfInstances, out: list[Command], *, draining: bool) -> None:
        self.control = self.wills.control = peer
        match order:
            case StartInstance():
                self._start(now, order, out, draining=draining)
            case StopInstance():
                self._stop(now, order, out)
            case Patch():
                self._patch(order, out)
            case StateKept():
                self._kept(order, out)
            case BeginInstance() | HandOver():
                self._hand(order, out)
            case NodeGone() | NodeBack():
                self.exchange.heard_of(order, out)
            case Inherited():
                self.wills.inherited(order.id)
            case AskInstances():
                self.exchange.gone_are(order.gone, out)
                self._tell(peer, out)

    def _patch(self, order: Patch, out: list[Command]) -> None:
        instance = self.by_id.get(order.id)
        if instance is not None:
            self.exchange.detours.patch(instance, order, out)

    def _tell(self, peer: str, out: list[Command]) -> None:
        """What those left that are gone, all there are, and what is to be kept."""
        self.wills.again(out)
        instances = self.by_id.values()
        for instance in instances:
            instance.shown = None  # whoever asks may have begun anew
        follows = {one.id: tuple(one.follows) for one in instances if one.follows}
        out.append(Send(peer, Told(self._worker, tuple(one.view() for one in instances), follows)))
        out.extend(Send(peer, synced) for synced in syncs.again(self._worker, self.by_id.values()))

    def _start(self, now: float, order: StartInstance, out: list[Command], *, draining: bool) -> None:
        """What is there already is said again."""
        known = self.by_id.get(order.id)
        if known is not None:
            if known.stage is Stage.UP:
                out.append(Send(self.control, InstanceUp(self._worker, order.id)))
            return
        revision = order.revision
        if draining:
            out.append(self._down(order.id, DRAINING))
            return
        if not revision.settings.resources.fits(self._pool.capacity):
            out.append(self._down(order.id, never_fits(revision, self._pool.capacity)))
            return
        instance = self.by_id[order.id] = EventInstance(order, self._state(order), self._chance, now)
        inheriting.begin(self.exchange.detours, instance, out)
        self._place(now, instance, out)

    def _hand(self, order: BeginInstance | HandOver, out: list[Command]) -> None:
        if isinstance(order, HandOver):
            self._handed(order, out)
            return
        instance = self.by_id.get(order.id)
        if instance is None or instance.is_leaving:
            out.append(self._down(order.id, UNKNOWN))
            return
        instance.take_over(order)
        inheriting.begin(self.exchange.detours, instance, out)
        if instance.stage is Stage.STANDBY:
            self._init(instance, out)

    def _handed(self, order: HandOver, out: list[Command]) -> None:
        """To one that is gone in that moment it is not, and whoever follows is given it."""
        instance = self.by_id.get(order.id)
        if instance is None or instance.is_leaving:
            return
        if inheriting.take(self._worker, self.control, self.exchange.detours, instance, order, out):
            self._next(instance, out)

    def _state(self, order: StartInstance) -> RevisionState:
        revision = order.revision
        if revision.id not in self.states:
            self.states[revision.id] = self._checks.ordered(revision)
        return self.states[revision.id]

    def _place(self, now: float, instance: EventInstance, out: list[Command]) -> None:
        state = instance.state
        room = self._pool.room(now, state.resources, state, out, evict=True)
        if room is Room.NONE:
            self._forget(now, instance, NO_ROOM, out)
        elif room is Room.FREE:
            instance.stage = Stage.STARTING
            self._pool.make(now, state, "ordered by control", out, ahead=False, ordered=instance.id)

    def serve(self, now: float, out: list[Command]) -> bool:
        """Something may have become free. True: somebody still waits."""
        for instance in [one for one in self.by_id.values() if one.stage is Stage.WAITING]:
            self._place(now, instance, out)
            if instance.stage is Stage.WAITING and instance.id in self.by_id:
                return True
        return False

    def _stop(self, now: float, order: StopInstance, out: list[Command]) -> None:
        instance = self.by_id.get(order.id)
        if instance is None:
            out.append(self._down(order.id, UNKNOWN))
        elif order.is_replaced:
            self.replacing.end(now, instance, order.why, out)
        elif not instance.is_leaving:
            instance.why, instance.hands_over = order.why or "by control", order.hands_over
            instance.grace_s = order.grace_s
            if instance.stage is Stage.WAITING:
                self._stopped(now, instance, out)
            elif instance.stage is Stage.UP:
                instance.stage = Stage.STOPPING
                self._timers.set((Timer.HALT, instance.id), now + order.grace_s)
                if not order.hands_over:
                    self.exchange.end_calls(instance, "it is being stopped", out)
                self._next(instance, out)
            else:
                self._kill(now, instance, out)

    def _stopped(self, now: float, instance: EventInstance, out: list[Command]) -> None:
        self._forget(now, instance, stopped(instance.why), out)

    def _kill(self, now: float, instance: EventInstance, out: list[Command]) -> None:
        sandbox = self._pool.sandboxes.get(instance.id)
        instance.stage = Stage.DYING
        if sandbox is not None and sandbox.is_live:
            self._pool.kill(now, sandbox, Loss(now, "stopped", f": {instance.why}"), out)

    def _kept(self, order: StateKept, out: list[Command]) -> None:
        instance = self.by_id.get(order.id)
        told = None if instance is None else syncs.kept(instance, order)
        if told is not None:
            out.append(told)

    def drain(self, now: float, out: list[Command]) -> None:
        self.exchange.detours.is_ending = True
        for name in list(self.by_id):
            self._stop(now, StopInstance(name, "the worker is shutting down", hands_over=True), out)

    # What the runtime says.

    def ready(self, now: float, sandbox: Sandbox, ready: SandboxReady, out: list[Command]) -> None:
        instance = self.by_id[sandbox.id]
        if not self._pool.ready(now, sandbox):
            return
        made_ms = ready.made.whole
        instance.timing = timed(ready.made, max((now - instance.since) * 1e3 - made_ms, 0.0))
        if self.telemetry is not None:
            self.telemetry.instantiated(now, instance, made_ms / 1e3, out)
        if instance.start.is_standby:
            instance.stage = Stage.STANDBY
            out.append(Send(self.control, InstanceUp(self._worker, instance.id, instance.timing, is_standby=True)))
        else:
            self._init(instance, out)

    def _init(self, instance: EventInstance, out: list[Command]) -> None:
        instance.stage, start = Stage.BEGINNING, instance.start
        whom = f"{self.exchange.address(instance.id)}\n{start.workflow}"
        instance.delivery = self._deliver(instance, EventKind.INIT, whom, start.payload, start.state, out)

    def ended(self, now: float, sandbox: Sandbox, error: Failed, out: list[Command]) -> None:
        """The pool has been told already."""
        instance = self.by_id[sandbox.id]
        self._forget(now, instance, instance.error or (stopped(instance.why) if instance.why else error), out)

    def _offered(self, event: StateOffered, out: list[Command]) -> None:
        instance = self.by_id.get(event.sandbox)
        if instance is not None:
            out.append(Send(self.control, syncs.offered(self._worker, instance, event)))

    def run_ended(self, now: float, event: RunEnded, out: list[Command]) -> None:
        instance = self.by_id.get(event.sandbox)
        if instance is None:
            return
        given, handled = instance.given, None
        if given and given[0][0] == event.invocation:
            handled = given.popleft()[1]
            instance.is_quick = event.run_ms < QUICK_MS and type(instance.start.revision.artefact) is PythonDirectory
        elif instance.delivery != event.invocation:
            return
        else:
            instance.delivery = ""
        outcome = event.outcome
        if self.telemetry is not None:
            self.telemetry.ended(now, instance, handled, event.run_ms / 1e3, out)
        if handled is not None:
            instance.handled += 1
            instance.handled_s += event.run_ms / 1e3
            if not isinstance(outcome, Ok):
                instance.failed += 1
                self.exchange.log(instance, traced(outcome), out)
            self.exchange.handled(instance, handled, outcome, out)
            self._next(instance, out)
        elif instance.stage is Stage.BEGINNING:
            self._begun(now, instance, outcome, event.run_ms, out)
        else:  # its stop
            self._kill(now, instance, out)

    def _begun(self, now: float, instance: EventInstance, outcome: Outcome, run_ms: float, out: list[Command]) -> None:
        if not isinstance(outcome, Ok):
            instance.error = init_failed(outcome)
            self._kill(now, instance, out)
            return
        instance.stage = Stage.UP
        took = structs.replace(instance.timing, run=run_ms)
        out.append(Send(self.control, InstanceUp(self._worker, instance.id, took)))
        self._templates.want(now, instance.state, out)
        self._next(instance, out)

    def _next(self, instance: EventInstance, out: list[Command]) -> None:
        if instance.stage is Stage.UP:
            while instance.takes_more:
                waiting = instance.mailbox.take()
                self.exchange.taken(instance, out)
                event = waiting.event
                kind = EventKind.CALL if event.stream else EventKind.CAST
                instance.given.append((self._deliver(instance, kind, event.source, event.data, None, out), waiting))
        elif instance.stage is Stage.STOPPING and not (instance.given or instance.delivery):
            instance.delivery = self._deliver(instance, EventKind.STOP, "", None, None, out)

    def _deliver(
        self,
        instance: EventInstance,
        kind: EventKind,
        source: str,
        data: bytes | None,
        state: bytes | None,
        out: list[Command],
    ) -> str:
        """Its id."""
        self._count += 1
        delivery = f"{instance.id}/{self._count}"
        out.append(Deliver(instance.id, Delivery(delivery, kind, source, data, state)))
        return delivery

    def lose(self, now: float, peer: str, out: list[Command]) -> None:
        self.exchange.lose_gateway(peer, out)
        self.replacing.lose(now, peer)

    def told(self, now: float, line: Logged) -> None:
        """By the code of one, with a target."""
        instance = self.by_id.get(line.sandbox)
        if self.telemetry is not None and instance is not None:
            self.telemetry.told(now, instance, line)

    # Time, and the end.

    def ring(self, now: float, timer: Timer, name: str, out: list[Command]) -> None:
        if timer is Timer.CUT_OFF:
            self.replacing.ring(now, out)
        elif timer is not Timer.HALT:
            self.exchange.ring(now, timer, name, out)
        elif name in self.by_id and self.by_id[name].stage is Stage.STOPPING:
            self._kill(now, self.by_id[name], out)
        elif name in self.by_id and self.by_id[name].stage is Stage.SETTLING:
            self._settle(now, self.by_id[name], out)

    def _forget(self, now: float, instance: EventInstance, error: Failed, out: list[Command]) -> None:
        """Its sandbox is gone. Where it moves, what it has sent is to come before what its successor sends."""
        instance.error = error
        self._timers.clear((Timer.HALT, instance.id))
        instance.unheard = self.exchange.leave(instance, f"{instance.id!r} is no more: {error.message}", out)
        self._settle(now, instance, out)

    def _settle(self, now: float, instance: EventInstance, out: list[Command]) -> None:
        if until := self.exchange.detours.settle(now, instance):
            self._timers.set((Timer.HALT, instance.id), until)
        else:
            self._gone(instance, out)

    def _gone(self, instance: EventInstance, out: list[Command]) -> None:
        del self.by_id[instance.id]
        self._timers.clear((Timer.HALT, instance.id))
        unsent = self.exchange.detours.end(instance)
        assert instance.error is not None, "why it is gone"
        if self.telemetry is not None:  # before control lets go of its log
            self.telemetry.exited(instance, instance.error, out)
        if not instance.hands_over or instance.is_replaced:
            unsent = ()  # nobody follows, or has followed already
        follows = tuple(instance.follows)
        self.wills.leave(
            InstanceDown(self._worker, instance.id, instance.error, instance.unheard, unsent, follows), out
        )
        state = instance.state
        if any(one.state is state for one in self.by_id.values()):
            return
        del self.states[state.revision.id]  # its last instance takes its template with it
        if state.template is not None:
            self._pool.retire(state.template, "the last instance of its revision is gone", out)

    def _down(self, name: str, error: Failed) -> Command:
        return Send(self.control, InstanceDown(self._worker, name, error))
