"""Events between instances: where what they send goes, what waits for them, and the replies that they wait for.

What is for an instance of this worker goes into its mailbox, what is for one of another is passed to it. What leads to
an instance that is gone is held until control has said what follows it.
"""

from collections.abc import Callable, Iterable

from attacca.kernel.ids import Ids
from attacca.model.events import (
    SELF,
    Bounced,
    Event,
    Introduced,
    Passed,
    Patch,
    Reply,
    ReplyKind,
    Route,
    Target,
)
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome
from attacca.model.messages import Logged
from attacca.worker.core.events import Command, Listen, NeighbourSaid, Respond, Write
from attacca.worker.core.mailboxes import HIGH, LOW, EventInstance, Waiting
from attacca.worker.core.neighbours import Neighbours
from attacca.worker.core.reports import EventAsked, EventSent
from attacca.worker.core.telemetry import Telemetry
from attacca.worker.core.timers import Timer, Timers

HAS_REPLY = 200  # the status of a handler's end that has one


class Exchange:
    """`by_id` are the instances that are here; `next_` gives one what is first in its mailbox, if it is at rest."""

    def __init__(
        self,
        worker: str,
        timers: Timers,
        streams: Ids,
        by_id: dict[str, EventInstance],
        next_: Callable[[EventInstance, list[Command]], None],
        telemetry: Telemetry | None,
    ) -> None:
        self._worker, self._timers, self._ids = worker, timers, streams
        self._by_id, self._next = by_id, next_
        self._telemetry = telemetry
        self.neighbours = Neighbours()
        self.streams: dict[str, EventInstance] = {}  # of open calls: who waits
        self.later: dict[str, tuple[EventInstance, EventSent]] = {}  # what is sent later
        self._count = 0

    def __repr__(self) -> str:
        return f"<Exchange {len(self.streams)} calls open, {len(self.later)} casts later, {self.neighbours!r}>"

    # What instances send.

    def sent(self, now: float, event: EventSent, out: list[Command]) -> None:
        instance = self._by_id.get(event.sandbox)
        if instance is None:
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
        if instance is None:
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
        output, routes = event.output, sender.routes
        if not output:
            name, _, worker = event.target.partition("@")
            self._give(sender, Target(name, worker or self._worker), event, out)
        elif output == SELF:
            self._give(sender, Target(sender.id, self._worker), event, out)
        elif routes.is_held(output):
            self._hold(sender, event, out)
        else:
            self._route(sender, event, out)

    def _route(self, sender: EventInstance, event: Event, out: list[Command]) -> None:
        targets = sender.routes.targets(event.output)
        if not targets:
            self._drop(sender, event, f"the output {event.output!r} leads nowhere", out)
        for target in targets[:1] if event.stream else targets:
            self._give(sender, target, event, out)

    def _hold(self, sender: EventInstance, event: Event, out: list[Command]) -> None:
        if not sender.routes.hold(event.output, event):
            self._drop(sender, event, f"too much waits for {event.output!r}, whose target moves", out)

    def _give(self, sender: EventInstance, target: Target, event: Event, out: list[Command]) -> None:
        addressed = Event(target.instance, event.source, event.data, event.stream, event.output, event.created)
        if target.worker != self._worker:
            if not self.neighbours.send(target.worker, addressed, out):
                self._drop(sender, event, f"the worker {target.worker!r} has too much to do", out)
            return
        known = self._by_id.get(target.instance)
        if known is None:
            self._miss(sender, addressed, out)
        elif not known.mailbox.has_room(event):
            self._drop(sender, event, f"the mailbox of {target.instance!r} is full", out)
        else:
            self._put(known, Waiting(addressed), out)
            if known.is_behind and not sender.is_behind:
                if not sender.paused_for:
                    out.append(Listen(sender.id, True))  # noqa: FBT003 - mirrors Runtime.tell
                sender.paused_for[known.id] = None

    def _miss(self, sender: EventInstance, event: Event, out: list[Command]) -> None:
        """Whom it is for is gone. What came by an output waits for who follows."""
        if event.output:
            self._hold(sender, event, out)
        else:
            self._drop(sender, event, f"there is no instance {event.target!r}", out)

    def _drop(self, sender: EventInstance, event: Event, why: str, out: list[Command]) -> None:
        """Whoever waits for a reply is told; of others the first of many is in the log."""
        if event.stream:
            self._answer(event.stream, ReplyKind.ERROR, why.encode(), out)
            return
        sender.dropped += 1
        if sender.dropped & (sender.dropped - 1) == 0:
            self.log(sender, f"an event was dropped ({sender.dropped} so far): {why}", out)

    def patch(self, instance: EventInstance, order: Patch, out: list[Command]) -> None:
        """What was held of outputs that lead somewhere again goes there, in its order."""
        self.learn(order.routes, out)
        for event in instance.routes.change(order.generation, order.routes):
            self._send(instance, event, out)

    def learn(self, routes: Iterable[Route], out: list[Command]) -> None:
        for target in (target for route in routes for target in route.targets):
            if target.worker != self._worker:
                self.neighbours.learn(target.worker, target.address, out)

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
            self._again(back, out)

    def _came(self, worker: str, passed: Passed, out: list[Command]) -> None:
        message = passed.message
        if isinstance(message, Reply):
            self._answer(message.stream, message.kind, message.data, out)
            self.neighbours.done(worker, passed.number, out)
            return
        instance = self._by_id.get(message.target)
        if message.source.partition("@")[2] != worker:  # a worker speaks for its own instances
            self.neighbours.done(worker, passed.number, out)
        elif instance is None or instance.is_leaving:
            self.neighbours.bounce(worker, passed.number, out)
        else:
            self._put(instance, Waiting(message, worker, passed.number), out)

    def _again(self, event: Event, out: list[Command]) -> None:
        """Another worker does not have whom it was for. Where its output leads still to that one, it waits for who
        follows."""
        sender = self._by_id.get(event.source.partition("@")[0])
        if sender is None:
            return
        leads_there = any(target.instance == event.target for target in sender.routes.all(event.output))
        if not event.output or leads_there:
            self._miss(sender, event, out)
        else:
            self._send(sender, event, out)

    def gone(self, worker: str, out: list[Command]) -> None:
        """Another worker does not come back: what it had not handled is sent again, where it is wanted now."""
        for message in self.neighbours.gone(worker):
            if isinstance(message, Event):
                self._again(message, out)

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
        for other in self._by_id.values():
            if instance.id in other.paused_for:
                del other.paused_for[instance.id]
                if not other.paused_for:
                    out.append(Listen(other.id, False))  # noqa: FBT003 - mirrors Runtime.tell

    # Replies.

    def _reply(self, call: Event, reply: Reply, out: list[Command]) -> None:
        worker = call.source.partition("@")[2]
        if worker == self._worker:
            self._answer(reply.stream, reply.kind, reply.data, out)
        else:
            self.neighbours.send(worker, reply, out)

    def _answer(self, stream: str, kind: ReplyKind, data: bytes, out: list[Command]) -> None:
        """To one that nobody waits for any more nothing happens."""
        instance = self.streams.pop(stream, None)
        if instance is not None:
            self._timers.clear((Timer.REPLY, stream))
            out.append(Respond(instance.id, instance.asked.pop(stream), kind, data))

    def end_calls(self, instance: EventInstance, why: str, out: list[Command]) -> None:
        for stream in list(instance.asked):
            self._answer(stream, ReplyKind.ERROR, why.encode(), out)

    # Time, and the end.

    def ring(self, now: float, timer: Timer, name: str, out: list[Command]) -> None:
        if timer is Timer.LATER:
            instance, event = self.later.pop(name)
            if self._by_id.get(instance.id) is instance:
                self._cast(now, instance, event, out)
        else:
            self._answer(name, ReplyKind.ERROR, b"no reply came in time", out)

    def forget(self, instance: EventInstance, why: str, out: list[Command]) -> tuple[Event, ...]:
        """It is here no more; the answer is what it had not begun to handle. Who called it is told."""
        for stream in instance.asked:
            self.streams.pop(stream, None)
            self._timers.clear((Timer.REPLY, stream))
        begun = [] if instance.handles is None else [instance.handles]
        waiting = list(instance.mailbox.events)
        for one in (*begun, *waiting):
            if one.event.stream:
                self._reply(one.event, _error(one.event, why), out)
            if one.worker:
                self.neighbours.done(one.worker, one.number, out)
        self._caught_up(instance, out)
        return tuple(one.event for one in waiting if not one.event.stream)

    def address(self, instance: str) -> str:
        return f"{instance}@{self._worker}"

    def log(self, instance: EventInstance, text: str, out: list[Command]) -> None:
        revision = instance.state.revision
        out.append(Write(Logged(revision.function, revision.id, instance.id, "", "error", text)))


def _told(call: Event, outcome: Outcome) -> Reply:
    if isinstance(outcome, Ok):
        kind = ReplyKind.REPLY if outcome.status == HAS_REPLY else ReplyKind.NOTHING
        return Reply(call.source.partition("@")[0], call.stream, kind, outcome.body)
    return _error(call, said(outcome))


def _error(call: Event, why: str) -> Reply:
    return Reply(call.source.partition("@")[0], call.stream, ReplyKind.ERROR, why.encode())


def said(outcome: FunctionError | Failed) -> str:
    return f"{outcome.type}: {outcome.message}" if isinstance(outcome, FunctionError) else outcome.message
