"""What control's core has seen lately of sandboxes, functions and planes."""

from collections.abc import Callable

from attacca.control.core.events import Announce, Command, Event
from attacca.model.endpoints import SandboxDown, SandboxUp, StartSandbox, StopSandbox
from attacca.model.messages import Catalogue, Deployed, GatewayJoined, GatewayLeft, Send, WorkerJoined, WorkerLeft
from attacca.model.story import Fact, Recent

Handle = Callable[[float, Event], list[Command]]


def remembering(handle: Handle, recent: Recent) -> Handle:
    append = recent.entries.append

    def remembered(now: float, event: Event) -> list[Command]:
        commands = handle(now, event)
        fact = _fact(event)
        orders = [said for command in commands if (said := _order(command)) is not None]
        if fact is not None or orders:
            append((now, fact, orders))
        return commands

    return remembered


def _fact(event: Event) -> Fact:
    """None: a story has no use for it."""
    match event:
        case SandboxUp():
            return "SandboxUp", event.id, "", event.worker
        case SandboxDown():
            return "SandboxDown", event.id, "", event.worker, f"{event.error.code}: {event.error.message}"
        case WorkerJoined():
            return "WorkerJoined", event.view.name, "", event.address
        case GatewayJoined():
            return "GatewayJoined", event.name, "", event.url
        case WorkerLeft():
            return "WorkerLeft", event.worker, "", event.why
        case GatewayLeft():
            return "GatewayLeft", event.name, ""
        case _:
            return None


def _order(command: Command) -> Fact:
    if type(command) is Send:
        message = command.message
        if type(message) is StartSandbox:
            return "StartSandbox", message.id, "", command.peer, message.revision, message.why
        return ("StopSandbox", message.id, "", command.peer, message.why) if type(message) is StopSandbox else None
    if type(command) is not Announce:
        return None
    match command.message:
        case Deployed(revision=revision):
            return "Deployed", revision.function, revision.id
        case Catalogue():
            return None
        case _:
            return "Deleted", command.message.function, ""
