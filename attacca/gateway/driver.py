"""Joins the gate to the world: passes messages on, calls the clients that wait, keeps the one timer."""

import asyncio
from collections.abc import Callable
from math import inf

from attacca.errors import AttaccaError
from attacca.gateway import metrics
from attacca.gateway.config import GatewayConfig
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Client, Function, Inflight
from attacca.gateway.core.retries import LEFT
from attacca.kernel.clock import Clock
from attacca.kernel.ids import Ids
from attacca.model.invocation import Call, Failed, Outcome, Request
from attacca.model.messages import (
    Body,
    Catalogue,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Flow,
    FromWorker,
    Heartbeat,
    ResponseBody,
    ResponseHead,
    Resting,
    Started,
    ToWorker,
    Withdraw,
    WorkerJoined,
)


class Gateway:
    """`record` is told every ended invocation; `ask_catalogue` is called when a message of control was missed."""

    def __init__(
        self,
        config: GatewayConfig,
        clock: Clock,
        ids: Ids,
        to_worker: Callable[[ToWorker], None],
        record: Callable[[Call], None] | None = None,
        ask_catalogue: Callable[[], None] | None = None,
    ) -> None:
        self.clock = clock
        self.on_drain: Callable[[], None] = _nothing  # the listener's: connections end with their answers
        self._gate = GatewayCore(config.calls_kept)
        self._gate.attach("worker")  # the one behind `to_worker`
        self._ids = ids
        self._to_worker = to_worker
        self._record = record
        self._ask_catalogue = ask_catalogue
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf

    # What http asks.

    def find(self, name: str) -> Function | None:
        return self._gate.functions.by_name.get(name)

    def refusal(self, name: str) -> AttaccaError | None:
        """Why an invocation would be refused now; for those who would have to send a large body first."""
        return self._gate.refusal(name)

    def refused(self, name: str, error: AttaccaError) -> AttaccaError:
        """One that the front refuses by itself is counted with the others."""
        function = self.find(name)
        if function is not None:
            function.statistics.refuse(error.code)
        return error

    def invoke(self, name: str, request: Request, client: Client) -> AttaccaError | None:
        """Admit it and hand it on. The client may be answered before this returns."""
        clock, gate = self.clock, self._gate
        order = gate.arrive(clock.now(), clock.wall(), self._ids.next(), name, request, client)
        if not isinstance(order, Dispatch):
            return order
        self._to_worker(order)
        if gate.deadlines.next_at < self._timer_at:
            self._wind()
        return None

    def body(self, taken: Inflight, data: bytes, *, last: bool) -> None:
        if not taken.is_done:
            self._to_worker(Body(taken.key, data, last))

    def flow(self, taken: Inflight, *, paused: bool) -> None:
        """The client reads its streamed answer slowly, or has caught up."""
        if not taken.is_done:
            self._to_worker(Flow(taken.key, paused))

    def leave(self, taken: Inflight, *, can_finish: bool) -> None:
        """The client has gone; `can_finish` says that its whole request is here."""
        withdraw = self._gate.leave(taken, can_finish=can_finish)
        if withdraw is not None:
            self._to_worker(withdraw)

    def hint_leaving(self, taken: Inflight) -> None:
        """The client will send nothing more, and may have gone; the answer is still wanted, as far as is known."""
        if taken.function.hears_leaving and taken.start is not None and not taken.is_done:
            self._to_worker(Withdraw(taken.key, running=False, outcome=LEFT))

    def amend(self, taken: Inflight, error: AttaccaError) -> None:
        """What the function answered cannot be sent, and the client is told so by the caller."""
        self._gate.amend(taken, Failed(error.code, error.message, error.hint))

    def give_up(self, taken: Inflight, error: AttaccaError) -> None:
        """The client broke the rules in the middle of it, or the function did; the client is told by the caller."""
        withdraw = self._gate.give_up(self.clock.now(), taken, Failed(error.code, error.message, error.hint))
        if withdraw is not None:
            if taken.on_end is not None:
                taken.on_end()
            if self._record is not None:
                self._record(taken.call())
            self._to_worker(withdraw)

    # What worker and control say.

    def receive(self, message: FromWorker | Catalogue | Deployed | Deleted) -> None:
        match message:
            case Started():
                taken = self._gate.started(self.clock.now(), message)
                if self._gate.deadlines.next_at < self._timer_at:
                    self._wind()
                if taken is not None and taken.more and taken.client is not None:
                    taken.client.started()
            case Ended():
                ended = self._gate.ended(self.clock.now(), message)
                if type(ended) is Inflight:
                    self._answer(ended, message.outcome)
                elif type(ended) is Dispatch:
                    self._send_again(ended)
            case ResponseHead() | ResponseBody() | Flow():
                self._stream(message)
            case Heartbeat() | Resting() | WorkerJoined():
                pass  # the only worker is attached
            case _:
                if self._gate.learn(message) is not None and self._ask_catalogue is not None:
                    self._ask_catalogue()

    def _send_again(self, order: Dispatch) -> None:
        self._to_worker(order)
        if self._gate.deadlines.next_at < self._timer_at:
            self._wind()

    def _answer(self, taken: Inflight, outcome: Outcome) -> None:
        client = taken.client
        if client is not None:
            taken.client = None
            client.ended(taken, outcome)
        if taken.on_end is not None:
            taken.on_end()
        if self._record is not None:
            self._record(taken.call())

    def _stream(self, message: ResponseHead | ResponseBody | Flow) -> None:
        gate = self._gate
        taken = gate.head(message) if isinstance(message, ResponseHead) else gate.taken.get(message.id)
        if taken is None or taken.client is None:
            return
        match message:
            case ResponseBody(data=data):
                taken.client.body(data)
            case ResponseHead(status=status, headers=headers):
                taken.client.head(status, headers)
            case Flow(paused=paused):
                taken.client.flow(paused)

    # The whole.

    def drain(self) -> None:
        """Take nothing new."""
        self._gate.drain()
        self.on_drain()

    @property
    def is_draining(self) -> bool:
        return self._gate.is_draining

    def busy(self) -> int:
        """Invocations that were admitted and are not over."""
        return len(self._gate.taken)

    def calls(self, function: str | None, limit: int) -> list[Call]:
        """The latest first."""
        return self._gate.calls(function, limit)

    def metrics(self) -> bytes:
        """Prometheus text."""
        return metrics.render(self._gate)

    # Time.

    def tick(self) -> None:
        """End what has waited too long; the timer calls it."""
        self._timer, self._timer_at = None, inf
        for end in self._gate.expire(self.clock.now()):
            self._answer(end.taken, end.outcome)
            self._to_worker(end.withdraw)
        self._wind()

    def _wind(self) -> None:
        at = self._gate.deadlines.next_at
        if at >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        wait_s = max(at - self.clock.now(), 0.0)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self.tick)


def _nothing() -> None:
    """There is no listener."""
