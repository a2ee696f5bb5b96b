"""Events between instances: where what they send goes, what waits for them, and the replies that they wait for.

What is for an instance of this worker goes into its mailbox, what is for one of another is passed to it. What leads to
an instance that is gone is held until control has said what follows it.
"""

from collections.abc import Callable

from attacca.kernel.ids import Ids
from attacca.model.events import (
    FUNCTIONS,
    SELF,
    Bounced,
    Event,
    FunctionReplied,
    Introduced,
    NodeBack,
    NodeGone,
    Passed,
    Reply,
    ReplyKind,
    Target,
    place,
)
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome
from attacca.model.messages import Logged
from attacca.worker.core.detours import Detours
from attacca.worker.core.events import Command, Listen, NeighbourSaid, Respond, Write
from attacca.worker.core.fences import Fences
from attacca.worker.core.invoking import Invoking
from attacca.worker.core.mailboxes import HIGH, LOW, EventInstance, Mailbox, Stage, Waiting
from attacca.worker.core.neighbours import Neighbours
from attacca.worker.core.reports import EventAsked, EventSent
from attacca.worker.core.telemetry import Telemetry
from attacca.worker.core.timers import Timer, Timers
from attacca.worker.core.ways import is_far
from attacca.worker.core.wills import Wills

HAS_REPLY = 200  # the status of a handler's end that has one


class Exchange:
    """`by_id` are the instances that are here; `next_` gives one what is first in its mailbox, if it is at rest;
    `forget` is for one that is gone, and all that it has sent has come."""

    def __init__(
        self,
        worker: str,
        timers: Timers,
        streams: Ids,
        by_id: dict[str, EventInstance],
        next_: Callable[[EventInstance, list[Command]], None],
        forget: Callable[[EventInstance, list[Command]], None],
        wills: Wills,
        telemetry: Telemetry | None,
    ) -> None:
        self._worker, self._timers, self._ids = worker, timers, streams
        self._by_id, self._next, self._forget = by_id, next_, forget
        self._telemetry = telemetry
        self.neighbours = Neighbours()
        self.invoking = Invoking(worker)
        self.fences = Fences()
        self.streams: dict[str, EventInstance] = {}  # of open calls: who waits
        self.later: dict[str, tuple[EventInstance, EventSent]] = {}  # what is sent later
        self.detours = Detours(worker, by_id, self.neighbours, wills, self._give, self._drop)
        self._count = 0

    def __repr__(self) -> str:
        return f"<Exchange {len(self.streams)} calls open, {len(self.later)} casts later, {self.neighbours!r}>"

    # What instances send.

    def sent(self, now: float, event: EventSent, out: list[Command]) -> None:
        instance = self._by_id.get(event.sandbox)
        if instance is None or instance.is_replaced:
            return
        if event.seconds:
            self._count += 1
            key = str(self._count)
            self.later[key] = (instance, event)
            self._timers.set((Timer.LATER, key), now + event.seconds)
        else:
            self._cast(now, instance, event, out)

    def _cast(self, now: float, instance: EventInstance, event: EventSent, out: list[Command]) -> None:
        output = "" if event.is_instance else event.target
        created = 0.0 if self._telemetry is None else self._telemetry.at(now)
        cast = Event(event.target, self.address(instance.id), event.data, "", output, created)
        self._send(instance, cast, out)

    def asked(self, now: float, event: EventAsked, out: list[Command]) -> None:
        instance = self._by_id.get(event.sandbox)
        if instance is None or instance.is_replaced:
            return
        stream = self._ids.next()
        seconds = event.seconds or instance.state.revision.settings.timeout_s
        instance.asked[stream] = event.asked
        self.streams[stream] = instance
        self._timers.set((Timer.REPLY, stream), now + seconds)
        output = "" if event.is_instance else event.target
        created = 0.0 if self._telemetry is None else self._telemetry.at(now)
        call = Event(event.target, self.address(instance.id), event.data, stream, output, created)
        self._send(instance, call, out)

    def _send(self, sender: EventInstance, event: Event, out: list[Command]) -> None:
        """To an address, or by an output."""
        output = event.output
        if not output:
            name, _, worker = event.target.partition("@")
            if worker == FUNCTIONS:
                self._invoke(sender, name, event, out)
                return
            self._give(sender, Target(name, worker or self._worker), event, out)
        elif output == SELF:
            self._give(sender, Target(sender.id, self._worker), event, out)
        else:
            self._route(sender, event, out)

    def _invoke(self, sender: EventInstance, function: str, event: Event, out: list[Command]) -> None:
        why = self.invoking.ask(function, event, out)
        if why:
            self._drop(sender, event, why, out)

    def _route(self, sender: EventInstance, event: Event, out: list[Command]) -> None:
        targets = sender.routes.targets(event.output)
        if not targets:
            self._drop(sender, event, f"the output {event.output!r} leads nowhere", out)
        for target in targets[:1] if event.stream else targets:
            self._give(sender, target, event, out)

    def _give(self, sender: EventInstance, target: Target, event: Event, out: list[Command]) -> None:
        addressed = Event(target.instance, event.source, event.data, event.stream, event.output, event.created)
        if sender.lanes and event.output and place(target.instance) in sender.lanes:
            self.detours.hold(sender, target, addressed, out)
            return
        if target.worker in self.fences.nodes:
            self.detours.came_back(target.worker, 0, addressed, out)
            return
        if target.worker != self._worker:
            if not self.neighbours.send(target.worker, addressed, out):
                self._drop(sender, event, f"the worker {target.worker!r} has too much to do", out)
            elif self.neighbours.is_slow(target.worker):
                self._pause(sender, target.worker, out)
            return
        known = self._by_id.get(target.instance)
        if known is None or known.stage is Stage.SETTLING:
            self.detours.came_back(self._worker, 0, addressed, out)
        elif not known.mailbox.has_room(event):
            self._drop(sender, event, f"the mailbox of {target.instance!r} is full", out)
        else:
            self._put(known, Waiting(addressed), out)
            if known.is_behind:
                self._pause(sender, known.id, out)

    def _pause(self, sender: EventInstance, why: str, out: list[Command]) -> None:
        """It is not listened to, until whoever has that name has caught up."""
        if not sender.is_behind:
            if not sender.paused_for:
                out.append(Listen(sender.id, True))  # noqa: FBT003 - mirrors Runtime.tell
            sender.paused_for[why] = None

    def _go_on(self, why: str, out: list[Command]) -> None:
        for other in self._by_id.values():
            if why in other.paused_for:
                del other.paused_for[why]
                if not other.paused_for:
                    out.append(Listen(other.id, False))  # noqa: FBT003 - mirrors Runtime.tell

    def _drop(self, sender: EventInstance, event: Event, why: str, out: list[Command]) -> None:
        """Whoever waits for a reply is told; of others the first of many is in the log."""
        if event.stream:
            self._answer(event.stream, ReplyKind.ERROR, why.encode(), out)
            return
        sender.dropped += 1
        if sender.dropped & (sender.dropped - 1) == 0:
            self.log(sender, f"an event was dropped ({sender.dropped} so far): {why}", out)

    # What comes.

    def _put(self, instance: EventInstance, waiting: Waiting, out: list[Command]) -> None:
        instance.mailbox.put(waiting)
        if instance.mailbox.share > HIGH and not instance.is_behind:
            instance.is_behind = True
            if (
                instance.paused_for
            ):  # who is behind itself is listened to, or those that wait for it would wait for ever
                instance.paused_for.clear()
                out.append(Listen(instance.id, False))  # noqa: FBT003 - mirrors Runtime.tell
        self._next(instance, out)

    def said(self, event: NeighbourSaid, out: list[Command]) -> None:
        message, worker = event.message, event.worker
        if isinstance(message, Introduced):
            self.neighbours.learn(worker, message.address, out)
            return
        if isinstance(message, Passed):
            if self.neighbours.takes(worker, event.instance, message, out):
                self._came(worker, message, out)
            return
        back = self.neighbours.settled(worker, message.number)
        if isinstance(message, Bounced) and isinstance(back, Event):
            self.detours.came_back(worker, message.number, back, out)
        if self.detours.flying:
            self._settle(worker, message.number, out)
        if self.neighbours.slow and self.neighbours.has_caught_up(worker):
            self._go_on(worker, out)

    def _settle(self, worker: str, number: int, out: list[Command]) -> None:
        left = self.detours.settled(worker, number, out)
        if left is not None:
            self._forget(left, out)

    def _came(self, worker: str, passed: Passed, out: list[Command]) -> None:
        message = passed.message
        fences, source = self.fences, message.source.partition("@")[0]
        if fences.refuses(worker, source) and not is_far(worker):
            self.neighbours.refuse(worker, passed.number, out, is_given_up=worker in fences.nodes)
            return
        if isinstance(message, Reply):
            self._answer(message.stream, message.kind, message.data, out)
            self.neighbours.done(worker, passed.number, out)
            return
        instance = self._by_id.get(message.target)
        if message.source.partition("@")[2] != worker:  # a worker speaks for its own instances
            self.neighbours.done(worker, passed.number, out)
        elif instance is None or (instance.is_leaving and not _is_left(instance, message)):
            self.neighbours.bounce(worker, passed.number, out)
        else:
            self._put(instance, Waiting(message, worker, passed.number), out)

    def gone(self, told: NodeGone, out: list[Command]) -> None:
        """What another worker had not handled is sent again, where it is wanted now."""
        if not is_far(told.worker):
            self.neighbours.drop(self.fences.give_up(told.worker))
        for worker in self.neighbours.named(told.worker):
            kept = self.neighbours.recall(worker, told.place) if told.place else self.neighbours.gone(worker)
            for number, message in kept:
                if isinstance(message, Event):
                    self.detours.came_back(worker, number, message, out)
            for number, _ in kept:
                self._settle(worker, number, out)
            if self.neighbours.has_caught_up(worker):
                self._go_on(worker, out)

    def heard_of(self, order: NodeGone | NodeBack, out: list[Command]) -> None:
        if isinstance(order, NodeGone):
            self.gone(order, out)
        else:
            self.fences.back(order.worker, order.replaced)

    def gone_are(self, workers: tuple[str, ...], out: list[Command]) -> None:
        """These, and no others."""
        for worker in [one for one in self.fences.nodes if one not in workers]:
            self.fences.back(worker, ())
        for worker in [one for one in workers if one not in self.fences.nodes]:
            self.gone(NodeGone(worker), out)

    def handled(self, instance: EventInstance, waiting: Waiting, outcome: Outcome, out: list[Command]) -> None:
        if waiting.event.stream:
            self._reply(waiting.event, _told(waiting.event, outcome), out)
        if waiting.worker:
            self.neighbours.done(waiting.worker, waiting.number, out)

    def taken(self, instance: EventInstance, out: list[Command]) -> None:
        """One event has left its mailbox."""
        if instance.is_behind and instance.mailbox.share <= LOW:
            self._caught_up(instance, out)

    def _caught_up(self, instance: EventInstance, out: list[Command]) -> None:
        instance.is_behind = False
        self._go_on(instance.id, out)

    # Replies.

    def _reply(self, call: Event, reply: Reply, out: list[Command]) -> None:
        worker = call.source.partition("@")[2]
        if worker == self._worker:
            self._answer(reply.stream, reply.kind, reply.data, out)
        elif worker not in self.fences.nodes:
            self.neighbours.send(worker, reply, out)

    def _answer(self, stream: str, kind: ReplyKind, data: bytes, out: list[Command]) -> None:
        """To one that nobody waits for any more nothing happens."""
        instance = self.streams.pop(stream, None)
        if self.invoking.open:
            self.invoking.open.pop(stream, None)
        if instance is not None:
            self._timers.clear((Timer.REPLY, stream))
            out.append(Respond(instance.id, instance.asked.pop(stream), kind, data))

    def replied(self, event: FunctionReplied, out: list[Command]) -> None:
        self._answer(event.id, event.kind, event.data, out)

    def lose_gateway(self, peer: str, out: list[Command]) -> None:
        for stream in self.invoking.lose(peer):
            self._answer(stream, ReplyKind.ERROR, b"the gateway that was asked for the function is gone", out)

    def end_calls(self, instance: EventInstance, why: str, out: list[Command]) -> None:
        for stream in list(instance.asked):
            self._answer(stream, ReplyKind.ERROR, why.encode(), out)

    # Time, and the end.

    def ring(self, now: float, timer: Timer, name: str, out: list[Command]) -> None:
        if timer is Timer.LATER:
            instance, event = self.later.pop(name)
            if self._by_id.get(instance.id) is instance and not instance.is_replaced:
                self._cast(now, instance, event, out)
        else:
            self._answer(name, ReplyKind.ERROR, b"no reply came in time", out)

    def leave(self, instance: EventInstance, why: str, out: list[Command]) -> tuple[Event, ...]:
        """It is here no more. What it had not begun to handle goes back to who sent it, who sends it to whoever has the
        place next; the answer is what nobody else keeps. Where nobody follows, who called it is told."""
        for stream in instance.asked:
            self.streams.pop(stream, None)
            self._timers.clear((Timer.REPLY, stream))
        instance.asked.clear()
        given = [waiting for _, waiting in instance.given]
        instance.given.clear()
        instance.delivery = ""
        if given:
            self._refuse(given[0], why, out)  # the others it had, and had not begun
        unheard: list[Event] = []
        for waiting in (*given[1:], *instance.mailbox.events):
            event = waiting.event
            if instance.is_replaced:
                self._return(waiting, out)
            elif not instance.hands_over:
                self._refuse(waiting, why, out)
            elif event.output in ("", SELF) or not self._return(waiting, out):
                self._refuse(waiting, why, out)
                unheard += [event] * (not event.stream)
        instance.mailbox = Mailbox()
        instance.given.clear()
        self._caught_up(instance, out)
        return tuple(unheard)

    def _refuse(self, waiting: Waiting, why: str, out: list[Command]) -> None:
        if waiting.event.stream:
            self._reply(waiting.event, _error(waiting.event, why), out)
        if waiting.worker:
            self.neighbours.done(waiting.worker, waiting.number, out)

    def _return(self, waiting: Waiting, out: list[Command]) -> bool:
        """False: there is nobody to whom it could go back."""
        event = waiting.event
        if waiting.worker:
            self.neighbours.bounce(waiting.worker, waiting.number, out)
        elif event.source.partition("@")[0] in self._by_id:
            self.detours.came_back(self._worker, 0, event, out)
        else:
            return False
        return True

    def address(self, instance: str) -> str:
        return f"{instance}@{self._worker}"

    def log(self, instance: EventInstance, text: str, out: list[Command]) -> None:
        revision = instance.state.revision
        out.append(Write(Logged(revision.function, revision.id, instance.id, "", "error", text)))


def _is_left(instance: EventInstance, event: Event) -> bool:
    """Its sender could not send it anywhere else: it goes to who follows with what the instance leaves."""
    return instance.stage is Stage.STOPPING and event.output in ("", SELF)


def _told(call: Event, outcome: Outcome) -> Reply:
    if isinstance(outcome, Ok):
        kind = ReplyKind.REPLY if outcome.status == HAS_REPLY else ReplyKind.NOTHING
        return Reply(call.source.partition("@")[0], call.stream, kind, outcome.body, call.target)
    return _error(call, said(outcome))


def _error(call: Event, why: str) -> Reply:
    return Reply(call.source.partition("@")[0], call.stream, ReplyKind.ERROR, why.encode(), call.target)


def said(outcome: FunctionError | Failed) -> str:
    return f"{outcome.type}: {outcome.message}" if isinstance(outcome, FunctionError) else outcome.message
