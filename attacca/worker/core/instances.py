"""Event functions on this worker: instances that control has ordered, what they handle, and what they send.

    StartInstance ──▶ WAITING ──▶ STARTING ──▶ BEGINNING ──▶ UP ──▶ STOPPING ──▶ DYING ──▶ InstanceDown
                     for room    its sandbox    its init      events  its stop    its sandbox

Each handles one event at a time, in the order in which they came. An event for an instance that is not here is told to
whoever sent it, if a reply is waited for; who sends to one that is behind is not listened to until it has caught up.
"""

from attacca.kernel.chance import Chance
from attacca.model.events import (
    SELF,
    AskInstances,
    Delivery,
    Event,
    EventKind,
    InstanceDown,
    InstanceUp,
    OfInstances,
    Patch,
    Reply,
    ReplyKind,
    StartInstance,
    StateKept,
    StateSynced,
    StopInstance,
    Target,
)
from attacca.model.events import Instances as Told
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome, Timing
from attacca.model.messages import Logged, Send
from attacca.worker.config import WorkerConfig
from attacca.worker.core.checks import DRAINING, Checks, never_fits
from attacca.worker.core.events import Answer, Command, Deliver, Listen, Write
from attacca.worker.core.mailboxes import HIGH, LOW, Instance, Stage
from attacca.worker.core.pool import Pool, Room
from attacca.worker.core.reports import EventAsked, EventSent, RunEnded, SandboxReady, StateOffered
from attacca.worker.core.state import Function, Loss, RevisionState, Sandbox
from attacca.worker.core.timers import Timer, Timers

NO_ROOM = Failed("no_capacity", "this worker has no room for the instance now", "try another one")
UNKNOWN = Failed("not_found", "this worker has no instance of that name")
HAS_REPLY = 200  # the status of a handler's end that has one
GRACE_S = 5.0  # for what an instance handles when it is told to stop, and for its stop


class Instances:
    def __init__(self, config: WorkerConfig, pool: Pool, checks: Checks, timers: Timers, chance: Chance | None) -> None:
        self._worker = config.name
        self._uses_templates = config.templates
        self._pool, self._checks, self._timers, self._chance = pool, checks, timers, chance
        self._control = ""  # who hears of them: whoever has ordered or asked last
        self.by_id: dict[str, Instance] = {}
        self.states: dict[str, RevisionState] = {}  # by revision id, of those that are here
        self._streams: dict[str, Instance] = {}  # of open calls: who waits
        self._later: dict[str, tuple[Instance, str, bool, bytes]] = {}  # what is sent later
        self._count = 0

    def __repr__(self) -> str:
        waiting = sum(len(one.mailbox.events) for one in self.by_id.values())
        return f"<Instances {len(self.by_id)} here, {waiting} events wait, {len(self._streams)} calls open>"

    # What control says.

    def hear(self, now: float, peer: str, order: OfInstances, out: list[Command], *, draining: bool) -> None:
        self._control = peer
        match order:
            case StartInstance():
                self._start(now, order, out, draining=draining)
            case StopInstance():
                self._stop(now, order, out)
            case Patch():
                self._patch(now, order, out)
            case StateKept():
                self._kept(order, out)
            case AskInstances():
                views = tuple(instance.view() for instance in self.by_id.values())
                out.append(Send(peer, Told(self._worker, views)))

    def _start(self, now: float, order: StartInstance, out: list[Command], *, draining: bool) -> None:
        """What is there already is said again."""
        known = self.by_id.get(order.id)
        if known is not None:
            if known.stage is Stage.UP:
                out.append(Send(self._control, InstanceUp(self._worker, order.id)))
            return
        if draining:
            out.append(self._down(order.id, DRAINING))
            return
        revision = order.revision
        if not revision.settings.resources.fits(self._pool.capacity):
            out.append(self._down(order.id, never_fits(revision, self._pool.capacity)))
            return
        instance = self.by_id[order.id] = Instance(order, self._state(order), self._chance, now)
        for event in order.backlog:
            instance.mailbox.put(Event(order.id, event.source, event.data, event.stream))
        self._place(now, instance, out)

    def _state(self, order: StartInstance) -> RevisionState:
        revision = order.revision
        state = self.states.get(revision.id)
        if state is None:
            function = Function(revision.function)
            state = self.states[revision.id] = RevisionState(revision, function)
            state.is_ordered = True
            function.current = state
            function.states.append(state)
            state.template = template = self._checks.adopt(revision)
            if template is not None:
                template.state = state
        return state

    def _place(self, now: float, instance: Instance, out: list[Command]) -> None:
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

    @property
    def is_waiting(self) -> bool:
        return any(one.stage is Stage.WAITING for one in self.by_id.values())

    def _stop(self, now: float, order: StopInstance, out: list[Command]) -> None:
        instance = self.by_id.get(order.id)
        if instance is None:
            out.append(self._down(order.id, UNKNOWN))
            return
        if instance.stage in (Stage.STOPPING, Stage.DYING):
            return
        instance.why = order.why
        if instance.stage is Stage.WAITING:
            self._forget(now, instance, _stopped(order.why), out)
        elif instance.stage is Stage.UP:
            instance.stage = Stage.STOPPING
            self._timers.set((Timer.HALT, instance.id), now + GRACE_S)
            self._end_calls(instance, "it is being stopped", out)
            if instance.handles is None and not instance.delivery:
                self._deliver(instance, Delivery(self._number(instance), EventKind.STOP), out)
        else:
            self._kill(now, instance, out)

    def _kill(self, now: float, instance: Instance, out: list[Command]) -> None:
        sandbox = self._pool.sandboxes.get(instance.id)
        instance.stage = Stage.DYING
        if sandbox is not None and sandbox.is_live:
            self._pool.kill(now, sandbox, Loss(now, "stopped", f" by control: {instance.why}"), out)

    def _patch(self, now: float, order: Patch, out: list[Command]) -> None:
        instance = self.by_id.get(order.id)
        if instance is None:
            return
        for output, event in instance.routes.change(order.generation, order.routes):
            self._route(now, instance, output, event, out)

    def drain(self, now: float, out: list[Command]) -> None:
        for name in list(self.by_id):
            self._stop(now, StopInstance(name, "the worker is shutting down"), out)

    # What the runtime says.

    def ready(self, now: float, sandbox: Sandbox, ready: SandboxReady, out: list[Command]) -> None:
        instance = self.by_id[sandbox.id]
        if not self._pool.ready(now, sandbox):
            return
        start = instance.start
        instance.stage = Stage.BEGINNING
        whom = f"{self._address(instance.id)}\n{start.workflow}"
        instance.timing = Timing((now - instance.since) * 1e3, 0.0, ready.sandbox_ms, ready.code_ms, ready.imports_ms)
        self._deliver(instance, Delivery(self._number(instance), EventKind.INIT, whom, start.payload, start.state), out)

    def ended(self, now: float, sandbox: Sandbox, error: Failed, out: list[Command]) -> None:
        """The pool has been told already."""
        instance = self.by_id.get(sandbox.id)
        if instance is not None:
            told = instance.error or (_stopped(instance.why) if instance.why else error)
            self._forget(now, instance, told, out)

    def run_ended(self, now: float, event: RunEnded, out: list[Command]) -> None:
        instance = self.by_id.get(event.sandbox)
        if instance is None or instance.delivery != event.invocation:
            return
        instance.delivery = ""
        handled, instance.handles = instance.handles, None
        outcome = event.outcome
        if instance.stage is Stage.BEGINNING:
            self._begun(now, instance, outcome, event.run_ms, out)
        elif handled is None:  # its stop
            self._kill(now, instance, out)
            return
        else:
            instance.handled += 1
            if type(outcome) is not Ok:
                instance.failed += 1
                self._log(instance, _told(outcome), out)
            if handled.stream:
                self._send_reply(handled, _reply(handled, outcome), out)
            if instance.is_behind and instance.mailbox.share <= LOW:
                self._caught_up(instance, out)
        self._next(now, instance, out)

    def _begun(self, now: float, instance: Instance, outcome: Outcome, run_ms: float, out: list[Command]) -> None:
        if type(outcome) is Ok:
            instance.stage = Stage.UP
            timing = instance.timing
            took = Timing(timing.queued, timing.placed, timing.sandbox, timing.code, timing.imports, run_ms)
            out.append(Send(self._control, InstanceUp(self._worker, instance.id, took)))
            self._want_template(now, instance.state, out)
            return
        instance.error = _init_failed(outcome)
        self._kill(now, instance, out)

    def _want_template(self, now: float, state: RevisionState, out: list[Command]) -> None:
        is_wanted = self._uses_templates and state.template is None and now >= state.template_retry_at
        if is_wanted and self._pool.fits(state.resources.memory_alone()):
            self._pool.make_template(now, state.revision, state, out)

    def _next(self, now: float, instance: Instance, out: list[Command]) -> None:
        if instance.delivery:
            return
        if instance.stage is Stage.STOPPING:
            self._deliver(instance, Delivery(self._number(instance), EventKind.STOP), out)
        elif instance.stage is Stage.UP and instance.mailbox.events:
            event = instance.handles = instance.mailbox.take()
            kind = EventKind.CALL if event.stream else EventKind.CAST
            self._deliver(instance, Delivery(self._number(instance), kind, event.source, event.data), out)

    def _deliver(self, instance: Instance, delivery: Delivery, out: list[Command]) -> None:
        instance.delivery = delivery.id
        out.append(Deliver(instance.id, delivery))

    def _number(self, instance: Instance) -> str:
        self._count += 1
        return f"{instance.id}/{self._count}"

    # What instances send.

    def sent(self, now: float, event: EventSent, out: list[Command]) -> None:
        instance = self.by_id.get(event.sandbox)
        if instance is None:
            return
        if event.seconds:
            self._count += 1
            key = str(self._count)
            self._later[key] = (instance, event.target, event.is_instance, event.data)
            self._timers.set((Timer.LATER, key), now + event.seconds)
            return
        self._send(
            now,
            instance,
            event.target,
            Event("", self._address(instance.id), event.data),
            out,
            is_instance=event.is_instance,
        )

    def asked(self, now: float, event: EventAsked, out: list[Command]) -> None:
        instance = self.by_id.get(event.sandbox)
        if instance is None:
            return
        stream = self._number(instance)
        seconds = event.seconds or instance.state.revision.settings.timeout_s
        instance.asked[stream] = event.asked
        self._streams[stream] = instance
        self._timers.set((Timer.REPLY, stream), now + seconds)
        call = Event("", self._address(instance.id), event.data, stream)
        self._send(now, instance, event.target, call, out, is_instance=event.is_instance)

    def offered(self, event: StateOffered, out: list[Command]) -> None:
        instance = self.by_id.get(event.sandbox)
        if instance is None:
            return
        instance.version += 1
        instance.syncs[instance.version] = event.asked
        out.append(Send(self._control, StateSynced(self._worker, instance.id, instance.version, event.state)))

    def _kept(self, order: StateKept, out: list[Command]) -> None:
        instance = self.by_id.get(order.id)
        asked = None if instance is None else instance.syncs.pop(order.version, None)
        if asked is not None:
            kind = ReplyKind.ERROR if order.error else ReplyKind.NOTHING
            out.append(Answer(order.id, asked, kind, order.error.encode()))

    def _send(
        self, now: float, instance: Instance, name: str, event: Event, out: list[Command], *, is_instance: bool
    ) -> None:
        if is_instance:
            there, _, worker = name.partition("@")
            self._give(now, instance, Target(there, worker or self._worker), event, out)
        elif name == SELF:
            self._give(now, instance, Target(instance.id, self._worker), event, out)
        elif instance.routes.is_held(name):
            if not instance.routes.hold(name, event):
                self._drop(instance, event, f"too much waits for {name!r} while its target moves", out)
        else:
            self._route(now, instance, name, event, out)

    def _route(self, now: float, instance: Instance, output: str, event: Event, out: list[Command]) -> None:
        targets = instance.routes.targets(output)
        if not targets:
            self._drop(instance, event, f"the output {output!r} leads nowhere", out)
        for target in targets[:1] if event.stream else targets:
            if target.worker == self._worker and target.instance not in self.by_id:  # control will say what follows it
                if not instance.routes.hold(output, event):
                    self._drop(instance, event, f"too much waits for {output!r}, whose target is gone", out)
            else:
                self._give(now, instance, target, event, out)

    def _give(self, now: float, sender: Instance, target: Target, event: Event, out: list[Command]) -> None:
        addressed = Event(target.instance, event.source, event.data, event.stream)
        if target.worker != self._worker:
            out.append(Send(target.worker, addressed))
            return
        known = self.by_id.get(target.instance)
        if known is None:
            self._drop(sender, event, f"there is no instance {target.instance!r} here", out)
            return
        if not known.mailbox.has_room(event):
            self._drop(sender, event, f"the mailbox of {target.instance!r} is full", out)
            return
        self._put(now, known, addressed, out)
        if known.is_behind and not sender.is_behind:
            if not sender.paused_for:
                out.append(Listen(sender.id, True))  # noqa: FBT003 - mirrors Runtime.listen
            sender.paused_for[known.id] = None

    def arrived(self, now: float, event: Event, out: list[Command]) -> None:
        """From another worker."""
        known = self.by_id.get(event.target)
        if known is not None and known.mailbox.has_room(event):
            self._put(now, known, event, out)
        elif event.stream:
            why = "is not on this worker" if known is None else "has too much to do"
            self._send_reply(event, _error(event, f"{event.target!r} {why}"), out)

    def _put(self, now: float, instance: Instance, event: Event, out: list[Command]) -> None:
        instance.mailbox.put(event)
        if instance.mailbox.share > HIGH and not instance.is_behind:
            instance.is_behind = True
            if (
                instance.paused_for
            ):  # who is behind itself is listened to, or those that wait for it would wait for ever
                instance.paused_for.clear()
                out.append(Listen(instance.id, False))  # noqa: FBT003
        self._next(now, instance, out)

    def _caught_up(self, instance: Instance, out: list[Command]) -> None:
        instance.is_behind = False
        for other in self.by_id.values():
            if instance.id in other.paused_for:
                del other.paused_for[instance.id]
                if not other.paused_for:
                    out.append(Listen(other.id, False))  # noqa: FBT003

    def _drop(self, sender: Instance, event: Event, why: str, out: list[Command]) -> None:
        """Whoever waits for a reply is told; of others the first of many is in the log."""
        if event.stream:
            self._answer(event.stream, ReplyKind.ERROR, why.encode(), out)
            return
        sender.dropped += 1
        if sender.dropped & (sender.dropped - 1) == 0:
            self._log(sender, f"an event was dropped ({sender.dropped} so far): {why}", out)

    # Replies.

    def _send_reply(self, call: Event, reply: Reply, out: list[Command]) -> None:
        _, _, worker = call.source.partition("@")
        if worker == self._worker:
            self.replied(reply, out)
        else:
            out.append(Send(worker, reply))

    def replied(self, reply: Reply, out: list[Command]) -> None:
        self._answer(reply.stream, reply.kind, reply.data, out)

    def _answer(self, stream: str, kind: ReplyKind, data: bytes, out: list[Command]) -> None:
        """To one that nobody waits for any more nothing happens."""
        instance = self._streams.pop(stream, None)
        if instance is not None:
            self._timers.clear((Timer.REPLY, stream))
            out.append(Answer(instance.id, instance.asked.pop(stream), kind, data))

    def _end_calls(self, instance: Instance, why: str, out: list[Command]) -> None:
        for stream in list(instance.asked):
            self._answer(stream, ReplyKind.ERROR, why.encode(), out)

    # Time, and the end.

    def ring(self, now: float, timer: Timer, name: str, out: list[Command]) -> None:
        if timer is Timer.LATER:
            instance, target, is_instance, data = self._later.pop(name)
            if self.by_id.get(instance.id) is instance:
                self._send(
                    now, instance, target, Event("", self._address(instance.id), data), out, is_instance=is_instance
                )
        elif timer is Timer.REPLY and name in self._streams:
            self._answer(name, ReplyKind.ERROR, b"no reply came in time", out)
        elif timer is Timer.HALT and name in self.by_id and self.by_id[name].stage is Stage.STOPPING:
            self._kill(now, self.by_id[name], out)

    def _forget(self, now: float, instance: Instance, error: Failed, out: list[Command]) -> None:
        del self.by_id[instance.id]
        self._timers.clear((Timer.HALT, instance.id))
        for stream in instance.asked:
            self._streams.pop(stream, None)
            self._timers.clear((Timer.REPLY, stream))
        unheard = list(instance.mailbox.events)
        if instance.handles is not None and instance.handles.stream:
            unheard.insert(0, instance.handles)
        why = f"{instance.id!r} is no more: {error.message}"
        for call in unheard:
            if call.stream:
                self._send_reply(call, _error(call, why), out)
        casts = tuple(event for event in unheard if not event.stream)
        self._caught_up(instance, out)
        out.append(self._down(instance.id, error, casts))
        self._settle(now, instance.state, out)

    def _settle(self, now: float, state: RevisionState, out: list[Command]) -> None:
        """The last instance of a revision takes its template with it."""
        if any(one.state is state for one in self.by_id.values()):
            return
        del self.states[state.revision.id]
        if state.template is not None:
            self._pool.retire(state.template, "the last instance of its revision is gone", out)

    def _down(self, name: str, error: Failed, unheard: tuple[Event, ...] = ()) -> Command:
        return Send(self._control, InstanceDown(self._worker, name, error, unheard))

    def _address(self, instance: str) -> str:
        return f"{instance}@{self._worker}"

    def _log(self, instance: Instance, text: str, out: list[Command]) -> None:
        revision = instance.state.revision
        line = Logged(revision.function, revision.id, instance.id, "", "error", text)
        out.append(Write(line))


def _stopped(why: str) -> Failed:
    return Failed("cancelled", f"it was stopped: {why}" if why else "it was stopped")


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, FunctionError):
        return outcome.traceback or f"{outcome.type}: {outcome.message}"
    return outcome.message if isinstance(outcome, Failed) else ""


def _init_failed(outcome: Outcome) -> Failed:
    if isinstance(outcome, FunctionError):
        message = f"its init raised {outcome.type}: {outcome.message}"
        return Failed("bad_function", message, "the traceback says where", outcome.traceback)
    return outcome if isinstance(outcome, Failed) else UNKNOWN


def _reply(call: Event, outcome: Outcome) -> Reply:
    caller = call.source.partition("@")[0]
    if isinstance(outcome, Ok):
        kind = ReplyKind.REPLY if outcome.status == HAS_REPLY else ReplyKind.NOTHING
        return Reply(caller, call.stream, kind, outcome.body)
    text = f"{outcome.type}: {outcome.message}" if isinstance(outcome, FunctionError) else _told(outcome)
    return Reply(caller, call.stream, ReplyKind.ERROR, text.encode())


def _error(call: Event, why: str) -> Reply:
    return Reply(call.source.partition("@")[0], call.stream, ReplyKind.ERROR, why.encode())
