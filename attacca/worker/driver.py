"""Carries out what the worker core decides, and tells it what comes of that. Bodies and logs pass it by."""

import asyncio
import contextlib
from collections.abc import Callable

from attacca.io.wire.pressure import Pressure
from attacca.kernel.clock import Clock
from attacca.kernel.drive import Drive, LoopTimer, report_refused
from attacca.kernel.rand import Streams
from attacca.model.events import BetweenInstances, Carried, EventKind, Reached, Torn
from attacca.model.invocation import Failed
from attacca.model.looks import AskLoads
from attacca.model.membership import HEARTBEAT_S
from attacca.model.messages import (
    AskHeld,
    AskStory,
    AskView,
    Body,
    Catalogue,
    Cordon,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Flow,
    FromControl,
    FromWorker,
    Heartbeat,
    Known,
    Logged,
    Send,
    Started,
    ToControl,
    ToWorker,
    Withdraw,
    WorkerJoined,
)
from attacca.model.story import Recent, Tell, aloud
from attacca.worker.awake import Awake
from attacca.worker.body_buffer import BodyBuffer
from attacca.worker.carrying import NoRoads, Roads, carry_out, passed_on, refused
from attacca.worker.config import WorkerConfig
from attacca.worker.core import view
from attacca.worker.core.events import (
    Asked,
    Command,
    Deliver,
    Dial,
    Drain,
    Event,
    Hand,
    Measured,
    NeighbourJoined,
    NeighbourSaid,
    PeerJoined,
    PeerLost,
    Received,
    Respond,
    Run,
    Tick,
    Write,
)
from attacca.worker.core.recent import remembering
from attacca.worker.core.reports import EventAsked, EventSent, Report, RunBody, RunEnded, RunFlow, RunHead
from attacca.worker.core.vigil import Vigil
from attacca.worker.core.ways import is_far
from attacca.worker.far import Far
from attacca.worker.making import made
from attacca.worker.measuring import Measuring
from attacca.worker.runtime.types import Runtime
from attacca.worker.showing import Showing

STOPPED = Failed("draining", "the worker stopped before the invocation had ended", "try again when it is up")


class Worker:
    """Gateways and control `join` it, and hear from it at least once a second until it is told that they are gone."""

    def __init__(
        self,
        config: WorkerConfig,
        runtime: Runtime,
        clock: Clock,
        streams: Streams,
        send: Callable[[str, FromWorker | ToControl], None],
        log: Callable[[Logged], None],
        load_per_core: Callable[[], float] | None = None,
        measuring: Measuring | None = None,
        tell: Tell | None = None,
    ) -> None:
        """`send` takes the name of a peer and what it is told. `load_per_core` reads the machine's 1-minute load
        average, if the concurrency policy wants to know it; `measuring` how busy the machine is, with each heartbeat.
        `tell` is told what the core has seen.

        Raises:
            BadConfig: no such policy, or not with these options.
        """
        self.config = config
        self.core, every_s = made(config, streams)
        core, self._recent = self.core, Recent()
        self._drive: Drive[Event, Command] = Drive(
            aloud(remembering(core.handle, self._recent), self._recent, tell),
            core.alarm,
            self._perform,
            clock.now,
            LoopTimer(clock.now),
            Tick(),
            report_refused,
        )
        self._runtime = runtime
        self._clock = clock
        self._send = send
        self._log = log
        self._load_per_core = load_per_core
        self._measure_s = every_s if load_per_core is not None else None
        self._runs: dict[str, Run | None] = {}  # by invocation that a sandbox has; None: its Ended has been sent
        self._pressure = Pressure(self._pause)
        self._buffer = BodyBuffer(config, send)
        self._awake = Awake(Vigil(config.poll_us / 1e6), clock.now) if config.poll_us else None
        self._peers: list[str] = []
        self._measuring = measuring or Measuring()
        self.showing = Showing(core, self._measuring, self._recent, clock, send)
        self._apart: set[str] = set()  # of them, those that wait to hear that it knows what they announce
        self._is_closed = False
        self.around: Roads = NoRoads()
        self._far = Far(config.name, self.hear_neighbour, self.neighbour_joined, self._tell_control)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._at_rest = asyncio.Event()

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "draining" if self.core.draining else "open"
        return f"<Worker {state}: {self.busy()} invocations, {len(self._runs)} running, {len(self._peers)} peers>"

    async def open(self) -> None:
        """
        Raises:
            IsolationMissing: this machine cannot give what the runtime was asked for.
        """
        await self._runtime.open(self._report)
        self._drive.wind()
        self._measuring.look(self._clock.now())
        view.samples(self.core, self._clock.now(), self._clock.wall())  # what time it is
        self._later("beat", HEARTBEAT_S, self._beat)
        if self._measure_s is not None:
            self._later("measure", self._measure_s, self._measure)

    async def close(self) -> None:
        """Everything ends now, whatever runs."""
        if self._is_closed:
            return
        self._drive.feed(Drain())
        self._is_closed = True
        self._drive.stop()
        for timer in self._timers.values():
            timer.cancel()
        await self._runtime.close()
        for invocation, run in list(self._runs.items()):
            if run is not None:
                self._send(run.peer, Ended(invocation, STOPPED))
        for item in self.core.lines.items():
            if item.id not in self._runs:  # it was handed ahead
                self._send(item.peer, Ended(item.id, STOPPED))
        self._runs.clear()

    async def drain(self, grace_s: float) -> None:
        """Refuse what waits, and let what runs finish within `grace_s`."""
        self._drive.feed(Drain())
        self._tell_peers()
        self._at_rest.clear()
        if self.core.busy():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._at_rest.wait(), grace_s)

    def join(self, peer: str, address: str = "") -> None:
        """It may send from now on. `address`: where gateways dial this worker, if they have to."""
        self._peers.append(peer)
        self._feed(PeerJoined(peer))
        if address:
            self._apart.add(peer)
        self._send(peer, WorkerJoined(self.showing.brief(), view.capacity(self.core), address, self.core.machine))

    def lose(self, peer: str, _: str = "") -> None:
        """It is gone, and nobody wants what it has asked for."""
        if peer in self._peers:
            self._peers.remove(peer)
            self._apart.discard(peer)
        self._pressure.lose(peer)
        self._feed(PeerLost(peer))

    def press(self, peer: str, is_slow: bool) -> None:  # noqa: FBT001 - mirrors Peers.bind
        """It does not read what it is sent, or has caught up: what streams to it waits."""
        streams = [name for name, run in self._runs.items() if run is not None and run.peer == peer]
        self._pressure.press(peer, streams, is_slow=is_slow)

    def receive(self, peer: str, message: ToWorker | FromControl) -> None:
        if self._is_closed:
            if (answer := refused(self.config.name, message, STOPPED)) is not None:
                self._send(peer, answer)
            return
        if type(message) is Dispatch:
            if message.invocation.request.more:
                self._buffer.expect(peer, message.invocation.id, message.invocation.function)
            self._drive.feed(Received(peer, message))
        else:
            self._hear(peer, message)

    def _hear(self, peer: str, message: ToWorker | FromControl) -> None:
        match message:
            case Body():
                self._body(message)
            case Flow():
                self._pressure.ask(peer, message.id, paused=message.paused)
            case Withdraw(running=False) if message.id in self._runs:
                run = self._runs[message.id]
                if run is not None:
                    self._runtime.leave(run.sandbox, message.id)
            case Cordon():
                self.showing.is_cordoned = message.is_on
                self._tell_peers()
            case AskView() | AskHeld() | AskStory() | AskLoads():
                self.showing.tell(peer, message)
            case Carried() | Torn() | Reached():
                self._far.hear(message)
            case _:
                self._drive.feed(Received(peer, message) if isinstance(message, Asked) else message)
                if peer in self._apart and isinstance(message, Catalogue | Deployed | Deleted):
                    self._send(peer, Known(self.config.name, message.generation))

    def hear_neighbour(self, worker: str, instance: bytes, message: BetweenInstances) -> None:
        """From another worker, a process of it that is known by `instance`."""
        self._feed(NeighbourSaid(worker, instance, message))

    def neighbour_joined(self, worker: str) -> None:
        """There is a link to it, again."""
        self._feed(NeighbourJoined(worker))

    def busy(self) -> int:
        """Invocations that have not ended."""
        return self.core.busy()

    # In.

    def _report(self, report: Report) -> None:
        """A stream's pieces go straight on, unless their invocation has ended: nothing may follow that."""
        if type(report) is RunEnded:
            run = self._runs.get(report.invocation)
            if run is not None and run.sandbox == report.sandbox:
                # Who waits for the answer need not wait for the bookkeeping; the core's own Ended comes too late.
                self._runs[report.invocation] = None
                self._send(run.peer, Ended(report.invocation, report.outcome, report.run_ms))
            self._feed(report)
            if self._awake is not None:
                if run is not None:
                    self._awake.answered(run.invocation.function, self.core.busy())
                else:
                    self._awake.replied(report.sandbox)
        elif type(report) is EventSent or type(report) is EventAsked:
            self._feed(report)
        else:
            self._hand_on(report)

    def _hand_on(self, report: Report) -> None:
        match report:
            case RunHead() | RunBody() | RunFlow():
                run = self._runs.get(report.invocation)
                if run is not None:
                    self._send(run.peer, passed_on(report))
                    if type(report) is RunHead:
                        self._pressure.begin(run.peer, report.invocation)
            case Logged():
                self._log(report)
                if report.target:
                    self.core.instances.told(self._clock.now(), report)
            case _:
                self._feed(report)

    def _pause(self, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors Runtime.flow
        run = self._runs.get(invocation)
        if run is not None:
            self._runtime.flow(run.sandbox, invocation, paused)

    def _feed(self, event: Event) -> None:
        if not self._is_closed:
            self._drive.feed(event)

    def _body(self, body: Body) -> None:
        run = self._runs.get(body.id)
        if run is not None:
            self._runtime.body(run.sandbox, body.id, body.data, body.last)
        elif body.id not in self._runs and (refusal := self._buffer.keep(body)) is not None:
            self._drive.feed(Withdraw(body.id, running=False, outcome=refusal))

    # Out.

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            if type(command) is Run:
                self._run(command)
            elif type(command) is Deliver:
                self._runtime.tell(command.sandbox, command)
                if command.delivery.kind is EventKind.CALL and self._awake is not None:
                    self._awake.called(command.sandbox)
            elif type(command) is Respond or type(command) is Hand:
                self._runtime.tell(command.sandbox, command)
            elif type(command) is not Send:
                self._order(command)
            elif type(command.message) is Ended:
                self._end(command.peer, command.message)
            elif type(command.message) is Started or not isinstance(command.message, BetweenInstances):
                self._send(command.peer, command.message)
            elif is_far(command.peer):
                self._far.send(command.peer, command.message)
            else:
                self.around.send(command.peer, command.message)

    def _order(self, command: Command) -> None:
        assert not isinstance(command, Run | Send), "they are carried out before"
        if isinstance(command, Write):
            self._log(command.line)
        elif isinstance(command, Dial):
            self.around.dial(command.worker, command.address)
        else:
            carry_out(self._runtime, command)

    def _run(self, run: Run) -> None:
        invocation, sandbox = run.invocation, run.sandbox
        self._runs[invocation.id] = run
        self._runtime.run(sandbox, run.revision, invocation)
        if self._awake is not None:
            self._awake.handed(invocation.function, self.core.busy())
        if invocation.request.more:
            runtime = self._runtime
            self._buffer.release(invocation.id, lambda body: runtime.body(sandbox, body.id, body.data, body.last))

    def _end(self, peer: str, ended: Ended) -> None:
        if self._pressure.asked:
            self._pressure.asked.discard(ended.id)
        if ended.id not in self._runs:
            self._buffer.drop(ended.id)
            self._send(peer, ended)
        elif self._runs.pop(ended.id) is not None:
            self._send(peer, ended)
        if self.core.draining and not self.core.busy():
            self._at_rest.set()

    # Time.

    def _later(self, name: str, seconds: float, do: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, do)

    def _beat(self) -> None:
        self._later("beat", HEARTBEAT_S, self._beat)
        self._measuring.look(self._clock.now())
        self._tell_peers()
        self._tell_samples()
        self._measuring.tell(self.config.name, self._peers, self.core.instances.control, self._send)

    def _tell_peers(self) -> None:
        if self._peers:
            heartbeat = Heartbeat(self.showing.brief())
            for peer in self._peers:
                self._send(peer, heartbeat)

    def _tell_control(self, message: ToControl) -> None:
        self._send(self.core.instances.control, message)

    def _tell_samples(self) -> None:
        control, clock = self.core.instances.control, self._clock
        if control in self._peers and (samples := view.samples(self.core, clock.now(), clock.wall())) is not None:
            self._send(control, samples)

    def _measure(self) -> None:
        assert self._load_per_core is not None and self._measure_s is not None  # noqa: PT018 - one thing
        self._later("measure", self._measure_s, self._measure)
        self._feed(Measured(self._load_per_core()))
