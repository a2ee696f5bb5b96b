"""The gateway's decisions: who is admitted, when an invocation has waited too long, and what is remembered.

    arrive ──▶ waiting ──Started──▶ running ──Ended──▶ done
       │          │  wait_s            │  first_byte_s, timeout_s
       ▼          └────────────────────┴──▶ done, with Failed("timeout") and a Withdraw
    refused

Every admitted invocation becomes done exactly once. When its client has left, it goes on without one.
"""

import math
from heapq import nlargest
from operator import attrgetter

import msgspec

from attacca.errors import AttaccaError, Draining, QueueFull
from attacca.gateway.core.catalogue import AskCatalogue, Functions
from attacca.gateway.core.clocks import timed_out
from attacca.gateway.core.deadlines import Deadlines
from attacca.gateway.core.taken import Client, Function, Taken
from attacca.model.invocation import Call, Failed, FunctionError, Invocation, Ok, Outcome, Request, Start
from attacca.model.messages import Catalogue, Deleted, Deployed, Dispatch, Ended, ResponseHead, Started, Withdraw

RETRY_AFTER_MOST_S = 3600
WHY_MOST = 500  # characters of an error's message that are remembered
LEFT = Failed("cancelled", "the client went away", "")


class TimeIsUp(msgspec.Struct, frozen=True):
    """A clock has fired: answer the client, and tell the worker to end it."""

    taken: Taken
    outcome: Failed
    withdraw: Withdraw


class Gate:
    def __init__(self, calls_kept: int) -> None:
        self.functions = Functions(calls_kept)
        self.deadlines = Deadlines()
        self.taken: dict[str, Taken] = {}
        self.is_draining = False
        self.unknown = 0  # refusals that no known function can be blamed for

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
            error = _queue_full(function)
        else:
            return None
        function.statistics.refuse(error.code)
        return error

    def arrive(
        self, now: float, at: float, invocation: str, name: str, request: Request, client: Client
    ) -> Dispatch | AttaccaError:
        function = self.functions.by_name.get(name)
        if function is None or self.is_draining or function.waiting >= function.queue:
            error = self.refusal(name)
            assert error is not None
            return error
        taken = Taken(invocation, function, client, now, at)
        if request.more:
            taken.more = True
        client.taken = self.taken[invocation] = taken
        function.waiting += 1
        function.statistics.taken += 1
        self.deadlines.add(now, taken.clocks.wait, invocation)
        return Dispatch(Invocation(invocation, name, function.revision_id, request))

    # Progress.

    def started(self, now: float, message: Started) -> Taken | None:
        taken = self.taken.get(message.id)
        if taken is None or taken.start is not None:
            return None
        function, clocks, deadlines = taken.function, taken.clocks, self.deadlines
        function.waiting -= 1
        function.running += 1
        taken.start = start = message.start
        taken.sandbox = message.sandbox
        taken.why = message.why
        taken.timing = timing = message.timing
        clocks.wait.entries.pop(taken.id, None)
        deadlines.add(now, clocks.total, taken.id)
        if clocks.first_byte is not None:
            deadlines.add(now, clocks.first_byte, taken.id)
        if start is not Start.WARM and start is not Start.PREWARMED:  # it was made for this one
            function.statistics.init.add((timing.sandbox + timing.code + timing.imports) / 1e3)
        return taken

    def head(self, message: ResponseHead) -> Taken | None:
        taken = self.taken.get(message.id)
        if taken is None or taken.has_head:
            return None
        taken.has_head = True
        taken.status = message.status
        if taken.clocks.first_byte is not None:
            self.deadlines.remove(taken.clocks.first_byte, taken.id)
        return taken

    def ended(self, now: float, message: Ended) -> Taken | None:
        taken = self.taken.get(message.id)
        if taken is None:
            return None  # a clock was faster
        taken.run_ms = message.run_ms
        self._close(now, taken, message.outcome)
        return taken

    def leave(self, taken: Taken, *, can_finish: bool) -> Withdraw | None:
        """The client has gone. What runs may go on, unless it waits for the rest of a body that cannot come."""
        if taken.is_done or taken.client is None:
            return None
        taken.client = None
        return Withdraw(taken.id, not can_finish, LEFT)

    def give_up(self, now: float, taken: Taken, outcome: Failed) -> Withdraw | None:
        """The client's side of it is broken, and it has been told why."""
        if taken.is_done:
            return None
        self._close(now, taken, outcome)
        return Withdraw(taken.id, running=True, outcome=outcome)

    # Time.

    def expire(self, now: float) -> list[TimeIsUp]:
        """End what has waited too long."""
        ends = []
        for expired in self.deadlines.expired(now):
            taken = self.taken.get(expired.id)
            if taken is None:
                continue  # two of its clocks fired at once
            outcome = timed_out(taken.function.name, expired)
            taken.function.statistics.timed_out(expired.clock.value)
            self._close(now, taken, outcome)
            ends.append(TimeIsUp(taken, outcome, Withdraw(taken.id, running=True, outcome=outcome)))
        return ends

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

    def _close(self, now: float, taken: Taken, outcome: Outcome) -> None:
        invocation, function, clocks = taken.id, taken.function, taken.clocks
        statistics = function.statistics
        del self.taken[invocation]
        taken.is_done = True
        if taken.start is None:
            function.waiting -= 1
            clocks.wait.entries.pop(invocation, None)
            statistics.ended["none"] += 1
        else:
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
            _blame(taken, outcome)
        function.recent.append(taken)


def _blame(taken: Taken, outcome: Outcome) -> None:
    match outcome:
        case Failed(code=code, message=why):
            pass
        case FunctionError(type=kind, message=message):
            code, why = "function_error", f"{kind}: {message}"
        case Ok():
            return
    taken.outcome = code
    taken.why = why[:WHY_MOST]
    taken.status = STATUS.get(code, 500)
    taken.function.statistics.failed(code)


def _queue_full(function: Function) -> QueueFull:
    """Those who wait need about their mean execution each, on as many sandboxes as run now."""
    exec_s = function.statistics.exec_s
    estimate_s = math.ceil(function.waiting * exec_s / max(function.running, 1))
    retry_after_s = min(max(estimate_s, 1), RETRY_AFTER_MOST_S)
    return QueueFull(
        f"{function.waiting} invocations of {function.name!r} wait already, as many as its setting queue allows",
        f"come back in {retry_after_s} s, or raise queue in its function.toml",
        retry_after_s,
    )


def _statuses(kind: type[AttaccaError]) -> dict[str, int]:
    found = {}
    for child in kind.__subclasses__():
        found[child.code] = child.status
        found.update(_statuses(child))
    return found


STATUS = _statuses(AttaccaError)  # of every error, by its code
