"""The gateway's decisions: who is admitted and where to, when it has waited too long, and what is remembered.

    arrive ──▶ waiting ──Started──▶ running ──Ended──▶ done
       │        │  ▲ │ wait_s         │ │ first_byte_s, timeout_s
       ▼        │  └─┼─ lost, again ──┘ │
    refused     └────┴──────────────────┴──▶ done: Failed("timeout") and a Withdraw, or Failed("sandbox_lost")

Every admitted invocation becomes done exactly once. When its client has left, it goes on without one. What was lost
with its sandbox or its worker goes back to waiting where that is safe: see losses.
"""

from heapq import nlargest
from operator import attrgetter

import msgspec

from attacca.errors import AttaccaError, Draining, NoCapacity
from attacca.gateway.core.catalogue import AskCatalogue, Functions
from attacca.gateway.core.clocks import timed_out
from attacca.gateway.core.deadlines import Deadlines
from attacca.gateway.core.inflight import NO_INVOCATION, Client, Inflight, RetryState
from attacca.gateway.core.outcomes import blame, queue_full
from attacca.gateway.core.retries import LEFT, Order, Retries
from attacca.gateway.core.workers import ONLY, Workers
from attacca.model.invocation import Call, Failed, Invocation, Ok, Outcome, Request, Start
from attacca.model.messages import (
    Catalogue,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Heartbeat,
    ResponseHead,
    Resting,
    Started,
    Withdraw,
    WorkerJoined,
    WorkerLeft,
)
from attacca.policy.balancing.least_loaded import Level
from attacca.policy.balancing.types import Balancer, Done


class TimeIsUp(msgspec.Struct, frozen=True):
    """A clock has fired: answer the client, and tell `taken.worker`, if there is one, to end it."""

    taken: Inflight
    outcome: Failed
    withdraw: Withdraw


class GatewayCore:
    """It needs workers: one that shares its process is attached, others join and leave."""

    def __init__(
        self, calls_kept: int, balancer: Balancer | None = None, *, silent_s: float = 3.0, attempts: int = 3
    ) -> None:
        """`silent_s`: who says nothing for so long is lost. `attempts`: so often an invocation is sent, at most."""
        self.functions = Functions(calls_kept)
        self.deadlines = Deadlines()
        self.workers = Workers(balancer or Level(), silent_s)
        self._links = self.workers.by_name
        self.taken: dict[str, Inflight] = {}  # by key
        self.is_draining = False
        self.unknown = 0  # refusals that no known function can be blamed for
        self._losses = Retries(self.taken, self.functions, self.deadlines, self.workers, attempts, self._close)

    def learn(self, message: Catalogue | Deployed | Deleted) -> AskCatalogue | None:
        return self.functions.learn(message)

    def drain(self) -> None:
        self.is_draining = True

    # Admission.

    def refusal(self, name: str) -> AttaccaError | None:
        """Why an invocation of `name` would be refused now; it is counted as refused."""
        function = self.functions.by_name.get(name)
        error: AttaccaError
        if function is None:
            self.unknown += 1
            return self.functions.unknown(name)
        if self.is_draining:
            error = Draining("the server is shutting down", "send it again a little later, or to another server")
        elif function.waiting >= function.queue:
            error = queue_full(function)
        elif not self._links:
            error = NoCapacity("no worker is there to run it", "send it again when one has joined")
        else:
            return None
        function.statistics.refuse(error.code)
        return error

    def arrive(
        self, now: float, at: float, invocation: str, name: str, request: Request, client: Client
    ) -> Dispatch | AttaccaError:
        function = self.functions.by_name.get(name)
        if function is None or self.is_draining or function.waiting >= function.queue or not self._links:
            error = self.refusal(name)
            assert error is not None
            return error
        link, why = self.workers.only, ONLY
        if link is None:
            function.arrive(now)
            link, why = self.workers.pick(now, function.asked())
        taken = Inflight(invocation, function, client, link, now, at)
        if request.more:
            taken.more = True
        client.taken = self.taken[invocation] = taken
        link.queued += 1
        function.waiting += 1
        function.statistics.taken += 1
        self.deadlines.add(now, taken.clocks.wait, invocation)
        order = Invocation(invocation, name, function.revision_id, request)
        if link.is_local:
            if function.is_idempotent and not request.more:
                taken.road = RetryState(order, why, is_idempotent=True)
            return Dispatch(order)
        taken.road = RetryState(order, why, is_idempotent=function.is_idempotent)
        return Dispatch(order, link.name)

    # Progress.

    def started(self, now: float, message: Started) -> Inflight | None:
        taken = self.taken.get(message.id)
        if taken is None or taken.start is not None:
            return None
        function, clocks, deadlines = taken.function, taken.clocks, self.deadlines
        link = taken.link
        link.queued -= 1
        link.running += 1
        function.waiting -= 1
        function.running += 1
        taken.start = start = message.start
        taken.sandbox = message.sandbox
        taken.why = taken.lost + message.why if taken.lost else message.why
        taken.timing = timing = message.timing
        clocks.wait.entries.pop(taken.id, None)
        deadlines.add(now, clocks.total, taken.id)
        if clocks.first_byte is not None:
            deadlines.add(now, clocks.first_byte, taken.id)
        if start is not Start.WARM and start is not Start.PREWARMED:  # it was made for this one
            function.statistics.init.add((timing.sandbox + timing.code + timing.imports) / 1e3)
        return taken

    def head(self, message: ResponseHead) -> Inflight | None:
        taken = self.taken.get(message.id)
        if taken is None or taken.start is None or taken.has_head:
            return None  # what was not started has no answer: it may still be sent to another worker
        taken.has_head = True
        taken.status = message.status
        if taken.clocks.first_byte is not None:
            self.deadlines.remove(taken.clocks.first_byte, taken.id)
        return taken

    def ended(self, now: float, message: Ended) -> Inflight | Dispatch | None:
        """Its answer can go out; or this is to be sent to a worker; or neither, and there is nothing to do."""
        taken = self.taken.get(message.id)
        if taken is None:
            return None  # a clock was faster
        outcome, road = message.outcome, taken.road
        if road is not None and type(outcome) is Failed and not self.is_draining:
            order = self._losses.ended_too_soon(now, taken, road, outcome)
            if order is not None:
                return order
        taken.run_ms = message.run_ms
        self._close(now, taken, outcome)
        return taken

    def amend(self, taken: Inflight, outcome: Failed) -> None:
        """It had ended well, but what the function answered is nothing that can be sent."""
        blame(taken, outcome)

    def leave(self, taken: Inflight, *, can_finish: bool) -> Withdraw | None:
        """The client has gone. What runs may go on, unless it waits for the rest of a body that cannot come."""
        if taken.is_done or taken.client is None:
            return None
        taken.client = None
        return Withdraw(taken.key, not can_finish, LEFT) if taken.worker else None

    def give_up(self, now: float, taken: Inflight, outcome: Failed) -> Withdraw | None:
        """The client's side of it is broken, and it has been told why. The Withdraw is for `taken.worker`, if any."""
        if taken.is_done:
            return None
        self._close(now, taken, outcome)
        return Withdraw(taken.key, running=True, outcome=outcome)

    # Time.

    def expire(self, now: float) -> list[TimeIsUp]:
        """End what has waited too long."""
        ends = []
        for expired in self.deadlines.expired(now):
            taken = self.taken.get(self._losses.moved.get(expired.id, expired.id))
            if taken is None:
                continue  # two of its clocks fired at once
            outcome = timed_out(taken.function.name, expired)
            taken.function.statistics.timed_out(expired.clock.value)
            self._close(now, taken, outcome)
            ends.append(TimeIsUp(taken, outcome, Withdraw(taken.key, running=True, outcome=outcome)))
        return ends

    # Workers.

    def attach(self, name: str) -> None:
        """One that shares our process and never falls silent. What it has is not sent again."""
        self.workers.attach(name)

    def joined(self, now: float, message: WorkerJoined) -> list[Order]:
        name = message.view.name
        old = self.workers.drop(name)
        self.workers.join(now, message.view)
        self._losses.reborn(name)
        out = [] if old is None else self._losses.lose(now, old, "was started anew")
        return out + self._losses.place_held(now)

    def resting(self, now: float, message: Resting) -> None:
        self.workers.rests(now, message)

    def left(self, now: float, message: WorkerLeft) -> list[Order]:
        link = self.workers.drop(message.worker)
        return [] if link is None else self._losses.lose(now, link, message.why or "left")

    def heard(self, now: float, message: Heartbeat) -> list[Order]:
        """One that was dropped for its silence is back with this, and has first to end what it has."""
        view = message.view
        link = self.workers.by_name.get(view.name)
        if link is not None:
            self.workers.hear(now, link, view)
            return []
        self.workers.join(now, view)
        return self._losses.returned(view.name) + self._losses.place_held(now)

    def silent(self, now: float) -> list[Order]:
        """Drop the workers that were not heard of for too long. There is nothing to do before `workers.silent_at`."""
        out: list[Order] = []
        links = self.workers.silent(now)
        for link in links:  # all of them, before anything is sent to one
            self.workers.drop(link.name)
        for link in links:
            self._losses.abandon(link)
            out += self._losses.lose(now, link, f"was not heard of for {now - link.heard_at:.1f} s")
        return out

    # Looking back.

    def calls(self, function: str | None, limit: int) -> list[Call]:
        """The latest to end come first."""
        if function is not None:
            known = self.functions.by_name.get(function)
            latest = [] if known is None else list(known.recent)[-limit:][::-1] if limit > 0 else []
        else:
            every = (taken for known in self.functions.by_name.values() for taken in known.recent)
            latest = nlargest(limit, every, key=attrgetter("at"))
        return [taken.call() for taken in latest]

    def _close(self, now: float, taken: Inflight, outcome: Outcome) -> None:
        invocation, function, clocks, link = taken.id, taken.function, taken.clocks, taken.link
        statistics = function.statistics
        del self.taken[taken.key]
        taken.is_done = True
        if taken.road is not None:
            taken.road.invocation = NO_INVOCATION
            self._losses.moved.pop(invocation, None)
        if taken.start is None:
            link.queued -= 1
            function.waiting -= 1
            clocks.wait.entries.pop(invocation, None)
            statistics.ended["none"] += 1
        else:
            link.running -= 1
            function.running -= 1
            clocks.total.entries.pop(invocation, None)
            if clocks.first_byte is not None:
                clocks.first_byte.entries.pop(invocation, None)
            statistics.ended[taken.start] += 1
            if taken.run_ms > 0:
                statistics.ran(taken.run_ms / 1e3)
        spent_s = now - taken.arrived
        taken.total_ms = spent_s * 1e3
        statistics.duration.add(spent_s)
        if type(outcome) is Ok:
            taken.outcome = "ok"
            if not outcome.streamed:
                taken.status = outcome.status
        else:
            blame(taken, outcome)
        function.recent.append(taken)
        if self.workers.tell_eased is not None:
            self.workers.tell_eased(link.name)
        if self.workers.tell_ended is not None and taken.start is not None:
            done = Done(link.name, function.name, taken.start.value, taken.run_ms / 1e3, type(outcome) is Ok)
            self.workers.tell_ended(now, done)
