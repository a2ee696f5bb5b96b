"""What a busy sandbox is handed before it has answered, so that it need not wait for its worker between two answers.

    QUEUED --hand--> AHEAD --what ran there has ended--> RUNNING
                     AHEAD --taken back--> HEAD_OF_LINE, or dropped where nobody wants it any more

Nothing is promised by it: its time begins with its turn, and until the sandbox has begun it, it can be taken back, of
which the runtime makes sure. It is handed on only where whoever is next would be next in any case: all that wait are of
one function, which takes less than a millisecond, and for each sandbox of it there is one more that waits. Of one that
takes less than a tenth of that, what has just come is handed on where nobody waits.
"""

from typing import Final

from attacca.model.messages import Withdraw
from attacca.policy.queueing.types import Queue
from attacca.worker.core.events import Command, Hand, TakeBack
from attacca.worker.core.phases import AHEAD, BUSY
from attacca.worker.core.state import QueuedInvocation, RevisionState, Sandbox
from attacca.worker.core.timers import Key, Timer, Timers

SHORT_S: Final = 0.001  # who takes longer on average is handed nothing ahead
QUICK_S: Final = 0.0001  # who takes less need not even have waited: to be woken takes as long as it does
FEW: Final = 16  # sandboxes that are looked at for who has the least; where there are more, what comes waits first
RUNS: Final = 16  # so many were measured
LONG_S: Final = 0.005  # what runs for longer is not waited for: what was handed ahead behind it is taken back
AT_ONCE: Final = 2  # handed on for each that ends
WHY: Final = "handed ahead: its function takes less than a millisecond"
LOOK: Final[Key] = (Timer.AHEAD, "")


class HandOver:
    """Of one scheduler."""

    __slots__ = ("_holding", "_most", "_queue", "_timers", "given_up")

    def __init__(self, most: int, queue: Queue, timers: Timers) -> None:
        self._most = most if queue.is_memoryless else 0  # others want to see each one when its turn comes
        self._queue, self._timers = queue, timers
        self._holding: dict[str, Sandbox] = {}  # those that were handed something
        self.given_up: list[tuple[QueuedInvocation, Withdraw]] = []  # nobody wants them any more, and they have begun

    def __repr__(self) -> str:
        return f"<HandOver {len(self._holding)} sandboxes hold something, at most {self._most} each>"

    def take(self, now: float, item: QueuedInvocation, out: list[Command]) -> bool:
        """It has just come, nobody waits, and no slot is free nor made: a busy one has it. False: it has to wait."""
        state = item.state
        if not self._most or state.function.statistics.exec_s.ewma >= QUICK_S or not _is_fit(state):
            return False
        if len(state.sandboxes) > FEW:
            return False
        chosen: Sandbox | None = None
        least = self._most
        for sandbox in state.sandboxes.values():
            held = len(sandbox.ahead)
            if held < least and sandbox.phase is BUSY and not _takes_long(now, sandbox):
                chosen, least = sandbox, held
        if chosen is None:
            return False
        state.waiting += 1
        self._give(now, item, chosen, out)
        return True

    def hand(self, now: float, sandbox: Sandbox, items: dict[str, QueuedInvocation], out: list[Command]) -> None:
        """As much of what waits as the sandbox may have."""
        state = sandbox.state
        # Each other sandbox is to find one that waits when it becomes free.
        room = min(self._most - len(sandbox.ahead), len(self._queue) - state.live, AT_ONCE)
        if room <= 0 or sandbox.phase is not BUSY or state.retired or not _is_fit(state):
            return
        if len(self._queue) != state.waiting - state.ahead:
            return  # others wait, too
        for _ in range(room):
            chosen = self._queue.pop(now, _anyone)
            assert chosen is not None
            item = items[chosen.item.id]
            item.was_popped = True
            self._give(now, item, sandbox, out)

    def _give(self, now: float, item: QueuedInvocation, sandbox: Sandbox, out: list[Command]) -> None:
        if not sandbox.ahead:
            if not self._holding and not self._timers.is_set(LOOK):
                self._timers.set(LOOK, now + LONG_S)
            self._holding[sandbox.id] = sandbox
        item.popped = now
        item.turn, item.position, item.sandbox = WHY, AHEAD, sandbox
        sandbox.ahead.append(item)
        sandbox.state.ahead += 1
        out.append(Hand(sandbox.id, sandbox.state.revision, item.invocation))

    def begin(self, sandbox: Sandbox) -> QueuedInvocation:
        """What was handed to it first has its turn."""
        item = sandbox.ahead.popleft()
        self._leave(sandbox)
        if item.unwanted is not None and item.unwanted.running:
            self.given_up.append((item, item.unwanted))
        return item

    def drop(self, item: QueuedInvocation, unwanted: Withdraw, out: list[Command]) -> None:
        """Nobody wants it any more. What becomes of it is decided when it is known whether it has begun."""
        assert item.sandbox is not None
        item.unwanted = unwanted
        out.append(TakeBack(item.sandbox.id))

    def take_back(self, sandbox: Sandbox, names: tuple[str, ...]) -> list[QueuedInvocation]:
        """Those of them that it still had, in their order."""
        taken = [item for item in sandbox.ahead if item.id in names]
        for item in taken:
            sandbox.ahead.remove(item)
            item.sandbox = None
            self._leave(sandbox)
        return taken

    def all_of(self, sandbox: Sandbox) -> list[QueuedInvocation]:
        """What it had, of which nobody knows whether it has begun."""
        found = [*sandbox.ahead]
        for _ in found:
            sandbox.ahead.popleft()
            self._leave(sandbox)
        return found

    def _leave(self, sandbox: Sandbox) -> None:
        sandbox.state.ahead -= 1
        if not sandbox.ahead:
            del self._holding[sandbox.id]

    def look(self, now: float, out: list[Command]) -> None:
        """Whoever takes long lets go of what is behind it."""
        out += [TakeBack(name) for name, sandbox in self._holding.items() if _takes_long(now, sandbox)]
        if self._holding:
            self._timers.set(LOOK, now + LONG_S)


def _is_fit(state: RevisionState) -> bool:
    """Is it one of those that are handed something, known to be short, and is no sandbox on its way?"""
    exec_s = state.function.statistics.exec_s
    if not state.can_have_ahead or exec_s.ewma >= SHORT_S or exec_s.count < RUNS:
        return False
    return not (state.is_apart or state.pending or state.starting)


def _takes_long(now: float, sandbox: Sandbox) -> bool:
    return all(now - item.began >= LONG_S for item in sandbox.running.values())


def _anyone(function: str) -> bool:
    return True
