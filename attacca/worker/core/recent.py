"""What a worker's core has seen lately, without what is heavy: bodies, headers, tracebacks, catalogues."""

from collections.abc import Callable

from attacca.model.events import BetweenInstances, InstanceDown, StartInstance, StateSynced
from attacca.model.invocation import Ok
from attacca.model.messages import Catalogue, Checked, Dispatch, Ended, Send, Started
from attacca.model.story import ABOUT_MOST, Fact, Recent, outcome
from attacca.worker.core.events import Command, Deliver, Event, Hand, NeighbourSaid, Received, Respond, Run
from attacca.worker.core.reports import (
    EventAsked,
    EventSent,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    StateOffered,
    TemplateFailed,
    TemplateReady,
)

OF_EVENTS = BetweenInstances | InstanceDown | StateSynced
Handle = Callable[[float, Event], list[Command]]


def remembering(handle: Handle, recent: Recent) -> Handle:
    """The road of every invocation is spelled out: a fact of it is one tuple, or what is there already."""
    append = recent.entries.append

    def remembered(now: float, event: Event) -> list[Command]:
        commands = handle(now, event)
        if type(event) is Received:
            if len(commands) == 2 and type(commands[0]) is Run:
                append((now, commands[1].message, ()))  # type: ignore[union-attr]  # it is Started, and says it all
                return commands
            if not commands and type(event.message) is Dispatch:
                invocation = event.message.invocation
                append((now, "Dispatch", invocation.id, "", invocation.revision))
                return commands
        elif type(event) is RunEnded and type(event.outcome) is Ok:
            if len(commands) < 2:
                append((now, "RunEnded", event.invocation, event.sandbox, event.run_ms, "ok"))
            else:
                fact = "RunEnded", event.invocation, event.sandbox, event.run_ms, "ok"
                append((now, fact, _orders(commands)))
            return commands
        elif type(event) is EventSent:
            append((now, "EventSent", event.sandbox, event.target))
            return commands
        elif type(event) is EventAsked:
            append((now, ("EventAsked", event.sandbox, "", event.target), _orders(commands)))
            return commands
        append((now, _light(event), _orders(commands)))
        return commands

    return remembered


def _orders(commands: list[Command]) -> list[Fact]:
    return [fact for command in commands if (fact := _order(command)) is not None]


def _order(command: Command) -> Fact:
    """None: something else says the same."""
    if type(command) is Run or type(command) is Hand:
        return None
    if type(command) is Send:
        message = command.message
        if type(message) is Started:
            return message
        if type(message) is Ended:
            return None if type(message.outcome) is Ok else ("Ended", message.id, "", outcome(message.outcome))
        if isinstance(message, OF_EVENTS):
            return type(message).__name__, getattr(message, "id", ""), ""
        return ("Checked", message.revision.id, "") if type(message) is Checked else message
    if type(command) is Deliver:
        return "Deliver", command.sandbox, "", command.delivery.id
    if type(command) is Respond:
        return "Respond", command.sandbox, "", str(command.kind)
    return command


def _light(event: Event) -> Fact:
    match event:
        case Received(_, Dispatch(invocation)):
            return "Dispatch", invocation.id, "", invocation.revision
        case Received(_, StartInstance(id)):
            return "StartInstance", id, ""
        case Received(_, message):
            return message
        case RunEnded():
            return "RunEnded", event.invocation, event.sandbox, event.run_ms, outcome(event.outcome)
        case _:
            return _seldom(event)


def _seldom(event: Event) -> Fact:
    match event:
        case SandboxFailed() | SandboxGone():
            return type(event).__name__, event.sandbox, "", f"{event.code}: {event.message[:ABOUT_MOST]}"
        case TemplateFailed():
            return "TemplateFailed", event.template, "", f"{event.code}: {event.message[:ABOUT_MOST]}"
        case TemplateReady():
            return "TemplateReady", event.template, "", f"{event.memory_mb} MB", event.unfit[:ABOUT_MOST]
        case Catalogue():
            return "Catalogue", "", "", event.generation
        case StateOffered():
            return "StateOffered", event.sandbox, ""
        case NeighbourSaid():
            return type(event.message).__name__, event.worker, ""
        case _:
            return event
