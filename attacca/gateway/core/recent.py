"""What a gateway's core has seen lately, without what is heavy: clients, bodies, headers, the views of workers."""

from collections.abc import Callable

from attacca.gateway.core.events import (
    Amended,
    Arrived,
    ClientFell,
    ClientLeft,
    Command,
    Event,
    GivenUp,
    Reject,
    WorkerLost,
)
from attacca.model.invocation import Ok
from attacca.model.messages import Dispatch, Ended, ResponseHead, Send, Started, Withdraw, WorkerLeft
from attacca.model.story import Fact, Recent, outcome

Handle = Callable[[float, Event], list[Command]]


def remembering(handle: Handle, recent: Recent) -> Handle:
    """The road of every invocation is spelled out: a fact of it is one tuple. That it was started its worker tells."""
    append = recent.entries.append

    def remembered(now: float, event: Event) -> list[Command]:
        commands = handle(now, event)
        if type(event) is Started:
            return commands
        if type(event) is Arrived:
            first = commands[0] if commands else None
            where = first.peer if type(first) is Send else ""
            if where:
                append((now, "Arrived", event.id, "", event.function, where))
            else:
                append((now, ("Arrived", event.id, "", event.function), _orders(commands, event)))
        elif type(event) is Ended:
            if type(event.outcome) is Ok:
                append((now, "Ended", event.id, "", "ok"))
            else:
                append((now, ("Ended", event.id, "", outcome(event.outcome)), _orders(commands, event)))
        else:
            fact = _seldom(event)
            if fact is not None or commands:
                append((now, fact, _orders(commands, event)))
        return commands

    return remembered


def _orders(commands: list[Command], event: Event) -> list[Fact]:
    return [fact for command in commands if (fact := _order(command, event)) is not None]


def _seldom(event: Event) -> Fact:
    """None: a story has no use for it."""
    match event:
        case ResponseHead():
            return "ResponseHead", event.id, "", f"status {event.status}"
        case ClientLeft() | ClientFell():
            return type(event).__name__, event.inflight.key, ""
        case Amended() | GivenUp():
            return type(event).__name__, event.inflight.key, "", outcome(event.outcome)
        case WorkerLeft():
            return "WorkerLeft", event.worker, "", event.why
        case _:
            return None


def _order(command: Command, event: Event) -> Fact:
    if type(command) is Send:
        message = command.message
        if type(message) is Dispatch:
            return "Sent", message.invocation.id, "", command.peer
        return message if type(message) is Withdraw else None
    match command:
        case Reject() if isinstance(event, Arrived):
            return "Reject", event.id, "", command.error.code
        case WorkerLost():
            return "WorkerLost", command.worker, "", command.why
        case _:
            return None
