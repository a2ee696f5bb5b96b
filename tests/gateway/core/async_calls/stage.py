"""A gateway's asynchronous calls on a table: a journal that outlives processes, and functions that do as they are told.

Everything happens when it is turned: `turn` carries out what waits, `go` lets time pass until nothing is to be done.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from attacca.errors import AttaccaError
from attacca.gateway.core.async_calls.attempts import Limits
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
    Post,
    Posted,
    Rejected,
    Settled,
    Sweep,
    Tried,
    Try,
    Vanished,
    WallClock,
    Written,
)
from attacca.gateway.core.async_calls.invariants import check
from attacca.gateway.core.async_calls.machine import AsyncCore
from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.events import Tick
from attacca.io.journal.memory import Book, MemoryJournal
from attacca.kernel.clock import ManualClock
from attacca.kernel.drive import Drive, HandTimer, raise_refused
from attacca.kernel.rand import Streams
from attacca.model.async_call import AsyncCall, Kind, Result, Unwritten, Write
from attacca.model.function import Revision
from attacca.model.invocation import Call, Failed, FunctionError, Ok, Outcome, Request, Start, Timing
from attacca.model.messages import Catalogue
from tests.gateway.play import revision

AHEAD = 1_699_999_900.0  # of the time of day
GOOD, BAD = Ok(b"good"), FunctionError("ValueError", "bad")
BUSY = Failed("queue_full", "too many wait")
Behaviour = Callable[[str, int], Outcome | None]  # of a call, at its n-th run; None: it runs on


class Crash(Exception):
    """The process is gone."""


class Wall(ManualClock):
    def wall(self) -> float:
        return self.time + AHEAD


def remembered(call: AsyncCall, invocation: str, outcome: Outcome, at: float) -> Call:
    has_run = not isinstance(outcome, Failed) or outcome.code not in ("queue_full", "no_capacity")
    return Call(
        id=invocation, function=call.function, revision=1, at=at, status=200, outcome="ok",
        start=Start.WARM if has_run else None, why="", sandbox="s", timing=Timing(), total_ms=1.0,
    )  # fmt: skip


class Stage:
    """`start` makes a gateway on the journal; after a crash, or beside another, another one."""

    def __init__(self, *functions: Revision, book: Book | None = None, clock: Wall | None = None) -> None:
        self.clock = clock or Wall(100.0)
        self.book = book or Book()
        self.functions = Functions(0)
        self.functions.learn(Catalogue(1, functions or (revision("f"),)))
        self.behave: Behaviour = lambda _, __: GOOD
        self.limits = Limits()
        self.runs: Counter[str] = Counter()  # of each call
        self.said: list[tuple[Any, ...]] = []  # to clients, and others
        self.posts: list[str] = []
        self.post: Callable[[str, int], Posted] = lambda call, _: Posted(call)
        self.crash_at: int | None = None  # before so many steps more
        self.journal_fails: AttaccaError | None = None
        self._owners = 0
        self.start()

    def start(self) -> None:
        self._owners += 1
        self.running: dict[str, tuple[AsyncCall, str]] = {}
        self.todo: list[Callable[[], None]] = []
        self.journal = MemoryJournal(self.book, f"{id(self)}-{self._owners}", self.clock, self.todo.append)
        self.core = AsyncCore(self.functions, Streams(len(self.book.leases) + 1).stream("async"), self.limits)
        self.timer = HandTimer()
        self.drive: Drive[Event, Command] = Drive(
            self._handle, self.core.alarm, self._perform, self.clock.now, self.timer, Tick(), raise_refused
        )
        self.feed(WallClock(self.clock.wall()))

    def _handle(self, now: float, event: Event) -> list[Command]:
        commands = self.core.handle(now, event)
        check(self.core)
        return commands

    def feed(self, event: Event) -> None:
        self.drive.feed(event)

    def ask(self, name: str, function: str = "f", request: Request | None = None, **more: Any) -> None:
        now, sent = self.clock.wall(), request or Request(b"body")
        call = AsyncCall(id=name, function=function, at=now, due=now, size=len(sent.body), **more)
        self.feed(CallAsked(call, sent, f"client of {name}"))

    def cancel(self, name: str) -> None:
        self.feed(CancelAsked(name, self.clock.wall(), f"canceller of {name}"))

    def end(self, name: str, outcome: Outcome) -> None:
        """An attempt that runs on."""
        call, invocation = self.running.pop(name)
        self.feed(Tried(name, outcome, remembered(call, invocation, outcome, self.clock.wall())))

    # Carrying out.

    def _step(self) -> None:
        if self.crash_at is not None:
            self.crash_at -= 1
            if self.crash_at < 0:
                raise Crash

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            self._step()
            self._do(command)

    def _do(self, command: Command) -> None:  # noqa: C901 - one line for each
        match command:
            case Commit(write=write):
                self.todo.append(lambda: self._commit(write))
            case Try():
                self.todo.append(lambda: self._try(command))
            case Post(call=call):
                self.posts.append(call.id)
                self.todo.append(lambda: self.feed(self.post(call.id, self.posts.count(call.id))))
            case Claim():
                self.todo.append(lambda: self._claim(command))
            case Abort(id=name):
                self.running.pop(name, None)
                self.said.append(("abort", name))
            case Accepted(call=call, is_repeat=is_repeat):
                self.said.append(("again" if is_repeat else "accepted", call.id))
            case Answered(call=call, outcome=outcome, is_repeat=is_repeat):
                self.said.append(("answered again" if is_repeat else "answered", call.id, outcome))
            case Rejected(error=error):
                self.said.append(("rejected", error.code))
            case Cancelled(id=name):
                self.said.append(("cancelled", name))
            case Settled(id=name):
                self.said.append(("settled", name))
            case MissedRuns(function=function, count=count):
                self.said.append(("missed", function, count))
            case Sweep():
                pass

    def _commit(self, write: Write) -> None:
        self._step()
        if self.journal_fails is not None:
            self._told(write, Unwritten(self.journal_fails))
        else:
            self.journal.write(write, lambda result: self._told(write, result))

    def _told(self, write: Write, result: Result) -> None:
        self._step()
        self.feed(Written(write, result))

    def _try(self, command: Try) -> None:
        call, self.runs[command.call.id] = command.call, self.runs[command.call.id] + 1
        if call.id not in self.book.records or self.book.records[call.id].request is None:
            self.feed(Vanished(call.id))
            return
        self.running[call.id] = call, command.invocation
        outcome = self.behave(call.id, self.runs[call.id])
        if outcome is not None:
            self.end(call.id, outcome)

    def _claim(self, command: Claim) -> None:
        if self.journal_fails is not None:
            return
        if command.first:
            self.feed(MarksRead(dict(self.book.marks)))
        calls = self.journal.claim_now(self.limits.lease_s, command.limit)
        if calls:
            self.feed(Claimed(tuple(calls)))

    def turn(self) -> None:
        """What waits to be done now."""
        while self.todo:
            self.todo.pop(0)()

    def go(self, duration_s: float) -> None:
        """Let so much time pass."""
        until = self.clock.time + duration_s
        self.turn()
        while self.timer.at <= until:
            self.clock.time = max(self.clock.time, self.timer.at)
            self.timer.ring()
            self.turn()
        self.clock.time = until
        self.turn()

    def state(self, name: str) -> str:
        return self.book.records[name].call.state.value


def keyed(key: str, fingerprint: str = "same") -> dict[str, Any]:
    return {"kind": Kind.KEYED, "key": key, "fingerprint": fingerprint}
