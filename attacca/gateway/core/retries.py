"""When a worker or a sandbox is lost: which invocations are sent again, which wait for a worker, and which are over.

Sent again is what no sandbox is known to have been told to run, and what may run twice: its function says
`idempotent`, its body is here whole, and nothing of its answer has gone out.
"""

from collections.abc import Callable

import msgspec

from attacca.errors import Draining, SandboxLost
from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.deadlines import Deadlines
from attacca.gateway.core.inflight import NO_TIME, Inflight, RetryState
from attacca.gateway.core.workers import WorkerHandle, Workers
from attacca.model.invocation import Failed, Invocation
from attacca.model.messages import Dispatch, Withdraw

ABANDONED_MOST = 256  # silent workers whose return is prepared for
LEFT = Failed("cancelled", "the client went away", "")
SILENT = Failed("cancelled", "the gateway had not heard of this worker, and gave its invocations to others", "")


class Send(msgspec.Struct, frozen=True):
    """Tell this to that worker."""

    worker: str
    message: Dispatch | Withdraw


class Answer(msgspec.Struct, frozen=True):
    """It is over: tell its client, if that is still there."""

    taken: Inflight
    outcome: Failed


Order = Send | Answer


class Retries:
    def __init__(
        self,
        taken: dict[str, Inflight],
        functions: Functions,
        deadlines: Deadlines,
        workers: Workers,
        attempts: int,
        close: Callable[[float, Inflight, Failed], None],
    ) -> None:
        """`attempts`: so often an invocation is sent to workers that are lost, at most."""
        self.moved: dict[str, str] = {}  # of those that have another key than their id
        self._taken = taken
        self._functions = functions
        self._deadlines = deadlines
        self._workers = workers
        self._attempts = attempts
        self._close = close
        self._nowhere = WorkerHandle("", 0.0)  # has those that wait for a worker to join
        self._held: list[Inflight] = []  # they, and such that ended meanwhile
        self._abandoned: dict[str, list[str]] = {}  # by silent worker: what it may still think it has to do

    def lose(self, now: float, link: WorkerHandle, why: str) -> list[Order]:
        """A worker is gone; `link` has been dropped."""
        out: list[Order] = []
        for taken in [taken for taken in self._taken.values() if taken.link is link]:
            road, outcome = taken.road, None
            if taken.client is None:
                outcome = LEFT
            elif road is None or not self._can_repeat(taken, road):
                message = f"worker {link.name!r} {why} while it had this invocation"
                outcome = Failed(SandboxLost.code, message, _advice(taken))
            elif road.attempts >= self._attempts:
                message = f"worker {link.name!r} {why}, the last of {road.attempts} that had this invocation"
                outcome = Failed(SandboxLost.code, message, "find out whether it is what ends them")
            else:
                taken.lost = f"sent again, worker {link.name!r} {why}; "
                self._again(now, taken, road)
                self._send(now, taken, road, out)
            if outcome is not None:
                self._answer(now, taken, outcome, out)
        return out

    def abandon(self, link: WorkerHandle) -> None:
        """It is only silent, and may come back with what it has; call it before `lose`."""
        while len(self._abandoned) >= ABANDONED_MOST:
            del self._abandoned[next(iter(self._abandoned))]
        self._abandoned[link.name] = [taken.key for taken in self._taken.values() if taken.link is link]

    def returned(self, name: str) -> list[Order]:
        """What it still has is of no use: it is over, or another worker has it."""
        return [Send(name, Withdraw(key, running=True, outcome=SILENT)) for key in self._abandoned.pop(name, ())]

    def reborn(self, name: str) -> None:
        """A new worker of that name has nothing left over from the old one."""
        self._abandoned.pop(name, None)

    def place_held(self, now: float) -> list[Order]:
        """A worker has joined."""
        out: list[Order] = []
        held, self._held = self._held, []
        for taken in held:
            road = taken.road
            if taken.is_done or road is None:
                continue
            if taken.client is None:
                self._answer(now, taken, LEFT, out)
            else:
                self._nowhere.queued -= 1
                self._send(now, taken, road, out)
        return out

    def ended_too_soon(self, now: float, taken: Inflight, road: RetryState, outcome: Failed) -> Dispatch | None:
        """A worker says that it lost the sandbox, or that it will not start it as it drains. Its new order, if any.

        A lost sandbox is made good once; another one is rather the function's own doing.
        """
        function = taken.function
        is_current = taken.revision == function.number and self._functions.by_name.get(function.name) is function
        if taken.client is None or not is_current:
            return None
        if outcome.code == SandboxLost.code:
            if taken.start is None or taken.lost or not self._can_repeat(taken, road):
                return None
            taken.link.running -= 1
            self._workers.ease(taken.link)
        elif outcome.code == Draining.code:
            others = any(not link.is_draining for link in self._workers.by_name.values() if link is not taken.link)
            if taken.start is not None or not others or road.attempts >= self._attempts:
                return None
            taken.link.queued -= 1
            taken.link.is_draining = True  # its heartbeat would say so a moment later
            self._workers.renew()
        else:
            return None
        taken.lost = f"sent again, {outcome.message}; "
        self._again(now, taken, road)
        order = self._place(now, taken, road)
        assert order is not None, "who has said this is a worker"
        return order

    def _can_repeat(self, taken: Inflight, road: RetryState) -> bool:
        function = taken.function
        if self._functions.by_name.get(function.name) is not function:
            return False  # deleted: no worker would know it
        if taken.start is None:
            return True
        is_current = taken.revision == function.number
        return road.is_idempotent and is_current and not (taken.has_head or taken.more)

    def _again(self, now: float, taken: Inflight, road: RetryState) -> None:
        """It waits anew: if it had started, with a new wait_s, else for what is left of the old one."""
        function, clocks = taken.function, taken.clocks
        road.attempts += 1
        if not taken.link.is_local:
            del self._taken[taken.key]
            taken.key = self.moved[taken.id] = f"{taken.id}~{road.attempts}"
            self._taken[taken.key] = taken
        if taken.start is None:
            return
        function.running -= 1
        function.waiting += 1
        taken.start, taken.sandbox, taken.timing = None, "", NO_TIME
        clocks.total.entries.pop(taken.id, None)
        if clocks.first_byte is not None:
            clocks.first_byte.entries.pop(taken.id, None)
        self._deadlines.add(now, clocks.wait, taken.id)

    def _send(self, now: float, taken: Inflight, road: RetryState, out: list[Order]) -> None:
        order = self._place(now, taken, road)
        if order is not None:
            out.append(Send(order.worker, order))

    def _place(self, now: float, taken: Inflight, road: RetryState) -> Dispatch | None:
        """With no worker, it waits for one to join."""
        function = taken.function
        if not self._workers.by_name:
            taken.link = self._nowhere
            self._nowhere.queued += 1
            self._held.append(taken)
            return None
        link, road.why = self._workers.pick(now, function.asked())
        taken.link = link
        taken.revision = function.number  # that of a function replaced meanwhile may not be known any more
        taken.waiting = link.queued
        link.queued += 1
        road.invocation = Invocation(taken.key, function.name, function.revision_id, road.invocation.request)
        return Dispatch(road.invocation, "" if link.is_local else link.name)

    def _answer(self, now: float, taken: Inflight, outcome: Failed, out: list[Order]) -> None:
        self._close(now, taken, outcome)
        out.append(Answer(taken, outcome))


def _advice(taken: Inflight) -> str:
    if taken.road is not None and taken.road.is_idempotent:
        return "part of it was on the way already, or its function was replaced: send it again"
    return "send it again if that does no harm; `idempotent = true` in its function.toml has it done for you"
