"""The gateway core in virtual time: as dull as the live driver, with simulated channels to its workers."""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from attacca.errors import AttaccaError
from attacca.gateway.core.catalogue import AskCatalogue
from attacca.gateway.core.events import (
    Answer,
    Arrived,
    Command,
    Dial,
    Event,
    FromControl,
    HangUp,
    Pass,
    Reject,
    TellControl,
    Tick,
    WorkerLost,
)
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Inflight
from attacca.kernel.drive import Drive, raise_refused
from attacca.model.endpoints import AskEndpoints, Loads, NotBegun, SlotFree
from attacca.model.events import FunctionCalled
from attacca.model.invocation import Request
from attacca.model.messages import (
    Dispatch,
    Ended,
    Heartbeat,
    Resting,
    Send,
    Started,
    ToWorker,
    WatchIdle,
    Withdraw,
    WorkerJoined,
)
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.draws import Duration
from attacca.sim.platform.network import Channel
from attacca.sim.record.event_log import NOBODY, EventLog, What
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.sim.record.ledger import Ledger

REQUEST: Final = Request()
LOST: Final = "gateway_lost"
LOST_STATUS: Final = 502  # as what stands before gateways says it: the connection ended before an answer
NOBODY_STATUS: Final = 503
ARRIVED: Final = int(What.ARRIVED)
ANSWERED: Final = int(What.ANSWERED)
FromNode = Started | Ended | Resting | Heartbeat | WorkerJoined | NotBegun | SlotFree


class Broken(Exception):
    """What must always hold did not."""


class SimulatedGateway:
    def __init__(
        self,
        engine: Engine,
        event_log: EventLog,
        core: GatewayCore,
        invocations: dict[str, SimulatedInvocation],
        ledger: Ledger,
        name: str = "gateway",
        service: Duration | None = None,
    ) -> None:
        """`service`: how long it is busy with each, one after the other; None: no time at all."""
        self.name = name
        self.at_door: deque[SimulatedInvocation] = deque()  # it has not looked at them yet
        self.come = self.arrive if service is None else partial(self._queue, service)
        self._free_at = 0.0
        self.is_up = True
        self.core = core
        self.arrived = 0
        self.over = 0  # answered or refused
        self.channels: Mapping[str, tuple[int, Channel]] = {}  # by worker: its place, and the way to it
        self.on_over: Callable[[SimulatedInvocation], None] | None = None
        self._tell_control: Callable[[AskEndpoints | Loads], None] = _deaf
        self.on_watch: Callable[[str], None] = _nobody  # this worker is to say what rests
        self._engine = engine
        self._event_log = event_log
        self._invocations = invocations
        self._ledger = ledger
        self.drive: Drive[Event, Command] = Drive(
            core.handle, core.alarm, self._perform, lambda: engine.now, EngineTimer(engine), Tick(), raise_refused
        )

    def __repr__(self) -> str:
        at_door = f"{len(self.at_door)} at the door, " if self.at_door else ""
        return f"<SimulatedGateway {at_door}{self.arrived} arrived, {self.over} over>"

    def _queue(self, service: Duration, flight: SimulatedInvocation) -> None:
        """It arrives when those before it have been seen to, and it has."""
        self.at_door.append(flight)
        self._free_at = max(self._free_at, self._engine.now) + service.at(flight.idx)
        self._engine.at(self._free_at, self._next)

    def _next(self, _: None) -> None:
        if self.is_up:
            self.arrive(self.at_door.popleft())

    @property
    def is_ready(self) -> bool:
        """It knows which functions there are."""
        return self.is_up and self.core.functions.generation is not None

    def crash(self, core: GatewayCore) -> None:
        """For good, with all connections of its clients; `core` stands for its being empty. Another follows it."""
        self.is_up = False
        self.drive.stop()
        held, self.core = self.core.inflight, core
        for inflight in held.values():
            flight = inflight.client
            assert type(flight) is SimulatedInvocation
            self._event_log.note(What.FAILED, flight.worker, flight.idx)
            self._close(flight, LOST_STATUS, LOST)
        while self.at_door:
            self.turn_away(self.at_door.popleft())

    def turn_away(self, flight: SimulatedInvocation) -> None:
        """Nobody listens at its door."""
        self.arrived += 1
        self._event_log.note(What.REFUSED, NOBODY, flight.idx)
        self._ledger.totals.refused += 1
        self._close(flight, NOBODY_STATUS, LOST)

    def arrive(self, flight: SimulatedInvocation) -> None:
        self.arrived += 1
        self.drive.feed(Arrived(flight.key, self._engine.now, flight.target.plan.name, REQUEST, flight))

    def join_control(self, tell: Callable[[AskEndpoints | Loads], None]) -> None:
        """`tell`: what is said to it."""
        self._tell_control = tell

    def hear_control(self, message: FromControl) -> None:
        if self.is_up:
            self.drive.feed(message)

    def hear(self, message: FromNode) -> None:
        if not self.is_up:
            if isinstance(message, Ended | NotBegun):
                self._invocations.pop(message.id, None)
        elif type(message) is Started:
            self.drive.feed(message)
        elif type(message) is Ended:
            self.drive.feed(message)
            invocation = message.id
            if invocation not in self.core.inflight and invocation in self._invocations:
                del self._invocations[invocation]
        else:
            if type(message) is Heartbeat:
                if message.view.name not in self.core.workers.by_name:
                    self._note_joining(message.view.name, 0)
            elif type(message) is WorkerJoined:
                self._note_joining(message.view.name, 1)
            elif type(message) is NotBegun:
                self._invocations.pop(message.id, None)
            self.drive.feed(message)

    def _note_joining(self, worker: str, is_new: int) -> None:
        """It joins, or is back after it was taken for lost."""
        self._event_log.note(What.WORKER_JOINED, self.channels[worker][0], is_new)

    # What is to be done.

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            if type(command) is Send:
                self._send(command.peer, command.message)
            elif type(command) is Answer:
                self._answer(command.inflight)
            else:
                self._order(command)

    def _order(self, command: Command) -> None:
        match command:
            case Reject():
                assert type(command.client) is SimulatedInvocation
                self._refuse(command.client, command.error)
            case TellControl():
                self._tell_control(command.message)
            case WorkerLost():
                self._event_log.note(What.WORKER_LEFT, self.channels[command.worker][0], 0)
            case Pass() | AskCatalogue() | Dial() | HangUp() | FunctionCalled():
                pass  # nothing is streamed or missed of the catalogue, and everybody is joined already
            case Send() | Answer():
                raise AssertionError("they are carried out before")

    def _send(self, worker: str, message: ToWorker) -> None:
        if type(message) is Dispatch:
            key = message.invocation.id
            place, channel = self.channels[worker]
            inflight = self.core.inflight[key]
            flight = inflight.client
            assert type(flight) is SimulatedInvocation
            if inflight.attempts == 1:
                self._event_log.note(ARRIVED, place, flight.idx)
            else:
                flight.forget_attempt()
                flight.key = key
                self._event_log.note(What.SENT_AGAIN, place, flight.idx)
            self._invocations[key] = flight
            channel.send(message, flight.draw)
        elif type(message) is Withdraw:
            known = self._invocations.get(message.id)
            if known is not None:
                self.channels[worker][1].send(message, known.draw + 1)
        else:
            assert isinstance(message, WatchIdle), f"nobody simulates {message!r}"
            self.on_watch(worker)

    def _refuse(self, flight: SimulatedInvocation, error: AttaccaError) -> None:
        self._event_log.note(What.REFUSED, NOBODY, flight.idx)
        self._ledger.totals.refused += 1
        self._close(flight, error.status, error.code)

    def _answer(self, inflight: Inflight) -> None:
        flight = inflight.client
        assert type(flight) is SimulatedInvocation
        if not inflight.is_done:
            raise Broken(f"invocation {flight.idx} is answered before the gateway is done with it")
        inflight.client = None
        if inflight.function.is_clustered:
            flight.timing = inflight.timing  # it was held here
        if inflight.outcome == "ok":
            self._event_log.note(ANSWERED, flight.worker, flight.idx)
            self._close(flight, inflight.status, "")
        else:
            self._event_log.note(What.FAILED, flight.worker, flight.idx)
            self._close(flight, inflight.status, inflight.outcome)

    def _close(self, flight: SimulatedInvocation, status: int, error: str) -> None:
        if flight.is_answered:
            raise Broken(f"invocation {flight.idx} was answered twice")
        flight.is_answered = True
        self.over += 1
        self._ledger.close_flight(flight, self._engine.now, status, error)
        if self.on_over is not None:
            self.on_over(flight)


def _deaf(message: AskEndpoints | Loads) -> None:
    """There is no control."""


def _nobody(worker: str) -> None:
    """There are no workers."""
