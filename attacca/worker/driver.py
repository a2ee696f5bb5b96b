"""Carries out what the worker core decides, and tells it what comes of that. Bodies and logs pass it by."""

import asyncio
from collections import deque
from collections.abc import Callable

from attacca.errors import IllegalTransition
from attacca.kernel.clock import Clock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.kernel.registry import build
from attacca.model.function import Revision
from attacca.model.invocation import Failed
from attacca.model.messages import (
    Body,
    Check,
    Checked,
    Dispatch,
    Ended,
    Flow,
    FromControl,
    FromWorker,
    ResponseBody,
    ResponseHead,
    Started,
    ToWorker,
    Withdraw,
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
    Run,
    Stop,
    Tick,
)
from attacca.worker.core.reports import Logged, Report, RunBody, RunEnded, RunFlow, RunHead
from attacca.worker.core.worker import WorkerCore
from attacca.worker.runtime.types import Runtime

ANSWERED = ""  # no sandbox: the invocation's Ended has been sent
STOPPED = Failed("draining", "the worker stopped before the invocation had ended", "try again when it is up")


class Worker:
    def __init__(
        self,
        config: WorkerConfig,
        runtime: Runtime,
        clock: Clock,
        streams: Streams,
        to_gateway: Callable[[FromWorker], None],
        log: Callable[[Logged], None],
        load_per_core: Callable[[], float] | None = None,
    ) -> None:
        """`load_per_core` reads the machine's 1-minute load average, if the concurrency policy wants to know it.

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
        self._runtime = runtime
        self._clock = clock
        self._to_gateway = to_gateway
        self._log = log
        self._load_per_core = load_per_core
        self._measure_s = concurrency.every_s if load_per_core is not None else None
        self._where: dict[str, str] = {}  # by running invocation: its sandbox
        self._body_buffer = BodyBuffer(config, to_gateway)
        self._checks: list[tuple[Revision, asyncio.Future[Checked]]] = []
        self._later: deque[Event] = deque()
        self._is_feeding = False
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._measuring: asyncio.TimerHandle | None = None
        self._at_rest = asyncio.Event()

    async def open(self) -> None:
        """
        Raises:
            IsolationMissing: this machine cannot give what the runtime was asked for.
        """
        self._loop = asyncio.get_running_loop()
        await self._runtime.open(self._report)
        self._set_timer()
        if self._measure_s is not None:
            self._measuring = self._loop.call_later(self._measure_s, self._measure)

    async def close(self) -> None:
        """Everything ends now, whatever runs."""
        if self._is_closed:
            return
        self._feed(Drain())
        self._is_closed = True
        for timer in (self._timer, self._measuring):
            if timer is not None:
                timer.cancel()
        await self._runtime.close()
        for invocation in list(self._where):
            self._perform(Ended(invocation, STOPPED))
        for revision, answer in self._checks:
            if not answer.done():
                answer.set_result(Checked(revision, STOPPED))

    async def drain(self, grace_s: float) -> None:
        """Refuse what waits, and let what runs finish within `grace_s`."""
        self._feed(Drain())
        self._at_rest.clear()
        if self.core.busy():
            try:
                await asyncio.wait_for(self._at_rest.wait(), grace_s)
            except TimeoutError:
                return

    def receive(self, message: ToWorker | FromControl) -> None:
        match message:
            case Dispatch():
                if message.invocation.request.more:
                    self._body_buffer.expect(message.invocation.id, message.invocation.function)
                self._feed(message)
            case Body():
                self._body(message)
            case Flow():
                sandbox = self._where.get(message.id)
                if sandbox is not None:
                    self._runtime.flow(sandbox, message.id, message.paused)
            case Withdraw(running=False) if message.id in self._where:
                self._runtime.leave(self._where[message.id], message.id)
            case _:
                self._feed(message)

    async def check(self, revision: Revision) -> Checked:
        answer: asyncio.Future[Checked] = asyncio.get_running_loop().create_future()
        entry = (revision, answer)
        self._checks.append(entry)
        try:
            self._feed(Check(revision))
            return await answer
        finally:
            self._checks.remove(entry)

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
                if self._where.get(report.invocation) == report.sandbox:
                    # Who waits for the answer need not wait for the bookkeeping; the core's own Ended comes too late.
                    self._where[report.invocation] = ANSWERED
                    self._to_gateway(Ended(report.invocation, report.outcome, report.run_ms))
                self._feed(report)
            case RunHead():
                if report.invocation in self._where:
                    self._to_gateway(ResponseHead(report.invocation, report.status, report.headers))
            case RunBody():
                if report.invocation in self._where:
                    self._to_gateway(ResponseBody(report.invocation, report.data))
            case RunFlow():
                if report.invocation in self._where:
                    self._to_gateway(Flow(report.invocation, report.paused))
            case Logged():
                self._log(report)
            case _:
                self._feed(report)

    def _body(self, body: Body) -> None:
        sandbox = self._where.get(body.id)
        if sandbox is not None:
            self._runtime.body(sandbox, body.id, body.data, body.last)
        elif (refusal := self._body_buffer.keep(body)) is not None:
            self._feed(Withdraw(body.id, running=False, outcome=refusal))

    def _feed(self, event: Event) -> None:
        """One event at a time: what arises while commands are carried out has its turn after them."""
        if self._is_closed:
            if type(event) is Dispatch:
                self._to_gateway(Ended(event.invocation.id, STOPPED))
            return
        if self._is_feeding:
            self._later.append(event)
            return
        self._is_feeding = True
        try:
            self._step(event)
            while self._later:
                self._step(self._later.popleft())
        finally:
            self._is_feeding = False
        wakeup = self.core.wakeup()
        if wakeup is not None and (self._timer is None or wakeup < self._timer_at):
            self._set_timer()

    def _step(self, event: Event) -> None:
        try:
            commands = self.core.handle(self._clock.now(), event)
        except IllegalTransition as error:
            if self._loop is None:
                raise
            # Refused events change nothing, so the worker goes on; but it is a bug, and must be seen.
            self._loop.call_exception_handler({"message": error.message, "exception": error})
            return
        for command in commands:
            self._perform(command)

    # Out.

    def _perform(self, command: Command) -> None:
        match command:
            case Run():
                self._run(command)
            case Started():
                self._to_gateway(command)
            case Ended():
                self._end(command)
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
            case Checked():
                self._answer(command)

    def _run(self, command: Run) -> None:
        invocation = command.invocation
        sandbox = command.sandbox
        self._where[invocation.id] = sandbox
        self._runtime.run(sandbox, command.revision, invocation)
        if invocation.request.more:
            runtime = self._runtime
            self._body_buffer.release(invocation.id, lambda body: runtime.body(sandbox, body.id, body.data, body.last))

    def _end(self, command: Ended) -> None:
        where = self._where.pop(command.id, None)
        if where is not ANSWERED:
            if where is None:
                self._body_buffer.drop(command.id)
            self._to_gateway(command)
        if self.core.draining and not self.core.busy():
            self._at_rest.set()

    def _answer(self, checked: Checked) -> None:
        """Checks have no ids: equal ones are answered in turn."""
        found = checked.revision
        for asked, answer in self._checks:
            is_same = (asked.function, asked.number, asked.code, asked.bundle, asked.settings) == (
                found.function,
                found.number,
                found.code,
                found.bundle,
                found.settings,
            )
            if is_same and not answer.done():
                answer.set_result(checked)
                return

    # Time.

    def _set_timer(self) -> None:
        wakeup = self.core.wakeup()
        if self._loop is None or self._is_closed or wakeup is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = wakeup
        self._timer = self._loop.call_later(max(0.0, wakeup - self._clock.now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._feed(Tick())

    def _measure(self) -> None:
        assert self._loop is not None
        assert self._load_per_core is not None
        assert self._measure_s is not None
        self._measuring = self._loop.call_later(self._measure_s, self._measure)
        self._feed(Measured(self._load_per_core()))
