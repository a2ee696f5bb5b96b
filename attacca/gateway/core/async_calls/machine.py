"""The machine of asynchronous calls: none that was acknowledged is lost, and each is made at least once.

    CallAsked ─▶ storing ─▶ pausing ─▶ ready ─▶ running ──Tried──▶ writing ─▶ over, or pausing once more
               │          ▲                                       │
            Rejected      └──────── Claimed: from a gateway       └─▶ posting ⇄ delaying ─▶ over
                                    that is gone

What is durable runs ahead of what is told: a client hears Accepted behind the journal, and others hear Settled so. What
is only here (which attempt runs, how often the journal or a callback failed) may be lost with the process.
"""

from math import inf

from attacca.errors import AttaccaError, Draining, QueueFull
from attacca.gateway.core.async_calls import endings
from attacca.gateway.core.async_calls.attempts import Attempts, Limits, Surroundings
from attacca.gateway.core.async_calls.events import (
    Abort,
    Accepted,
    Answered,
    CallAsked,
    CancelAsked,
    Cancelled,
    Claim,
    Claimed,
    Command,
    Commit,
    Event,
    MarksRead,
    MissedRuns,
    Posted,
    Rejected,
    Settled,
    Sweep,
    Tried,
    Vanished,
    WallClock,
    Written,
)
from attacca.gateway.core.async_calls.pending import (
    DELAYING,
    PAUSING,
    RUNNING,
    STORING,
    UNWRITTEN,
    WRITING,
    Books,
    CallPhase,
    Pending,
)
from attacca.gateway.core.async_calls.schedules import Due, Schedules, request
from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.events import Drain, Tick
from attacca.kernel.chance import Chance
from attacca.kernel.timers import Alarm
from attacca.model.async_call import (
    Accept,
    Advance,
    AsyncCall,
    Cancel,
    Delete,
    Gone,
    Kind,
    Repeated,
    Result,
    State,
    Stored,
    Unwritten,
    Update,
    Write,
)


class AsyncCore:
    """It needs to be told the time of day before anything is due."""

    def __init__(self, functions: Functions, chance: Chance, limits: Limits) -> None:
        """`functions`: as the gateway's own core knows them."""
        self.alarm = Alarm()  # when it wants the next Tick; a Tick at any other time does no harm
        self.functions = functions
        self.limits = limits
        self.books = books = Books()
        self.schedules = Schedules(functions)
        self._here = Surroundings(functions, chance, limits)
        self._attempts = Attempts(books, self._here)
        self._has_marks = False
        self._generation: int | None = None  # of the functions whose schedules are known
        self._claim_at = self._sweep_at = inf
        self._cancels: dict[str, list[object]] = {}  # who wants a call cancelled

    def __repr__(self) -> str:
        return f"<AsyncCore {'draining' if self.is_draining else 'open'}: {self.books!r}>"

    @property
    def is_draining(self) -> bool:
        return self._here.is_draining

    def handle(self, now: float, event: Event) -> list[Command]:
        out: list[Command] = []
        match event:
            case CallAsked():
                self._ask(event, out)
            case Written():
                self._written(now, event.write, event.result, out)
            case Tried():
                self._attempts.tried(now, event, out)
            case Posted():
                self._attempts.posted(now, event, out)
            case Tick():
                self._tick(now, out)
            case _:
                self._seldom(now, event, out)
        self.alarm.at = self._wakes_at()
        return out

    def _seldom(
        self, now: float, event: CancelAsked | Claimed | Vanished | WallClock | MarksRead | Drain, out: list[Command]
    ) -> None:
        match event:
            case CancelAsked():
                self._ask_cancel(now, event, out)
            case Claimed():
                self._claimed(now, event.calls, out)
            case Vanished(id=call):
                pending = self.books.pending.get(call)
                if pending is not None:
                    self._attempts.close(pending, out)
                    self._attempts.turn(pending.call.function, out)
            case WallClock() | MarksRead() | Drain():
                self._told(now, event, out)

    def _told(self, now: float, event: WallClock | MarksRead | Drain, out: list[Command]) -> None:
        match event:
            case WallClock(at=at):
                if self._here.ahead is None:
                    self._claim_at = self._sweep_at = now
                self._here.ahead = at - now
                if self._has_marks and self.functions.generation != self._generation:
                    self._refresh(now, out)
            case MarksRead(marks=marks):
                self._has_marks = True
                self.schedules.read(marks)
                self._refresh(now, out)
            case Drain():
                self._here.is_draining = True

    def _wakes_at(self) -> float:
        at = min(self._claim_at, self._sweep_at, self.books.rings_at)
        if self._here.ahead is not None and not self.is_draining:
            at = min(at, self.schedules.next_at - self._here.ahead)
        return at

    # What can be asked.

    def phase(self, call: str) -> CallPhase | None:
        """None: it is over, or another gateway's."""
        pending = self.books.pending.get(call)
        return None if pending is None else pending.phase

    def wall(self, at: float) -> float:
        """Seconds since 1970, as far as they are known."""
        return self._here.wall(at)

    def at_once(self, function: str) -> int:
        """So many of its calls run at once, at most."""
        return self._here.of(function).at_once

    def refusal(self, call: AsyncCall) -> AttaccaError | None:
        """Why it would be refused now."""
        function = self.functions.by_name.get(call.function)
        if function is None:
            return self.functions.unknown(call.function)
        if self.is_draining:
            return Draining("the server is shutting down", "send it again a little later, or to another server")
        lane, limits = self.books.lanes.get(call.function), self.limits
        most = function.settings.async_.queue
        if call.kind is Kind.ASYNC and lane is not None and lane.count >= most:
            return full(f"{most} calls of {call.function!r}", "queue in [async] of its function.toml", call.function)
        if len(self.books.pending) >= limits.calls:
            return full(f"{limits.calls} calls", "gateway.async.calls", call.function)
        if self.books.bytes + call.size > limits.bytes:
            return full(f"calls with {self.books.bytes >> 20} MB", "gateway.async.buffer_mb", call.function)
        return None

    # Into the journal.

    def _ask(self, event: CallAsked, out: list[Command]) -> None:
        error = self.refusal(event.call)
        if error is not None:
            out.append(Rejected(event.client, error))
            return
        self.books.add(Pending(event.call, STORING, event.client))
        out.append(Commit(Accept(event.call, event.request)))

    def _written(self, now: float, write: Write, result: Result, out: list[Command]) -> None:
        match write:
            case Accept(call=call):
                pending = self.books.pending.get(call.id)
                if pending is not None:
                    self._accepted(now, pending, write, result, out)
            case Update(call=call):
                pending = self.books.pending.get(call.id)
                if pending is not None and pending.write is write:
                    self._attempts.updated(now, pending, result, out)
            case Delete(id=call_id):
                pending = self.books.pending.get(call_id)
                if pending is not None and pending.write is write:
                    self._attempts.deleted(now, pending, result, out)
            case Cancel(id=call_id):
                self._cancelled(now, call_id, result, out)
            case _:
                pass  # a mark that is not written is only less known about a downtime

    def _accepted(self, now: float, pending: Pending, write: Accept, result: Result, out: list[Command]) -> None:
        call, client = pending.call, pending.client
        match result:
            case Stored():
                if call.kind is Kind.KEYED:
                    self._attempts.begin(pending, out)
                    return
                pending.client = None
                self.books.accepted[call.function] += 1
                if call.kind is Kind.ASYNC:
                    out.append(Accepted(client, call))
                self._attempts.ready(pending, out)
                return
            case Unwritten(error=error):
                if call.kind is Kind.SCHEDULE:
                    self._attempts.rewrite_later(now, pending, write)
                    return
                out.append(Rejected(client, error))
            case Repeated(record=record):
                error_or_none = endings.repeated(call, record)
                if error_or_none is not None:
                    out.append(Rejected(client, error_or_none))
                elif call.kind is Kind.KEYED:
                    assert record.outcome is not None
                    out.append(Answered(client, record.call, record.outcome, is_repeat=True))
                else:
                    out.append(Accepted(client, record.call, is_repeat=True))
            case Gone():
                assert call.kind is Kind.SCHEDULE, f"{call.id} is not the first of its name"
        self.books.drop(pending)

    # Cancelling.

    def _ask_cancel(self, now: float, event: CancelAsked, out: list[Command]) -> None:
        self._cancels.setdefault(event.id, []).append(event.client)
        pending = self.books.pending.get(event.id)
        keep_s = self._here.of("" if pending is None else pending.call.function).keep_s
        out.append(Commit(Cancel(event.id, event.at, event.at + keep_s)))

    def _cancelled(self, now: float, call: str, result: Result, out: list[Command]) -> None:
        clients = self._cancels.pop(call, [])
        match result:
            case Stored():
                out.extend(Cancelled(client, call) for client in clients)
                pending = self.books.pending.get(call)
                if pending is not None:
                    if pending.phase is RUNNING:
                        out.append(Abort(call))
                    function = pending.call.function
                    self._attempts.close(pending, out)
                    self._attempts.turn(function, out)
                else:
                    out.append(Settled(call))
            case Unwritten(error=error):
                out.extend(Rejected(client, error) for client in clients)
            case Gone() | Repeated():
                known = result.call if isinstance(result, Gone) else None
                out.extend(Rejected(client, endings.not_cancelled(call, known)) for client in clients)

    # From others, and from before.

    def _claimed(self, now: float, calls: tuple[AsyncCall, ...], out: list[Command]) -> None:
        for call in calls:
            if call.id in self.books.pending:
                continue
            pending = Pending(call, PAUSING)
            self.books.add(pending)
            if call.state is not State.WAITING:
                self._attempts.post(pending, out)
            elif call.kind is not Kind.KEYED:
                self.books.pause(pending, now + max(0.0, call.due - self._here.wall(now)))
            else:
                function = self.functions.by_name.get(call.function)
                if function is not None and function.is_idempotent:
                    self._attempts.commit(pending, Delete(call.id, open=True), out)
                else:
                    self._attempts.finish(now, pending, call, State.DONE, endings.LOST, out)

    def _refresh(self, now: float, out: list[Command]) -> None:
        self._generation = self.functions.generation
        out.extend(Commit(Advance(mark)) for mark in self.schedules.refresh(self._here.wall(now)))

    def _run(self, now: float, due: Due, out: list[Command]) -> None:
        if due.missed:
            out.append(MissedRuns(due.function, due.schedule, due.missed, due.mark.due, due.policy))
        if not due.runs:
            out.append(Commit(Advance(due.mark)))
            return
        wall, asked, name = self._here.wall(now), request(due), f"{self._here.chance.getrandbits(128):032x}"
        size = len(asked.body)
        call = AsyncCall(id=name, function=due.function, kind=Kind.SCHEDULE, at=wall, due=wall, size=size)
        self.books.add(Pending(call, STORING))
        out.append(Commit(Accept(call, asked, due.mark)))

    # Time.

    def _tick(self, now: float, out: list[Command]) -> None:
        for pending in self.books.rung(now):
            self._rings(pending, out)
        if self._claim_at <= now:
            self._claim_at = now + self.limits.lease_s / 3
            # Before the functions are known, what is claimed would be taken for calls of functions that are gone.
            is_ready = self.functions.generation is not None and not self.is_draining
            room = max(self.limits.calls - len(self.books.pending), 0) if is_ready else 0
            out.append(Claim(room, first=not self._has_marks))
        if self._sweep_at <= now:
            self._sweep_at = now + self.limits.sweep_s
            out.append(Sweep(self._here.wall(now)))
        ahead, next_at = self._here.ahead, self.schedules.next_at
        if (
            ahead is not None and not self.is_draining and next_at - ahead <= now
        ):  # as the alarm has it, to the last bit
            for due in self.schedules.take(max(now + ahead, next_at)):
                self._run(now, due, out)

    def _rings(self, pending: Pending, out: list[Command]) -> None:
        if pending.phase is PAUSING:
            self._attempts.ready(pending, out)
        elif pending.phase is DELAYING:
            self._attempts.post(pending, out)
        elif pending.phase is UNWRITTEN:
            assert pending.write is not None
            pending.phase = STORING if isinstance(pending.write, Accept) else WRITING
            out.append(Commit(pending.write))


def full(what: str, setting: str, function: str) -> QueueFull:
    return QueueFull(
        f"{what} are not over yet, as many as may be",
        f"send it again later, or raise {setting}; attacca call list {function} shows them",
    )
