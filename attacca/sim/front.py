"""The gateway core in virtual time: as dull as the live driver, with simulated roads to its workers."""

from collections.abc import Callable, Mapping, Sequence
from math import inf

from attacca.errors import AttaccaError
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.core.retries import Answer, Send
from attacca.model.invocation import Request
from attacca.model.messages import Dispatch, Ended, Heartbeat, Resting, Started, ToWorker, Withdraw, WorkerJoined
from attacca.sim.engine import Engine
from attacca.sim.flight import Flight
from attacca.sim.journal import NOBODY, Journal, What
from attacca.sim.ledger import Ledger
from attacca.sim.network import Road

REQUEST = Request()
FromNode = Started | Ended | Resting | Heartbeat | WorkerJoined


class Broken(AssertionError):
    """What must always hold did not."""


class Front:
    def __init__(
        self, engine: Engine, journal: Journal, gate: GatewayCore, flights: dict[str, Flight], ledger: Ledger
    ) -> None:
        self.gate = gate
        self.arrived = 0
        self.over = 0  # answered or refused
        self.roads: Mapping[str, tuple[int, Road]] = {}  # by worker: its place, and the way to it
        self.on_over: Callable[[Flight], None] | None = None
        self._engine = engine
        self._journal = journal
        self._flights = flights
        self._ledger = ledger
        self._timer: int | None = None
        self._timer_at = inf
        self._silence_at = inf

    def arrive(self, flight: Flight) -> None:
        gate, now = self.gate, self._engine.now
        self.arrived += 1
        order = gate.arrive(now, now, flight.key, flight.target.name, REQUEST, flight)
        if type(order) is not Dispatch:
            self._refuse(flight, order)  # type: ignore[arg-type]
            return
        self._flights[flight.key] = flight
        place, road = self.roads[order.worker]
        self._journal.note(What.ARRIVED, place, flight.idx)
        road.send(order, flight.draw)
        if gate.deadlines.next_at < self._timer_at:
            self._wind()

    def hear(self, message: FromNode) -> None:
        kind, now = type(message), self._engine.now
        if kind is Started:
            self.gate.started(now, message)  # type: ignore[arg-type]
            if self.gate.deadlines.next_at < self._timer_at:
                self._wind()
        elif kind is Ended:
            self._ended(now, message)  # type: ignore[arg-type]
        elif kind is Resting:
            self.gate.resting(now, message)  # type: ignore[arg-type]
        else:
            self._heard(now, message)  # type: ignore[arg-type]

    def _ended(self, now: float, message: Ended) -> None:
        ended = self.gate.ended(now, message)
        kind = type(ended)
        if kind is Inflight:
            self._answer(self._flights.pop(message.id), ended)  # type: ignore[arg-type]
        elif kind is Dispatch:
            self._send(ended)  # type: ignore[arg-type]
        else:
            self._flights.pop(message.id, None)

    def _heard(self, now: float, message: Heartbeat | WorkerJoined) -> None:
        gate = self.gate
        is_news = message.view.name not in gate.workers.by_name
        place = self.roads[message.view.name][0]
        if type(message) is Heartbeat:
            if is_news:
                self._journal.note(What.WORKER_JOINED, place, 0)
            out = gate.heard(now, message)
        else:
            self._journal.note(What.WORKER_JOINED, place, 1)
            out = gate.joined(now, message)  # type: ignore[arg-type]
        self._carry_out(out)
        self._watch()

    def _watch(self) -> None:
        """Somebody may fall silent."""
        at = self.gate.workers.silent_at
        if self._silence_at == inf and at < inf:
            self._silence_at = at
            self._engine.at(max(at, self._engine.now), self._look_for_silence)

    def _look_for_silence(self, _: None) -> None:
        self._silence_at = inf
        before = list(self.gate.workers.by_name)
        out = self.gate.silent(self._engine.now)
        for name in before:
            if name not in self.gate.workers.by_name:
                self._journal.note(What.WORKER_LEFT, self.roads[name][0], 0)
        self._carry_out(out)
        self._watch()

    def _carry_out(self, out: Sequence[Send | Answer]) -> None:
        for order in out:
            if type(order) is Send:
                self._tell(order.worker, order.message)
            else:
                assert isinstance(order, Answer)
                self._answer(self._of(order.taken), order.taken)
        if self.gate.deadlines.next_at < self._timer_at:
            self._wind()

    def _tell(self, worker: str, message: ToWorker) -> None:
        if type(message) is Dispatch:
            self._send(message)
            return
        assert isinstance(message, Withdraw)
        flight = self._flights.get(message.id)
        if flight is not None:
            self.roads[worker][1].send(message, flight.draw + 1)

    def _send(self, order: Dispatch) -> None:
        """Again."""
        taken = self.gate.taken[order.invocation.id]
        flight = self._of(taken)
        flight.forget_attempt()
        flight.key = order.invocation.id
        self._flights[flight.key] = flight
        place, road = self.roads[order.worker or taken.worker]
        self._journal.note(What.SENT_AGAIN, place, flight.idx)
        road.send(order, flight.draw)
        if self.gate.deadlines.next_at < self._timer_at:
            self._wind()

    # Answers.

    def _of(self, taken: Inflight) -> Flight:
        client = taken.client
        assert isinstance(client, Flight)
        return client

    def _refuse(self, flight: Flight, error: AttaccaError) -> None:
        self._journal.note(What.REFUSED, NOBODY, flight.idx)
        self._ledger.totals.refused += 1
        self._close(flight, error.status, error.code)

    def _answer(self, flight: Flight, taken: Inflight) -> None:
        if not taken.is_done:
            raise Broken(f"invocation {flight.idx} is answered before the gateway is done with it")
        taken.client = None
        if taken.outcome == "ok":
            self._journal.note(What.ANSWERED, flight.worker, flight.idx)
            self._close(flight, taken.status, "")
        else:
            self._journal.note(What.FAILED, flight.worker, flight.idx)
            self._close(flight, taken.status, taken.outcome)

    def _close(self, flight: Flight, status: int, error: str) -> None:
        if flight.is_answered:
            raise Broken(f"invocation {flight.idx} was answered twice")
        flight.is_answered = True
        flight.taken = None
        self.over += 1
        self._ledger.close_flight(flight, self._engine.now, status, error)
        if self.on_over is not None:
            self.on_over(flight)

    # Time.

    def _wind(self) -> None:
        if self._timer is not None:
            self._engine.cancel(self._timer)
        self._timer_at = at = self.gate.deadlines.next_at
        self._timer = self._engine.at(max(at, self._engine.now), self._tick) if at < inf else None

    def _tick(self, _: None) -> None:
        self._timer, self._timer_at = None, inf
        for end in self.gate.expire(self._engine.now):
            worker = end.taken.worker
            self._answer(self._of(end.taken), end.taken)
            if worker:
                self._tell(worker, end.withdraw)
        if self.gate.deadlines.next_at < self._timer_at:
            self._wind()
