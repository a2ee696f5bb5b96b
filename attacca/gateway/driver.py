"""Carries out what the gateway core decides: sends to workers, and tells the clients that wait."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from attacca.errors import AttaccaError
from attacca.gateway import metrics
from attacca.gateway.config import GatewayConfig
from attacca.gateway.core.async_calls.pending import Books
from attacca.gateway.core.catalogue import AskCatalogue as Missed
from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.charted import Charted
from attacca.gateway.core.events import (
    Amended,
    Answer,
    Arrived,
    BodyCame,
    ClientFell,
    ClientLeft,
    ClientPaused,
    Command,
    Dial,
    Drain,
    Event,
    FromControl,
    GivenUp,
    HangUp,
    Pass,
    Refused,
    Reject,
    TellControl,
    Tick,
    WorkerLost,
)
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Client, Function, Inflight
from attacca.gateway.core.recent import remembering
from attacca.gateway.remembering import Remembering
from attacca.gateway.tracing import NoTracing, Tracing, ended
from attacca.io.exposition import Form
from attacca.io.wire.pressure import Pressure
from attacca.kernel.access import admits
from attacca.kernel.chance import Chance
from attacca.kernel.clock import Clock
from attacca.kernel.drive import Drive, LoopTimer, report_refused
from attacca.kernel.ids import Ids
from attacca.kernel.registry import build
from attacca.model.doors import Door, Doors, DoorsKnown
from attacca.model.endpoints import Endpoints, EndpointsChanged, EndpointsKnown, StartsFail
from attacca.model.events import FunctionCalled
from attacca.model.history import AskHistory
from attacca.model.invocation import Call, Failed, Request
from attacca.model.messages import (
    Access,
    AskCalls,
    AskCatalogue,
    AskStory,
    CallsTold,
    Catalogue,
    Deleted,
    Deployed,
    Flow,
    FromWorker,
    Known,
    Members,
    OfGateway,
    ResponseBody,
    ResponseHead,
    Send,
    Started,
    StoryTold,
    ToWorker,
    WorkerLeft,
)
from attacca.model.story import Moment, Recent, Tell, aloud
from attacca.policy.balancing import BALANCING
from attacca.policy.balancing.types import begin
from attacca.policy.slots import SLOTS
from attacca.policy.slots.types import checked

LOG = logging.getLogger("attacca.gateway")


Heard = AskCalls | AskHistory | AskStory | Access | FromControl  # of control


class Roads(Protocol):
    """How a gateway reaches workers that are apart."""

    def dial(self, worker: str, address: str) -> None: ...
    def hang_up(self, worker: str) -> None: ...


class Gateway:
    """`send` takes the name of a worker and what it is told. `record` is told every ended invocation;
    `to_control` takes what control is told. `roads`: there are workers apart. `tell` is told what the core has seen."""

    def __init__(
        self,
        config: GatewayConfig,
        clock: Clock,
        ids: Ids,
        chance: Chance,
        send: Callable[[str, ToWorker], None],
        record: Callable[[Call], None] | None = None,
        to_control: Callable[[OfGateway], None] | None = None,
        roads: Roads | None = None,
        tell: Tell | None = None,
    ) -> None:
        """
        Raises:
            BadConfig: no such policy, or not with these options.
        """
        self.clock = clock
        self.async_books: Books | None = None  # of asynchronous calls, for the metrics
        self.more_metrics: Callable[[Form], bytes] = lambda _: b""  # of what else is in its process
        self.invoke_for: Callable[[FunctionCalled], None] = _refuse  # what workers ask for
        self.tracing: Tracing = NoTracing()
        self.on_drain: Callable[[], None] = _nothing  # the listener's: connections end with their answers
        balancing = config.balancing
        policy = build(BALANCING, balancing.policy, balancing.options, "attacca.policy.balancing")
        slots = checked(build(SLOTS, config.slots.policy, config.slots.options, "attacca.policy.slots"), chance)
        core = GatewayCore(
            config.calls_kept, begin(policy, chance), partial(slots.fresh, chance), silent_s=config.silent_s,
            attempts=config.attempts,
        )  # fmt: skip
        self.core, self._recent = core, Recent()
        self.remembering = Remembering(core, clock)
        self._drive: Drive[Event, Command] = Drive(
            aloud(remembering(core.handle, self._recent), self._recent, tell),
            core.alarm, self._perform, clock.now, LoopTimer(clock.now), Tick(), report_refused,
        )  # fmt: skip
        self.ids = ids
        self._send = send
        self._pressure = Pressure(self._pause)
        self._record = record
        self._to_control = to_control or _tell_nobody
        self._roads = roads
        self.access = Access((), is_uid_shared=False)

    def __repr__(self) -> str:
        return f"<Gateway {self.busy()} invocations, {len(self.core.workers.by_name)} workers>"

    # What http asks.

    @property
    def functions(self) -> Functions:
        return self.core.functions

    def find(self, name: str) -> Function | None:
        return self.core.functions.by_name.get(name)

    def door(self, host: str, path: str, method: str) -> Door | None:
        """Of a workflow, that has this address."""
        return self.core.doors.find(host, path, method)

    @property
    def has_doors(self) -> bool:
        return self.core.doors.has_any()

    def refusal(self, name: str) -> AttaccaError | None:
        """Why an invocation would be refused now, which it is; for those who would have to send a large body first."""
        error = self.core.refusal(name)
        if error is not None:
            self._drive.feed(Refused(name, error.code))
        return error

    def refused(self, name: str, error: AttaccaError) -> AttaccaError:
        """One that http refuses by itself is counted with the others."""
        if self.find(name) is not None:
            self._drive.feed(Refused(name, error.code))
        return error

    def invoke(self, name: str, request: Request, client: Client, key: str = "") -> AttaccaError | None:
        """Admit it and hand it on, as `key` if it has a name. The client may be answered before this returns."""
        drive, key = self._drive, key or self.ids.next()
        seen = self.tracing.begun(key, request)
        commands = drive.decide(Arrived(key, self.clock.wall(), name, seen, client))
        inflight = self.core.inflight.get(key)
        if inflight is not None:
            client.taken = inflight
        drive.carry_out(commands)
        if inflight is not None:
            return None
        refuse = commands[0]
        assert isinstance(refuse, Reject)
        return refuse.error

    def body(self, taken: Inflight, data: bytes, *, last: bool) -> None:
        self._drive.feed(BodyCame(taken, data, last))

    def flow(self, taken: Inflight, *, paused: bool) -> None:
        """The client reads its streamed answer slowly, or has caught up."""
        self._drive.feed(ClientPaused(taken, paused))

    def leave(self, taken: Inflight, *, can_finish: bool) -> None:
        """The client has gone; `can_finish` says that its whole request is here."""
        self._drive.feed(ClientLeft(taken, can_finish))

    def hint_leaving(self, taken: Inflight) -> None:
        """The client will send nothing more, and may have gone; the answer is still wanted, as far as is known."""
        self._drive.feed(ClientFell(taken))

    def amend(self, taken: Inflight, error: AttaccaError) -> None:
        """What the function answered cannot be sent, and the client is told so by the caller."""
        self._drive.feed(Amended(taken, Failed(error.code, error.message, error.hint)))

    def give_up(self, taken: Inflight, error: AttaccaError) -> None:
        """The client broke the rules in the middle of it, or the function did; the client is told by the caller."""
        self._drive.feed(GivenUp(taken, Failed(error.code, error.message, error.hint)))

    # What workers and control say.

    def receive(self, message: FromWorker | WorkerLeft | FromControl | Charted) -> None:
        self._drive.feed(message)

    def hear(self, message: Heard) -> None:
        """Of control."""
        match message:
            case AskCalls():
                self._to_control(CallsTold(message.id, ended(self.core.functions, self.tracing, message)))
            case AskHistory():
                self.remembering.tell(message, self._to_control)
            case AskStory():
                self._to_control(StoryTold(message.id, self.story(message.subject)))
            case Access():
                self.access = message
            case _:
                self._drive.feed(message)
                if self._roads is not None:
                    self._say_known(message)

    def _say_known(self, message: FromControl) -> None:
        """What it knows now: after a gap it is less than it was told."""
        match message:
            case EndpointsChanged(added=()):
                return
            case Endpoints() | EndpointsChanged():
                endpoints = self.core.cluster.generation
                if endpoints is not None:
                    self._to_control(EndpointsKnown(endpoints))
            case Catalogue() | Deployed() | Deleted():
                functions = self.core.functions.generation
                if functions is not None:
                    self._to_control(Known("", functions))
            case Doors():
                self._to_control(DoorsKnown("", message.generation))
            case Members() | StartsFail():
                pass  # nobody waits for that

    def admits(self, authorization: bytes | None) -> bool:
        """Does this Authorization header carry a token that control knows?"""
        return admits(self.access.tokens, authorization)

    @property
    def has_catalogue(self) -> bool:
        """Control has told it which functions there are."""
        return self.core.functions.generation is not None

    @property
    def is_equipped(self) -> bool:
        """There are workers, and among them all that it has been told to dial."""
        return self.has_all and self.core.workers.by_name.keys() >= self.core.dialing.dialed.keys()

    @property
    def has_all(self) -> bool:
        """There is a worker to send to."""
        return bool(self.core.workers.by_name)

    def lose(self, peer: str, why: str) -> None:
        """A worker is gone, and what it had with it."""
        self._pressure.lose(peer)
        self.receive(WorkerLeft(peer, why))

    def press(self, peer: str, is_slow: bool) -> None:  # noqa: FBT001 - mirrors Peers.bind
        """A worker does not read what it is sent, or has caught up: bodies that stream to it wait."""
        streams = [key for key, one in self.core.inflight.items() if one.more and one.worker == peer]
        self._pressure.press(peer, streams, is_slow=is_slow)

    # What is to be done.

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            if type(command) is Send:
                self._send(command.peer, command.message)
            elif type(command) is Answer:
                self._answer(command)
            else:
                self._order(command)

    def _order(self, command: Command) -> None:
        match command:
            case Pass():
                self._pass(command.inflight, command.message)
            case Missed():
                self._to_control(AskCatalogue(command.known, command.seen))
            case TellControl():
                self._to_control(command.message)
            case WorkerLost():
                LOG.warning("worker %r %s: what it had is given to others", command.worker, command.why)
            case Dial() | HangUp():
                self._reach(command)
            case FunctionCalled():
                self.invoke_for(command)
            case Reject():
                pass  # `invoke` has it
            case Send() | Answer():
                raise AssertionError("they are carried out before")

    def _reach(self, command: Dial | HangUp) -> None:
        if self._roads is None:
            return
        if isinstance(command, Dial):
            self._roads.dial(command.worker, command.address)
        else:
            self._roads.hang_up(command.worker)

    def _pass(self, inflight: Inflight, message: Started | ResponseHead | ResponseBody | Flow) -> None:
        client = inflight.client
        if client is None:
            return
        match message:
            case ResponseBody():
                client.body(message.data)
            case ResponseHead():
                client.head(message.status, message.headers)
            case Started():
                client.started()
                self._pressure.begin(inflight.worker, inflight.key)
            case Flow():
                self._pressure.ask(inflight.worker, inflight.key, paused=message.paused)

    def _pause(self, key: str, paused: bool) -> None:  # noqa: FBT001 - mirrors Client.flow
        inflight = self.core.inflight.get(key)
        if inflight is not None and inflight.client is not None:
            inflight.client.flow(paused)

    def _answer(self, answer: Answer) -> None:
        inflight = answer.inflight
        if self._pressure.asked:
            self._pressure.asked.discard(inflight.key)
        client = inflight.client
        if client is not None:
            inflight.client = None
            client.ended(inflight, answer.outcome)
        if inflight.on_end is not None:
            inflight.on_end()
        self.tracing.ended(inflight)
        if self._record is not None:
            self._record(inflight.call())

    def story(self, subject: str) -> tuple[Moment, ...]:
        """What has happened lately to the invocation of that name, or to what was sent again for it."""
        return self._recent.tell(subject, "gateway", self.clock.wall() - self.clock.now())

    # The whole.

    def drain(self) -> None:
        """Take nothing new."""
        self._drive.feed(Drain())
        self.on_drain()

    def close(self) -> None:
        """Nothing is timed any more."""
        self._drive.stop()
        self.remembering.close()

    @property
    def is_draining(self) -> bool:
        return self.core.is_draining

    def busy(self) -> int:
        """Invocations that were admitted and are not over."""
        return len(self.core.inflight)

    def metrics(self, form: Form) -> Callable[[], bytes]:
        """What writes the page, in another thread."""
        return metrics.later(self.core, self.async_books, form, self.tracing.exemplars, self.more_metrics(form))

    def tick(self) -> None:
        """End what has waited too long; the timer calls it."""
        self._drive.feed(Tick())


def _nothing() -> None:
    """There is no listener."""


def _refuse(asked: FunctionCalled) -> None:
    LOG.warning("worker %r asks for %r, and nobody calls functions for workers", asked.worker, asked.function)


def _tell_nobody(_: OfGateway) -> None:
    """There is no control."""
