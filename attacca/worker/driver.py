"""Carries out what the worker core decides, and tells it what comes of that. Bodies and logs pass it by."""

import asyncio
from collections.abc import Callable

from attacca.kernel.clock import Clock
from attacca.kernel.drive import Drive, LoopTimer, report_refused
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.kernel.registry import build
from attacca.model.function import Revision
from attacca.model.invocation import Failed
from attacca.model.messages import (
    AskView,
    Body,
    Check,
    Checked,
    Dispatch,
    Ended,
    Flow,
    FromControl,
    FromWorker,
    Heartbeat,
    Logged,
    ResponseBody,
    ResponseHead,
    Send,
    Started,
    ToControl,
    ToWorker,
    Viewed,
    Withdraw,
    WorkerJoined,
)
from attacca.model.sandbox import WorkerView
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.keepalive import KEEPALIVE
from attacca.policy.queueing import QUEUEING
from attacca.worker.body_buffer import BodyBuffer
from attacca.worker.config import WorkerConfig
from attacca.worker.core import view
from attacca.worker.core.events import (
    Command,
    Drain,
    DropTemplate,
    Event,
    Kill,
    MakeSandbox,
    MakeTemplate,
    Measured,
    PeerLost,
    Received,
    Run,
    Stop,
    Tick,
)
from attacca.worker.core.reports import Report, RunBody, RunEnded, RunFlow, RunHead
from attacca.worker.core.worker import WorkerCore
from attacca.worker.runtime.types import Runtime

HEARTBEAT_S = 1.0
STOPPED = Failed("draining", "the worker stopped before the invocation had ended", "try again when it is up")


class Worker:
    """Gateways `join` it, and hear from it at least once a second until it is told that they are gone."""

    def __init__(
        self,
        config: WorkerConfig,
        runtime: Runtime,
        clock: Clock,
        streams: Streams,
        send: Callable[[str, FromWorker], None],
        tell: Callable[[str, ToControl], None],
        load_per_core: Callable[[], float] | None = None,
    ) -> None:
        """`send` takes the name of a gateway and what it is told, `tell` that of a control. `load_per_core` reads the
        machine's 1-minute load average, if the concurrency policy wants to know it.

        Raises:
            BadConfig: no such policy, or not with these options.
        """
        self.config = config
        concurrency = build(
            CONCURRENCY, config.concurrency.policy, config.concurrency.options, "attacca.policy.concurrency"
        )
        self.core = WorkerCore(
            config,
            build(QUEUEING, config.queueing.policy, config.queueing.options, "attacca.policy.queueing"),
            concurrency,
            build(KEEPALIVE, config.keepalive.policy, config.keepalive.options, "attacca.policy.keepalive"),
            Ids(streams.stream("worker/ids")),
            config.cores,
            chance=streams.stream("worker/keepalive"),
        )
        core = self.core
        self._drive: Drive[Event, Command] = Drive(
            core.handle, core.wakeup, self._perform, clock.now, LoopTimer(clock.now), Tick(), report_refused
        )
        self._runtime = runtime
        self._clock = clock
        self._send = send
        self._tell = tell
        self._load_per_core = load_per_core
        self._measure_s = concurrency.every_s if load_per_core is not None else None
        self._runs: dict[str, Run | None] = {}  # by invocation that a sandbox has; None: its Ended has been sent
        self._buffer = BodyBuffer(config, send)
        self._gateways: list[str] = []
        self._controls: list[str] = []
        self._checks: dict[tuple[str, str], Check] = {}  # that have not been answered, by who asked and their ids
        self._is_closed = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._at_rest = asyncio.Event()

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "draining" if self.core.draining else "open"
        return f"<Worker {state}: {self.busy()} invocations, {len(self._runs)} running, {len(self._gateways)} gateways>"

    async def open(self) -> None:
        """
        Raises:
            IsolationMissing: this machine cannot give what the runtime was asked for.
        """
        await self._runtime.open(self._report)
        self._drive.wind()
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
        self._runs.clear()
        for (peer, _), check in list(self._checks.items()):
            self._answer(peer, Checked(check.id, check.revision, STOPPED))

    async def drain(self, grace_s: float) -> None:
        """Refuse what waits, and let what runs finish within `grace_s`."""
        self._drive.feed(Drain())
        self._tell_peers()
        self._at_rest.clear()
        if self.core.busy():
            try:
                await asyncio.wait_for(self._at_rest.wait(), grace_s)
            except TimeoutError:
                return

    def join(self, gateway: str) -> None:
        """It may send from now on."""
        self._gateways.append(gateway)
        self._send(gateway, WorkerJoined(view.brief(self.core)))

    def lose(self, gateway: str, _: str = "") -> None:
        """It is gone, and nobody wants what it has asked for."""
        if gateway in self._gateways:
            self._gateways.remove(gateway)
        if not self._is_closed:
            self._drive.feed(PeerLost(gateway))

    def join_control(self, control: str) -> None:
        """It may give orders from now on, and says first what there is."""
        self._controls.append(control)
        self._tell(control, WorkerJoined(view.brief(self.core)))

    def lose_control(self, control: str, _: str = "") -> None:
        """What it has announced stands until it is heard of again."""
        if control in self._controls:
            self._controls.remove(control)

    def receive(self, peer: str, message: ToWorker) -> None:
        """From a gateway."""
        match message:
            case Dispatch() if self._is_closed:
                self._send(peer, Ended(message.invocation.id, STOPPED))
            case Dispatch():
                if message.invocation.request.more:
                    self._buffer.expect(peer, message.invocation.id, message.invocation.function)
                self._drive.feed(Received(peer, message))
            case Body():
                self._body(message)
            case Flow():
                run = self._runs.get(message.id)
                if run is not None:
                    self._runtime.flow(run.sandbox, message.id, message.paused)
            case Withdraw(running=False) if message.id in self._runs:
                run = self._runs[message.id]
                if run is not None:
                    self._runtime.leave(run.sandbox, message.id)
            case Withdraw():
                self._feed(message)

    def obey(self, peer: str, message: FromControl) -> None:
        """From control."""
        match message:
            case Check() if self._is_closed:
                self._tell(peer, Checked(message.id, message.revision, STOPPED))
            case Check():
                self._checks[peer, message.id] = message
                self._feed(Received(peer, message))
            case AskView():
                self._tell(peer, Viewed(message.id, self.view()))
            case _:
                self._feed(message)

    def view(self) -> WorkerView:
        return view.of(self.core, self._clock.now())

    def held(self) -> list[Revision]:
        """Revisions whose code may still be read here."""
        return view.held(self.core)

    def busy(self) -> int:
        """Invocations that have not ended."""
        return self.core.busy()

    # In.

    def _report(self, report: Report) -> None:
        """A stream's pieces go straight on, unless their invocation has ended: nothing may follow that."""
        match report:
            case RunEnded():
                run = self._runs.get(report.invocation)
                if run is not None and run.sandbox == report.sandbox:
                    # Who waits for the answer need not wait for the bookkeeping; the core's own Ended comes too late.
                    self._runs[report.invocation] = None
                    self._send(run.peer, Ended(report.invocation, report.outcome, report.run_ms))
                self._feed(report)
            case RunHead() | RunBody() | RunFlow():
                run = self._runs.get(report.invocation)
                if run is not None:
                    self._send(run.peer, _passed_on(report))
            case Logged():
                for control in self._controls[:1]:
                    self._tell(control, report)
            case _:
                self._feed(report)

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

    def _perform(self, command: Command) -> None:
        match command:
            case Run():
                self._run(command)
            case Send(peer, message):
                if isinstance(message, Started):
                    self._send(peer, message)
                elif isinstance(message, Ended):
                    self._end(peer, message)
                else:
                    self._answer(peer, message)
            case MakeSandbox():
                self._runtime.make_sandbox(command.sandbox, command.revision, command.template)
            case Kill():
                self._runtime.kill(command.sandbox)
            case Stop():
                self._runtime.stop(command.sandbox, command.invocation)
            case MakeTemplate():
                self._runtime.make_template(command.template, command.revision)
            case DropTemplate():
                self._runtime.drop_template(command.template)

    def _run(self, run: Run) -> None:
        invocation, sandbox = run.invocation, run.sandbox
        self._runs[invocation.id] = run
        self._runtime.run(sandbox, run.revision, invocation)
        if invocation.request.more:
            runtime = self._runtime
            self._buffer.release(invocation.id, lambda body: runtime.body(sandbox, body.id, body.data, body.last))

    def _end(self, peer: str, ended: Ended) -> None:
        if ended.id not in self._runs:
            self._buffer.drop(ended.id)
            self._send(peer, ended)
        elif self._runs.pop(ended.id) is not None:
            self._send(peer, ended)
        if self.core.draining and not self.core.busy():
            self._at_rest.set()

    def _answer(self, peer: str, checked: Checked) -> None:
        self._checks.pop((peer, checked.id), None)
        self._tell(peer, checked)

    # Time.

    def _later(self, name: str, seconds: float, do: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, do)

    def _beat(self) -> None:
        self._later("beat", HEARTBEAT_S, self._beat)
        self._tell_peers()

    def _tell_peers(self) -> None:
        if self._gateways or self._controls:
            heartbeat = Heartbeat(view.brief(self.core))
            for gateway in self._gateways:
                self._send(gateway, heartbeat)
            for control in self._controls:
                self._tell(control, heartbeat)

    def _measure(self) -> None:
        assert self._load_per_core is not None
        assert self._measure_s is not None
        self._later("measure", self._measure_s, self._measure)
        self._feed(Measured(self._load_per_core()))


def _passed_on(report: RunHead | RunBody | RunFlow) -> ResponseHead | ResponseBody | Flow:
    match report:
        case RunBody():
            return ResponseBody(report.invocation, report.data)
        case RunHead():
            return ResponseHead(report.invocation, report.status, report.headers)
        case RunFlow():
            return Flow(report.invocation, report.paused)
