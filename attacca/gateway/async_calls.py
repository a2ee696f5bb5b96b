"""Carries out what the core of asynchronous calls decides: writes, invokes, posts, and tells those who wait."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from attacca.errors import AttaccaError, NotFound
from attacca.gateway.attempt import Attempt
from attacca.gateway.callbacks import Callbacks, NotAllowed
from attacca.gateway.config import AsyncConfig
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
from attacca.gateway.core.async_calls.machine import AsyncCore
from attacca.gateway.core.async_calls.pending import CallPhase
from attacca.gateway.core.async_calls.schedules import Schedule
from attacca.gateway.core.events import Drain, Tick
from attacca.gateway.driver import Gateway
from attacca.gateway.elsewhere import Elsewhere, Here, error_of
from attacca.io.journal.types import Journal
from attacca.kernel.chance import Chance
from attacca.kernel.clock import Clock
from attacca.kernel.drive import Drive, LoopTimer, each, report_refused
from attacca.model.async_call import Accept, AsyncCall, Record, Result, Write
from attacca.model.function import Missed
from attacca.model.invocation import Call, Failed, Outcome, Request
from attacca.model.journals import AskAsync, AskCall, AsyncTold, CallTold, CallVerb

LOG = logging.getLogger("attacca.async")
MB = 1 << 20
TIME_S = 1.0  # how often the core is told the time of day
POLL_S = 0.25  # how often it is looked whether another gateway has settled a call
ELSEWHERE_S = 0.5  # the same, where it is in another's journal
ID_CHARACTERS, NAMES = 32, 64
REQUESTS_KEPT, REQUEST_KEPT_MOST = 1000, 64 * 1024  # of calls just written, which need not be read again


class Asker(Protocol):
    """Who has asked for something, and hears of it once."""

    def accepted(self, call: AsyncCall, *, is_repeat: bool) -> None: ...
    def answered(self, call: AsyncCall, outcome: Outcome, *, is_repeat: bool) -> None: ...
    def rejected(self, error: AttaccaError) -> None: ...
    def cancelled(self, call: str) -> None: ...


class AsyncCalls:
    """Of one gateway. Its journal is somebody else's to open and to close."""

    def __init__(self, gateway: Gateway, journal: Journal, config: AsyncConfig, clock: Clock, chance: Chance) -> None:
        self.config = config
        self.journal = journal
        self.callbacks = Callbacks(config.callback_networks, config.callback_timeout_s)
        limits = Limits(
            calls=config.calls, bytes=int(config.buffer_mb * MB), posts=config.callback_tries, lease_s=config.lease_s
        )
        self._gateway = gateway
        self._clock = clock
        self._core = AsyncCore(gateway.functions, chance, limits)
        self._drive: Drive[Event, Command] = Drive(
            self._core.handle, self._core.alarm, each(self._perform), clock.now, LoopTimer(clock.now), Tick(),
            report_refused,
        )  # fmt: skip
        self._names: list[str] = []
        self._attempts: dict[str, Attempt] = {}
        self._requests: dict[str, Request] = {}
        self._waiters: dict[str, list[asyncio.Event]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._time: asyncio.TimerHandle | None = None
        self._is_claiming = self._is_sweeping = False
        self.elsewhere: Elsewhere | None = None  # None: whatever is not here, is nowhere
        self.here = Here(journal, clock.wall, self.is_running, self._cancel_here)

    def __repr__(self) -> str:
        return f"<AsyncCalls {len(self._core.books.pending)} not over, {len(self._attempts)} running, {self.journal!r}>"

    def open(self) -> None:
        """What was left by those before is taken up."""
        self._gateway.async_books = self._core.books
        self._tell_time()

    def _tell_time(self) -> None:
        self._drive.feed(WallClock(self._clock.wall()))
        self._time = asyncio.get_running_loop().call_later(TIME_S, self._tell_time)

    # What http asks.

    def ask(self, call: AsyncCall, request: Request, asker: Asker) -> None:
        """It may hear before this returns."""
        self._drive.feed(CallAsked(call, request, asker))

    def cancel(self, call: str, asker: Asker) -> None:
        if self.elsewhere is None:
            self._cancel_here(call, asker)
        else:
            self._spawn(self._cancel_where_it_is(call, asker, self.elsewhere))

    def _cancel_here(self, call: str, asker: Asker) -> None:
        self._drive.feed(CancelAsked(call, self._clock.wall(), asker))

    async def _cancel_where_it_is(self, call: str, asker: Asker, elsewhere: Elsewhere) -> None:
        try:
            if await self.journal.find(call) is not None:
                self._cancel_here(call, asker)
                return
            told = await elsewhere.ask(call, CallVerb.CANCEL)
        except AttaccaError as error:
            asker.rejected(error)
            return
        if told.error is None:
            asker.cancelled(call)
        else:
            asker.rejected(error_of(told.error))

    def new_id(self) -> str:
        """One that nobody can guess, as it is all that is asked of who fetches an answer."""
        if not self._names:
            luck = secrets.token_hex(ID_CHARACTERS // 2 * NAMES)  # the kernel is asked once for many
            self._names = [luck[at : at + ID_CHARACTERS] for at in range(0, len(luck), ID_CHARACTERS)]
        return self._names.pop()

    def wall(self) -> float:
        return self._clock.wall()

    def is_running(self, call: str) -> bool:
        return self._core.phase(call) is CallPhase.RUNNING

    def is_idle(self) -> bool:
        """Is nothing under way, and nobody waiting?"""
        return not (self._core.books.pending or self._attempts or self._waiters or self._tasks)

    async def find(self, call: str, wait_s: float) -> Record | None:
        """As it is when it is over, or when so long has passed.

        Raises:
            StateUnavailable: the journal cannot be read now.
        """
        until = self._clock.now() + wait_s
        while True:
            record = await self.journal.find(call)
            left_s = until - self._clock.now()
            if record is None or record.call.ended_at or left_s <= 0:
                return record
            await self._settled(call, min(left_s, POLL_S) if self._core.phase(call) is None else left_s)

    async def look(self, call: str, wait_s: float) -> tuple[Record, bool] | None:
        """As `find`, and whether it runs; also where another gateway has it.

        Raises:
            StateUnavailable: the journal cannot be read now, or nobody says who has it.
        """
        record = await self.find(call, wait_s)
        if record is not None:
            return record, self.is_running(call)
        until = self._clock.now() + wait_s
        while self.elsewhere is not None:
            told = await self.elsewhere.ask(call, CallVerb.FIND)
            if told.record is None:
                if told.error is not None and told.error.code != NotFound.code:
                    raise error_of(told.error)
                return None
            if told.record.call.ended_at or self._clock.now() >= until:
                return told.record, told.is_running
            await asyncio.sleep(ELSEWHERE_S)
        return None

    async def _settled(self, call: str, wait_s: float) -> None:
        settled = asyncio.Event()
        self._waiters.setdefault(call, []).append(settled)
        try:
            async with asyncio.timeout(wait_s):
                await settled.wait()
        except TimeoutError:
            pass
        finally:
            waiting = self._waiters.get(call, [])
            if settled in waiting:
                waiting.remove(settled)
                if not waiting:
                    del self._waiters[call]

    def tell(self, asked: AskAsync | AskCall, told: Callable[[AsyncTold | CallTold], None]) -> None:
        """What control asks of the journal here."""

        async def answer() -> None:
            told(await self.here.answer(asked))

        self._spawn(answer())

    def schedules(self) -> list[Schedule]:
        return list(self._core.schedules.by_name.values())

    # What is to be done.

    def _perform(self, command: Command) -> None:
        match command:
            case Commit(write=write):
                self._commit(write)
            case Accepted() | Answered() | Rejected() | Cancelled():
                self._tell(command)
            case Try(call=call, invocation=invocation):
                self._try(call, invocation)
            case Settled(id=call_id):
                self._requests.pop(call_id, None)
                for waiter in self._waiters.pop(call_id, ()):
                    waiter.set()
            case Post(call=call):
                self._spawn(self._post(call.id))
            case Abort() | Claim() | Sweep() | MissedRuns():
                self._order(command)

    def _order(self, command: Abort | Claim | Sweep | MissedRuns) -> None:
        match command:
            case Abort(id=call):
                attempt = self._attempts.pop(call, None)
                if attempt is not None:
                    attempt.stop()
            case Claim() | Sweep():
                self._keep(command)
            case MissedRuns():
                self._tell_missed(command)

    def _commit(self, write: Write) -> None:
        is_small = isinstance(write, Accept) and write.call.size <= REQUEST_KEPT_MOST
        if isinstance(write, Accept) and is_small and len(self._requests) < REQUESTS_KEPT:
            self._requests[write.call.id] = write.request

        def told(result: Result) -> None:
            self._drive.feed(Written(write, result))

        self.journal.write(write, told)

    def _tell(self, command: Accepted | Answered | Rejected | Cancelled) -> None:
        asker: Asker = command.client  # type: ignore[assignment]
        match command:
            case Accepted(call=call, is_repeat=is_repeat):
                asker.accepted(call, is_repeat=is_repeat)
            case Answered(call=call, outcome=outcome, is_repeat=is_repeat):
                asker.answered(call, outcome, is_repeat=is_repeat)
            case Rejected(error=error):
                asker.rejected(error)
            case Cancelled(id=call_id):
                asker.cancelled(call_id)

    def _try(self, call: AsyncCall, invocation: str) -> None:
        request = self._requests.pop(call.id, None)
        if request is None:
            self._spawn(self._read(call, invocation))
        else:
            self._invoke(call, invocation, request)

    async def _read(self, call: AsyncCall, invocation: str) -> None:
        try:
            record = await self.journal.find(call.id)
        except AttaccaError as error:
            self._over(call.id, failed(error), None)
            return
        if record is None or record.request is None:
            self._drive.feed(Vanished(call.id))
        elif self._core.phase(call.id) is CallPhase.RUNNING:
            self._invoke(call, invocation, record.request)

    def _invoke(self, call: AsyncCall, invocation: str, request: Request) -> None:
        if request.headers:
            more = ((b"x-attacca-call-id", call.id.encode()), (b"x-attacca-attempt", b"%d" % (call.attempts + 1)))
            request = msgspec.structs.replace(request, headers=(*request.headers, *more))

        def over(outcome: Outcome, remembered: Call) -> None:
            if self._attempts.pop(call.id, None) is not None:
                self._over(call.id, outcome, remembered)

        attempt = Attempt(self._gateway, int(self.config.max_answer_mb * MB), over)
        self._attempts[call.id] = attempt
        error = self._gateway.invoke(call.function, request, attempt, invocation)
        if error is not None:
            del self._attempts[call.id]
            self._over(call.id, failed(error), None)

    def _over(self, call: str, outcome: Outcome, remembered: Call | None) -> None:
        self._drive.feed(Tried(call, outcome, remembered))

    async def _post(self, call: str) -> None:
        why, is_final = "", False
        try:
            record = await self.journal.find(call)
            if record is None:
                self._drive.feed(Vanished(call))
                return
            why = await self.callbacks.post(record)
        except NotAllowed as error:
            why, is_final = str(error), True
        except AttaccaError as error:
            why = error.message
        if why:
            LOG.info("the callback of %s was not taken: %s", call, why)
        self._drive.feed(Posted(call, why, is_final))

    def _keep(self, command: Claim | Sweep) -> None:
        match command:
            case Claim() if not self._is_claiming:
                self._is_claiming = True
                self._spawn(self._claim(command))
            case Sweep() if not self._is_sweeping:
                self._is_sweeping = True
                self._spawn(self._sweep(command.at))
            case Claim() | Sweep():
                pass  # the last has not ended: the journal is slow

    async def _claim(self, command: Claim) -> None:
        try:
            if command.first:
                self._drive.feed(MarksRead(await self.journal.marks()))
            calls = await self.journal.claim(self.config.lease_s, command.limit)
        except AttaccaError as error:
            LOG.warning("the journal of asynchronous calls: %s", error.message)
        else:
            if calls:
                self._drive.feed(Claimed(tuple(calls)))
        finally:
            self._is_claiming = False

    async def _sweep(self, at: float) -> None:
        try:
            while await self.journal.sweep(at, int(self.config.keep_mb * MB)):
                pass  # a part in each go
        except AttaccaError as error:
            LOG.warning("the journal of asynchronous calls: %s", error.message)
        finally:
            self._is_sweeping = False

    def _tell_missed(self, command: MissedRuns) -> None:
        what = "one is made up for" if command.missed is Missed.ONCE else "they are not made up for"
        LOG.warning(
            "%d runs of %s were due by %r while no gateway was there; %s",
            command.count, command.function, command.schedule, what,
        )  # fmt: skip

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # The end.

    def drain(self) -> None:
        """Take nothing new and begin nothing."""
        self._drive.feed(Drain())

    async def close(self) -> None:
        """What is not over is left to whoever opens the journal next; call it before that is closed."""
        self.drain()
        self._drive.stop()
        if self._time is not None:
            self._time.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        try:
            await self.journal.leave()
        except AttaccaError as error:
            LOG.warning("the journal of asynchronous calls: %s", error.message)


def new_owner() -> str:
    """The name of a journal's owner, which no process has had before."""
    return secrets.token_hex(8)


def failed(error: AttaccaError) -> Failed:
    return Failed(error.code, error.message, error.hint)
