"""A gateway core in the hands of a test: what happens is told to it, what it orders is written down, and after each
event everything is counted anew."""

from math import inf
from typing import Any

from attacca.errors import AttaccaError
from attacca.gateway.core import invariants
from attacca.gateway.core.events import (
    Amended,
    Answer,
    Arrived,
    ClientLeft,
    Command,
    Event,
    GivenUp,
    Pass,
    Reject,
    Tick,
    WorkerLost,
)
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Inflight
from attacca.kernel.clock import ManualClock
from attacca.kernel.drive import Drive, HandTimer, each, raise_refused
from attacca.model.function import Revision
from attacca.model.invocation import Failed, Outcome, Request, Start, Timing
from attacca.model.messages import (
    Catalogue,
    Dispatch,
    Ended,
    ResponseHead,
    Send,
    Started,
    Withdraw,
    WorkerJoined,
)
from attacca.policy.balancing.types import Balancer
from tests.gateway.play import Waiter, view

SPENT = Timing(queued=2.0, placed=1.0, sandbox=3.0, imports=4.0)


class Stage:
    """With the function f on one worker, unless told otherwise."""

    def __init__(
        self,
        *revisions: Revision,
        workers: tuple[str, ...] = ("worker",),
        silent_s: float = inf,
        attempts: int = 3,
        balancer: Balancer | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.timer = HandTimer()
        self.core = GatewayCore(5, balancer, silent_s=silent_s, attempts=attempts)
        self.drive: Drive[Event, Command] = Drive(
            self._handle, self.core.alarm, each(self._perform), self.clock.now, self.timer, Tick(), raise_refused
        )
        self.said: list[Command] = []
        self.answered: list[Inflight] = []
        self.tell(0.0, Catalogue(1, revisions))
        for name in workers:
            self.tell(0.0, WorkerJoined(view(name)))

    # What happens.

    def tell(self, now: float, event: Event) -> list[Command]:
        """What it orders at once."""
        self.clock.time = now
        before = len(self.said)
        self.drive.feed(event)
        return self.said[before:]

    def invoke(self, now: float, name: str = "1", function: str = "f", *, more: bool = False) -> Waiter:
        waiter = Waiter()
        self.tell(now, Arrived(name, 1e9 + now, function, Request(b"{}", more=more), waiter))
        waiter.taken = self.core.inflight.get(name)
        return waiter

    def admit(self, now: float, name: str = "1", *, more: bool = False) -> Inflight:
        inflight = self.invoke(now, name, more=more).taken
        assert inflight is not None, f"{name} was refused"
        return inflight

    def start(self, now: float, name: str = "1", kind: Start = Start.WARM) -> list[Command]:
        return self.tell(now, Started(name, "s1", kind, "because", SPENT))

    def head(self, now: float, name: str = "1") -> list[Command]:
        return self.tell(now, ResponseHead(name, 200, ()))

    def end(self, now: float, outcome: Outcome, name: str = "1", run_ms: float = 0.0) -> list[Command]:
        return self.tell(now, Ended(name, outcome, run_ms))

    def leave(self, now: float, inflight: Inflight, *, can_finish: bool = True) -> list[Command]:
        return self.tell(now, ClientLeft(inflight, can_finish))

    def give_up(self, now: float, inflight: Inflight) -> list[Command]:
        return self.tell(now, GivenUp(inflight, Failed("bad_response", "")))

    def amend(self, now: float, inflight: Inflight, outcome: Failed) -> list[Command]:
        return self.tell(now, Amended(inflight, outcome))

    def tick(self, now: float) -> list[Command]:
        return self.tell(now, Tick())

    def wait(self, until: float) -> list[Command]:
        """Let time pass, and the timer ring when it should."""
        before = len(self.said)
        while self.timer.at <= until:
            self.clock.time = max(self.clock.time, self.timer.at)
            self.timer.ring()
        self.clock.time = until
        return self.said[before:]

    # What came of it.

    @property
    def refusal(self) -> AttaccaError:
        command = self.said[-1]
        assert isinstance(command, Reject)
        return command.error

    def _handle(self, now: float, event: Event) -> list[Command]:
        commands = self.core.handle(now, event)
        invariants.check(self.core)
        return commands

    def _perform(self, command: Command) -> None:
        self.said.append(command)
        if isinstance(command, Answer):
            inflight = command.inflight
            assert inflight not in self.answered, f"{inflight!r} is answered twice"
            self.answered.append(inflight)
            if inflight.client is not None:
                client, inflight.client = inflight.client, None
                client.ended(inflight, command.outcome)


def told(commands: list[Command]) -> list[str]:
    """Who is told what, as text."""
    return [_text(command) for command in commands]


def _text(command: Command) -> str:
    match command:
        case Send(peer, Dispatch(invocation)):
            return f"{invocation.id} to {peer}"
        case Send(peer, Withdraw(name, running, _)):
            return f"end {name} on {peer}" if running else f"end {name} on {peer} unless it runs"
        case Answer():
            return f"{command.inflight.id} {command.inflight.outcome}"
        case Pass():
            return f"{command.inflight.id} hears {type(command.message).__name__}"
        case Reject():
            return f"refused: {command.error.code}"
        case WorkerLost():
            return f"lost {command.worker}"
        case _:
            return type(command).__name__


def dispatched(command: Any) -> Dispatch:
    assert isinstance(command, Send)
    assert isinstance(command.message, Dispatch)
    return command.message
