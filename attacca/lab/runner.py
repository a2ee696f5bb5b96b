"""Run a scenario against a live platform: plan ahead, let other processes send, record what they tell, know the end."""

import asyncio
import contextlib
import math
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from typing import Final, NamedTuple, assert_never

import msgspec

from attacca.errors import Unreachable
from attacca.kernel.clock import SystemClock
from attacca.lab.answers import Origin, Rows, told_by
from attacca.lab.standing import Shown, Standing
from attacca.load.records.recorder import RecordSink
from attacca.load.sending.connection import now
from attacca.load.sending.frames import (
    Begin,
    Buffer,
    Call,
    Done,
    Finish,
    GiveUp,
    More,
    Ready,
    Results,
    Sent,
    Setup,
    ToSender,
    frame,
    from_sender,
)
from attacca.load.workload.scenario import Scenario, plans_of
from attacca.load.workload.schedule import Due, Schedule

AHEAD_S: Final = 2.0  # planned so far ahead of being due
BATCH: Final = 250
FEED_S: Final = 0.1
LEAD_S: Final = 0.3  # between the order to begin and the beginning
READY_S: Final = 20.0
LAST_WORD_S: Final = 5.0
SHOW_S: Final = 0.25
KEEP_S: Final = 10.0  # so much of a run is lost at most when we are killed
PATIENCE_S: Final = 10.0  # after the warm-up, before a run is judged while it goes on: one hiccup is not 20 % of a run
LINKS, LINKS_MOST = 16, 1000  # connections opened ahead, of all processes together
STALL_S: Final = 0.25  # that the platform may stand still without a new connection being needed
BLOCK: Final = 1 << 18

SampleRow = tuple[object, ...]  # records.SAMPLES without run and t
Sample = Callable[[], Sequence[SampleRow]]


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What is run against whom. `calls` are in the order of the schedule's functions."""

    scenario: Scenario
    calls: tuple[Call, ...]
    host: str
    port: int
    processes: int = 1
    worker: str = ""  # the only one, where there is only one
    memory_mb: tuple[int, ...] = ()  # that a sandbox of each function reserves, where it is not what is planned
    is_here: bool = False  # on this machine
    clock_ahead_s: float = 0.0  # the server's wall clock, of ours


class Ended(NamedTuple):
    totals: dict[str, float | str]
    wall_s: float
    is_refused: bool  # by the gate: what was measured is not the system
    standing: Standing


class Ending:
    """How others end a run: `stop` sends nothing more and waits for answers, `give_up` does not wait either."""

    def __init__(self) -> None:
        self.stopped, self.given_up = asyncio.Event(), asyncio.Event()

    def __repr__(self) -> str:
        return f"<Ending stopped={self.stopped.is_set()} given_up={self.given_up.is_set()}>"

    def interrupt(self) -> None:
        """The first time stop, the second time give up."""
        (self.given_up if self.stopped.is_set() else self.stopped).set()


class _Child:
    """One sending process."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "attacca.load.sending.generator", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._buffer = Buffer()

    def __repr__(self) -> str:
        return f"<_Child {self._process.pid}>"

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._ours, limit=4 * BLOCK)

    def tell(self, message: ToSender) -> None:
        self._writer.write(frame(message))

    async def hear(self) -> Sequence[Ready | Results | Done]:
        """What has come meanwhile; nothing when the process has ended."""
        data = await self._reader.read(BLOCK)
        return [from_sender.decode(body) for body in self._buffer.feed(data)] if data else [Done()]

    async def close(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()
        try:
            await asyncio.to_thread(self._process.wait, LAST_WORD_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Runner:
    """One live run, from its processes to its totals."""

    def __init__(self, live: Live, schedule: Schedule, sink: RecordSink) -> None:
        self._live, self._schedule, self._sink = live, schedule, sink
        scenario = live.scenario
        self._length_s = schedule.length_s
        self._warmup_s = scenario.workload.warmup_s
        self._rows = Rows(
            scenario.name, scenario.seed, schedule.functions, self._warmup_s,
            live.worker, live.memory_mb, [call.is_timed for call in live.calls],
        )  # fmt: skip
        self._standing = Standing()
        self._origin = 0.0
        self._stopped_s = math.inf  # when nothing more was sent, before all was
        self._children: list[_Child] = []
        self._items = iter(schedule)
        self._first: list[Due] = []  # planned before the beginning, because a trace takes a while to open

    def __repr__(self) -> str:
        return f"<Runner {len(self._children)} processes, {self._standing!r}>"

    async def run(
        self, ending: Ending, sample: Sample | None = None, show: Callable[[Shown], None] | None = None
    ) -> Ended:
        """Until every answer is there or given up.

        Raises:
            Unreachable: nobody listens, or a sending process cannot be started.
        """
        try:
            await self._open()
            self._origin = now() + LEAD_S
            wall_s = SystemClock().wall() + LEAD_S + self._live.clock_ahead_s
            self._rows.origin = Origin(wall_s, self._origin if self._live.is_here else None)
            sending = asyncio.create_task(self._send(ending))
            watching = [asyncio.create_task(self._judge(ending)), asyncio.create_task(self._keep())]
            if sample is not None:
                watching.append(asyncio.create_task(self._sample(sample)))
            if show is not None:
                watching.append(asyncio.create_task(self._show(show, ending)))
            try:
                await sending
            finally:
                await _cancel(watching)
        finally:
            await asyncio.gather(*(child.close() for child in self._children))
        wall_s = self._elapsed_s()
        measured_s = max(0.0, min(self._stopped_s, self._length_s) - self._warmup_s)
        totals = self._standing.totals(measured_s)
        if self._stopped_s < self._length_s:
            totals["stopped_s"] = self._stopped_s
        verdict = self._standing.gate.verdict()
        is_refused = verdict is not None and verdict.must_stop
        return Ended(totals, wall_s, is_refused, self._standing)

    def _elapsed_s(self) -> float:
        return max(0.0, now() - self._origin)

    async def _open(self) -> None:
        """All processes up, connected and told what there is to call."""
        live, scenario = self._live, self._live.scenario
        clients = scenario.workload.clients
        if clients is None:
            self._first = list(islice(self._items, BATCH * 4))
        rate = len(self._first) / max(self._first[-1].due_s, 1e-3) if self._first else 0.0
        links = clients.count if clients is not None else round(min(max(LINKS, rate * STALL_S), LINKS_MOST))
        for number in range(live.processes):
            self._children.append(child := _Child())
            await child.connect()
            child.tell(
                Setup(
                    host=live.host,
                    port=live.port,
                    calls=live.calls,
                    links=links // live.processes + 1,
                    seed=scenario.seed,
                    clients=clients,
                    numbers=tuple(range(number, clients.count, live.processes)) if clients is not None else (),
                    plans=plans_of(scenario),
                    until_s=self._length_s,
                )
            )
        try:
            async with asyncio.timeout(READY_S):
                for child in self._children:
                    self._is_ready(await child.hear())
        except TimeoutError:
            raise Unreachable("the sending processes do not come up", "try again with fewer --processes") from None

    def _is_ready(self, messages: Sequence[Ready | Results | Done]) -> None:
        match messages:
            case [Ready(error="")]:
                return
            case [Ready(error=error)]:
                where = f"{self._live.host}:{self._live.port}"
                raise Unreachable(f"nobody listens at {where} ({error})", "attacca up, or another --target")
            case _:
                raise Unreachable(
                    "a sending process ended before it began", "python -m attacca.load.sending.generator 0"
                )

    async def _send(self, ending: Ending) -> None:
        hearing = [asyncio.create_task(self._hear(child)) for child in self._children]
        self._plan(self._first)
        self._tell(Begin(self._origin))
        await self._feed(ending)
        if ending.stopped.is_set():
            self._stop()
        else:
            self._tell(Finish())
        everything = asyncio.gather(*hearing)
        await _until(everything, ending.stopped, self._length_s - self._elapsed_s_signed())
        if ending.stopped.is_set():
            self._stop()
        await _until(everything, ending.given_up, self._live.scenario.workload.drain_s)
        if not everything.done():
            self._tell(GiveUp())
            await _until(everything, asyncio.Event(), LAST_WORD_S)
        if everything.done():
            everything.result()
        else:
            everything.cancel()

    def _stop(self) -> None:
        self._stopped_s = min(self._stopped_s, self._elapsed_s())
        self._tell(Finish(now=True))

    def _elapsed_s_signed(self) -> float:
        return now() - self._origin

    async def _feed(self, ending: Ending) -> None:
        """Never more than AHEAD_S ahead, so that a long schedule needs no memory."""
        planned_s = self._first[-1].due_s if self._first else math.inf
        while not ending.stopped.is_set():
            while planned_s < self._elapsed_s_signed() + AHEAD_S:
                batch = list(islice(self._items, BATCH))
                if not batch:
                    return
                self._plan(batch)
                planned_s = batch[-1].due_s
                await asyncio.sleep(0)
            if planned_s == math.inf:
                return
            await asyncio.sleep(FEED_S)
        self._plan(list(takewhile(lambda item: item.due_s <= self._elapsed_s_signed(), self._items)))

    def _plan(self, batch: Sequence[Due]) -> None:
        count = len(self._children)
        for number, child in enumerate(self._children):
            mine = tuple(
                (due.idx, due.due_s, due.function, due.duration_ms) for due in batch if due.idx % count == number
            )
            if mine:
                child.tell(More(mine))

    def _tell(self, message: ToSender) -> None:
        for child in self._children:
            child.tell(message)

    async def _hear(self, child: _Child) -> None:
        while True:
            for message in await child.hear():
                match message:
                    case Results(rows=rows):
                        for row in rows:
                            self._record(row)
                    case Done():
                        return
                    case Ready():
                        pass
                    case _:
                        assert_never(message)

    def _record(self, sent: Sent) -> None:
        due, sent_at, received, status, head, error = sent[2:8]
        told = told_by(head)
        self._sink.add(self._rows.row(sent, told))
        is_failed = status == 0 or status >= 400
        self._standing.add(
            sent_at - due,
            sent[11] - due,
            received - due,
            (error or f"http_{status}") if is_failed else "",
            told.start,
            is_warmup=due < self._warmup_s,
        )

    async def _judge(self, ending: Ending) -> None:
        """Ends a run that measures the generator or nothing but failures, without waiting long for its answers."""
        await asyncio.sleep(self._warmup_s + LEAD_S + PATIENCE_S)
        while True:
            await asyncio.sleep(SHOW_S)
            verdict = self._standing.gate.verdict()
            if verdict is not None and verdict.must_stop:
                ending.stopped.set()
                await asyncio.sleep(LAST_WORD_S)
                ending.given_up.set()
                return

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(KEEP_S)
            self._sink.keep(self._elapsed_s())

    async def _sample(self, sample: Sample) -> None:
        every_s = self._live.scenario.record.sample_s
        at = 0.0
        while True:
            await asyncio.sleep(max(0.0, self._origin + at - now()))
            taken_at = self._elapsed_s()
            for row in await asyncio.to_thread(sample):
                self._sink.sample((self._live.scenario.name, taken_at, *row))
            at = max(at + every_s, self._elapsed_s())

    async def _show(self, show: Callable[[Shown], None], ending: Ending) -> None:
        while True:
            await asyncio.sleep(SHOW_S)
            at = self._elapsed_s()
            show(self._standing.shown(at, self._length_s, self._phase(at, ending)))

    def _phase(self, at: float, ending: Ending) -> str:
        if ending.stopped.is_set():
            return "stopped: waiting for answers; Ctrl-C once more does not wait"
        if at >= self._length_s:
            return "all sent: waiting for answers"
        return "warm-up" if at < self._warmup_s else ""


async def _until(work: "asyncio.Future[list[None]]", event: asyncio.Event, seconds: float) -> None:
    """Until the work is done, the event is there or the time is over; the work goes on."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait((work, waiting), timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
