"""Who waits, who runs, and who is next.

An invocation waits in the policy's queue until its turn comes and the concurrency limit lets it pass. Then it runs on
a free slot; or pends on a sandbox that starts, for it or for somebody before it; or, when that sandbox's memory (or
whatever else is scarce) is not there yet, stands at the head of the line: until it has it nobody behind it gets more,
so that it does not starve, while whoever finds a free slot passes by.

The limit counts what runs and what pends. A start that was ordered for somebody who has meanwhile found a free slot
counts until it is ready: it imports, and costs as much as a run.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from attacca.errors import IllegalTransition
from attacca.model.invocation import Failed, Invocation, Ok, Outcome, Start, Timing
from attacca.model.messages import Ended, Send, Started, Withdraw
from attacca.policy.concurrency.types import Concurrency, Load
from attacca.policy.keepalive.types import Use
from attacca.policy.queueing.types import Queue
from attacca.worker.config import WorkerConfig
from attacca.worker.core import known, reasons
from attacca.worker.core.ahead import HandOver
from attacca.worker.core.events import Command, Run
from attacca.worker.core.phases import Phase, Position, WaitedFor
from attacca.worker.core.pool import Pool, Room
from attacca.worker.core.reports import SandboxReady
from attacca.worker.core.slots import fill, lacks, slot
from attacca.worker.core.state import AT_ONCE as BEFORE_NOBODY
from attacca.worker.core.state import Function, Loss, QueuedInvocation, RevisionState, Sandbox
from attacca.worker.core.timers import Key, Timer, Timers

REUSED: Final = "a slot was free"
AT_ONCE: Final = Timing()
PATIENCE: Key = (Timer.PATIENCE, "")


class Placed(StrEnum):
    YES = "yes"
    NO = "no"  # its function has as many sandboxes as it may have
    SHORT = "short"  # of memory


# Looking a member of an enumeration up costs ten times a name, and this is the road of every invocation.
AHEAD: Final = Position.AHEAD
PENDING: Final = Position.PENDING
RUNNING: Final = Position.RUNNING
DRAINING: Final = Phase.DRAINING
WARM: Final = Start.WARM


class Scheduler:
    def __init__(
        self,
        config: WorkerConfig,
        pool: Pool,
        queue: Queue,
        concurrency: Concurrency,
        timers: Timers,
        functions: dict[str, Function],
        cores: int,
    ) -> None:
        self._patience_s = config.patience_s
        self._templates = config.templates
        self._pool = pool
        self.queue = queue
        self.concurrency = concurrency
        self._timers = timers
        self.ahead = HandOver(config.ahead, queue, timers)
        self._functions = functions
        self._cores = cores
        self.items: dict[str, QueuedInvocation] = {}
        self.head_of_line: list[QueuedInvocation] = []
        self.running = 0
        self.claims = 0  # of all revisions
        self.limit = max(1, concurrency.first(cores))
        self._limit_why = f"{config.concurrency.policy} begins so"
        self._tell_began: Callable[[float, Use], None] | None = getattr(pool.keepalive, "began", None)

    def __repr__(self) -> str:
        return (
            f"<Scheduler {self.running} running and {self.claims} claimed of {self.limit}, {len(self.queue)} queued, "
            f"{len(self.head_of_line)} at the head>"
        )

    # Arriving.

    def join(
        self, now: float, peer: str, invocation: Invocation, state: RevisionState, out: list[Command], *, at_once: bool
    ) -> bool:
        """True: it runs already. `at_once`: it may be, nobody else waits for anything."""
        if invocation.id in self.items:
            raise IllegalTransition(f"invocation {invocation.id} was dispatched twice", "give each one its own id")
        statistics = state.function.statistics
        statistics.arrived(now)
        self._pool.arrived(now, state.function.name)
        self.items[invocation.id] = item = QueuedInvocation(peer, invocation, state, now)
        if state.retired:
            item.turn = reasons.OLD_REVISION
            item.position = Position.HEAD_OF_LINE
            self.head_of_line.append(item)
            state.waiting += 1
            return False
        free = state.free
        if free and self.running + self.claims >= self.limit and self.concurrency.can_skip(statistics.exec_s.ewma):
            item.turn = reasons.ABOVE_LIMIT
            self._run(now, item, slot(state, self._cores), None, out)
            return True
        can_pass, at_once = at_once, at_once and bool(free) and self.running + self.claims < self.limit
        if at_once and self.queue.is_memoryless:
            self._run(now, item, slot(state, self._cores), None, out)
            return True
        is_full = self.running + self.claims >= self.limit or state.is_full
        if can_pass and is_full and self.ahead.take(now, item, out):
            return True
        item.behind = len(self.head_of_line) + len(self.queue)
        self.queue.push(now, known.waiting(now, item))
        if at_once and self.queue.pop(now, _anyone) is not None:
            item.was_popped = True
            self._run(now, item, slot(state, self._cores), None, out)
            return True
        item.held = self._held(state)
        state.waiting += 1
        return False

    def _held(self, state: RevisionState) -> WaitedFor:
        """What an invocation of it would wait for now."""
        if self.running + self.claims >= self.limit:
            return WaitedFor.SLOT
        if state.is_full and not (state.free or state.can_join):
            return WaitedFor.SANDBOX
        return WaitedFor.ROOM

    # Whose turn it is.

    def has_line(self) -> bool:
        """Somebody waits for a turn, and not only for a sandbox that starts."""
        return len(self.items) > self.running and bool(self.head_of_line or len(self.queue))

    def serve_head_of_line(self, now: float, out: list[Command]) -> bool:
        """True: somebody is short of memory."""
        is_short = False
        for item in list(self.head_of_line):
            if self.running + self.claims >= self.limit:
                break
            placed = self._place(now, item, out, may_start=not is_short)
            if placed is Placed.YES:
                self.head_of_line.remove(item)
            elif placed is Placed.SHORT:
                is_short = True
        return is_short

    def serve_queue(self, now: float, out: list[Command], *, is_short: bool) -> bool:
        """True: somebody is short of memory, at the latest now."""
        queue = self.queue
        while self.running + self.claims < self.limit and len(queue):
            chosen = queue.pop(now, self._has_slot if is_short else self._can_place)
            if chosen is None:
                break
            item = self.items[chosen.item.id]
            item.popped = now
            item.was_popped = True
            if item.behind or now != item.arrived:
                item.turn = chosen.why if item.turn == BEFORE_NOBODY else f"{item.turn}; {chosen.why}"
            if self._place(now, item, out, may_start=True) is not Placed.YES:
                item.held = WaitedFor.ROOM
                item.position = Position.HEAD_OF_LINE
                self.head_of_line.append(item)
                is_short = True
        return is_short

    def _has_slot(self, function: str) -> bool:
        state = self._functions[function].current
        return state is not None and (bool(state.free) or state.can_join)

    def _can_place(self, function: str) -> bool:
        state = self._functions[function].current
        return state is not None and (bool(state.free) or state.can_join or not state.is_full)

    def _place(self, now: float, item: QueuedInvocation, out: list[Command], *, may_start: bool) -> Placed:
        state = item.state
        if state.free:
            state.waiting -= 1
            self._run(now, item, slot(state, self._cores), None, out)
            return Placed.YES
        if not state.can_join:
            if not may_start:
                return Placed.NO
            if state.is_full:
                self._pool.make_way(now, state, out)
                return Placed.NO
            hard_at = item.popped + self._patience_s
            if self._pool.room(now, state.resources, state, out, evict=True, hard=now >= hard_at) is not Room.FREE:
                if now < hard_at and not self._timers.is_set(PATIENCE):
                    self._timers.set(PATIENCE, hard_at)
                return Placed.SHORT
            self._pool.make(now, state, reasons.start(state, now, templates=self._templates), out, ahead=False)
        state.waiting -= 1
        item.popped = now
        item.position = Position.PENDING
        state.pending.append(item)
        self.recount(state)
        return Placed.YES

    def recount(self, state: RevisionState) -> None:
        claim = max(len(state.pending), len(state.demanded))
        self.claims += claim - state.claim
        state.claim = claim

    # Running.

    def _run(
        self, now: float, item: QueuedInvocation, sandbox: Sandbox, ready: SandboxReady | None, out: list[Command]
    ) -> None:
        """In a free slot of this one. `ready`: the item has waited for it to start."""
        state = item.state
        if sandbox.served:
            start, why = WARM, REUSED
        else:
            start, why = sandbox.made, sandbox.why
        kept = ""
        if sandbox.idle is not None:
            if sandbox.expiry is not None:
                kept = sandbox.expiry.why
            self._pool.became_busy(now, sandbox)
        sandbox.take(item)
        if len(sandbox.running) == sandbox.slots:
            fill(state, sandbox)
        if ready is not None:
            timing = reasons.waited(now, item, sandbox, ready)
            item.began = item.popped
        else:
            timing = AT_ONCE if now == item.arrived else Timing(queued=(now - item.arrived) * 1000)
            item.began = now
        turn = item.turn if not timing.queued else reasons.turn(item, self.limit, self._limit_why)
        self._begin(now, item, sandbox, start, why, timing, turn, kept, out)

    def _begin(
        self, now: float, item: QueuedInvocation, sandbox: Sandbox, start: Start, why: str, timing: Timing, turn: str,
        kept: str, out: list[Command],
    ) -> None:  # fmt: skip
        state = item.state
        tell_began = self._tell_began
        pended = tell_began is not None and item.position is PENDING
        item.position = RUNNING
        item.sandbox = sandbox
        item.start = start
        self.running += 1
        state.running += 1
        if tell_began is not None:
            tell_began(now, Use(state.function.name, sandbox.id, start.value, pended))
        out.append(Run(sandbox.id, state.revision, item.invocation, item.peer))
        out.append(Send(item.peer, Started(item.id, sandbox.id, start, why, timing, turn, kept)))

    def _go_on(self, now: float, sandbox: Sandbox, out: list[Command]) -> None:
        """With what it was handed ahead, which it has begun or does so in this moment."""
        item, state = self.ahead.begin(sandbox), sandbox.state
        sandbox.take(item)
        state.waiting -= 1
        item.began = now
        self._begin(now, item, sandbox, WARM, REUSED, Timing(queued=(now - item.arrived) * 1000), item.turn, "", out)
        self.ahead.hand(now, sandbox, self.items, out)

    def taken_back(self, now: float, sandbox: Sandbox, names: tuple[str, ...], out: list[Command]) -> None:
        """The sandbox has not begun these: they are before all others again, unless nobody wants them any more."""
        again = self.ahead.take_back(sandbox, names)
        for item in again:
            item.position = Position.HEAD_OF_LINE
            item.turn = reasons.TAKEN_BACK
        self.head_of_line[:0] = again
        for item in again:
            if item.unwanted is not None:
                self.drop(now, item, item.unwanted.outcome, out)

    def sandbox_ready(self, now: float, sandbox: Sandbox, ready: SandboxReady, out: list[Command]) -> None:
        state = sandbox.state
        if not self._pool.ready(now, sandbox):
            return
        state.free.append(sandbox)
        while state.pending and len(sandbox.running) < sandbox.slots:
            self._run(now, state.pending.popleft(), sandbox, ready, out)
        self.recount(state)
        if not sandbox.running:
            self._pool.became_idle(now, sandbox)

    def run_ended(
        self, now: float, item: QueuedInvocation, outcome: Outcome, run_ms: float, out: list[Command]
    ) -> None:
        """Its slot is free, and whoever pends takes it."""
        self._left(now, item, run_ms / 1000)
        statistics = item.state.function.statistics
        statistics.ran(item.start, run_ms / 1000, now - item.began)
        if type(outcome) is not Ok:
            statistics.errors += 1
        out.append(Send(item.peer, Ended(item.id, outcome, run_ms)))
        sandbox = item.sandbox
        assert sandbox is not None
        self.vacate(now, sandbox, out)

    def vacate(self, now: float, sandbox: Sandbox, out: list[Command]) -> None:
        state = sandbox.state
        if sandbox.ahead:
            self._go_on(now, sandbox, out)
            return
        if sandbox.phase is DRAINING:
            if not sandbox.running:
                self._pool.kill(now, sandbox, Loss(now, "stopped", sandbox.drained_why), out)
            return
        if len(sandbox.running) == sandbox.slots - 1:
            state.free.append(sandbox)
        if state.pending:
            self._run(now, state.pending.popleft(), sandbox, None, out)
            self.recount(state)
        elif not sandbox.running:
            self._pool.became_idle(now, sandbox)

    def _left(self, now: float, item: QueuedInvocation, exec_s: float) -> None:
        """It does not run any more."""
        del self.items[item.id]
        self.running -= 1
        item.state.running -= 1
        if item.was_popped:
            self.queue.ended(now, item.state.function.name, exec_s)

    # Ending otherwise.

    def lose(self, now: float, item: QueuedInvocation, outcome: Outcome, out: list[Command]) -> None:
        """It ran, and its sandbox is gone or gives it up."""
        statistics = item.state.function.statistics
        statistics.errors += 1
        statistics.lost[item.start] += 1
        if item.position is AHEAD:  # it may have begun, and nobody has said so
            item.state.waiting -= 1
            item.state.running += 1
            self.running += 1
        self._left(now, item, now - item.began)
        out.append(Send(item.peer, Ended(item.id, outcome)))

    def drop(self, now: float, item: QueuedInvocation, outcome: Outcome, out: list[Command]) -> None:
        """It waited, wherever that was."""
        state = item.state
        if item.position is AHEAD:
            self.ahead.drop(item, Withdraw(item.id, running=False, outcome=outcome), out)
            return
        if item.position is Position.PENDING:
            state.pending.remove(item)
            self.recount(state)
        else:
            state.waiting -= 1
            if item.position is Position.HEAD_OF_LINE:
                self.head_of_line.remove(item)
            else:
                self.queue.remove(item.id)
        state.function.statistics.errors += 1
        del self.items[item.id]
        if item.was_popped:
            self.queue.ended(now, state.function.name, 0.0)
        out.append(Send(item.peer, Ended(item.id, outcome)))

    def start_failed(self, now: float, state: RevisionState, failed: Failed | None, out: list[Command]) -> None:
        """One who counted on it is told, if it makes no sense to try again; the others are placed anew."""
        if failed is not None and lacks(state):
            self.drop(now, state.pending[0], failed, out)
        again: list[QueuedInvocation] = []
        while lacks(state):
            item = state.pending.pop()
            item.position = Position.HEAD_OF_LINE
            item.turn = reasons.START_FAILED
            state.waiting += 1
            again.insert(0, item)
        self.head_of_line[:0] = again
        self.recount(state)

    def overtake(self, state: RevisionState) -> None:
        """Its revision is not current any more: what waits for it goes before the queue, which knows only functions."""
        for item in self.items.values():
            if item.state is state and item.position is Position.QUEUED:
                self.queue.remove(item.id)
                item.turn = reasons.OLD_REVISION
                item.position = Position.HEAD_OF_LINE
                self.head_of_line.append(item)

    def adjust(self, now: float, load_per_core: float) -> None:
        load = Load(self.running + self.claims, self.queued, self.limit, self._cores, load_per_core)
        limit = self.concurrency.adjust(now, load)
        self.limit, self._limit_why = max(1, limit.most), limit.why

    @property
    def queued(self) -> int:
        """Not in a sandbox yet."""
        return len(self.items) - self.running


def _anyone(function: str) -> bool:
    return True
