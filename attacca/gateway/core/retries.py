"""When a worker or a sandbox is lost: which invocations are sent again, which wait for a worker, and which are over.

Sent again is what no sandbox is known to have been told to run, and what may run twice: its function says
`idempotent`, its body is here whole, and nothing of its answer has gone out.
"""

from collections.abc import Callable

from attacca.errors import Draining, NotFound, SandboxLost
from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.cluster import Cluster
from attacca.gateway.core.deadlines import Deadlines
from attacca.gateway.core.events import Command
from attacca.gateway.core.inflight import NO_TIME, Function, Inflight
from attacca.gateway.core.workers import WorkerHandle, Workers
from attacca.model.invocation import Failed, Invocation, Outcome
from attacca.model.messages import Dispatch, Send, Withdraw

ABANDONED_MOST = 256  # silent workers whose return is prepared for
AWAITED = "it waits for a worker that is about to join"
LEFT = Failed("cancelled", "the client went away", "")
SILENT = Failed("cancelled", "the gateway had not heard of this worker, and gave its invocations to others", "")


class Retries:
    def __init__(
        self,
        inflight: dict[str, Inflight],
        functions: Functions,
        deadlines: Deadlines[Inflight],
        workers: Workers,
        attempts: int,
        pick: Callable[[float, Function, list[Command]], tuple[WorkerHandle, str]],
        close: Callable[[float, Inflight, Outcome, list[Command]], None],
        cluster: Cluster,
        awaits: Callable[[], bool],
    ) -> None:
        """`attempts`: so often an invocation is sent to workers that are lost, at most. `awaits`: a worker is about to
        join."""
        self.nowhere = WorkerHandle("", 0.0)  # has those that wait for a worker to join
        self._inflight = inflight
        self._functions = functions
        self._deadlines = deadlines
        self._workers = workers
        self._attempts = attempts
        self._pick = pick
        self._close = close
        self._cluster = cluster
        self._awaits = awaits
        self.held: list[Inflight] = []  # those of `nowhere`, and such that ended meanwhile
        self._abandoned: dict[str, list[str]] = {}  # by silent worker: what it may still think it has to do

    def __repr__(self) -> str:
        return f"<Retries {self.nowhere.queued} wait for a worker, {len(self._abandoned)} workers may come back>"

    def lose(self, now: float, handle: WorkerHandle, why: str, out: list[Command]) -> None:
        """A worker is gone; `handle` has been dropped."""
        for one in [one for one in self._inflight.values() if one.holder is handle]:
            if one.client is None:
                self._close(now, one, LEFT, out)
            elif not self._can_repeat(one):
                message = f"worker {handle.name!r} {why} while it had this invocation"
                self._close(now, one, Failed(SandboxLost.code, message, _advice(one)), out)
            elif one.losses + 1 >= self._attempts:
                message = f"worker {handle.name!r} {why}, the last of {one.losses + 1} that had this invocation"
                self._close(now, one, Failed(SandboxLost.code, message, "find out whether it is what ends them"), out)
            else:
                self._again(now, one, f"worker {handle.name!r} {why}", out)
                self._cluster.rename(one)
                self.place(now, one, out)

    def abandon(self, handle: WorkerHandle) -> None:
        """It is only silent, and may come back with what it has; call it before `lose`."""
        while len(self._abandoned) >= ABANDONED_MOST:
            del self._abandoned[next(iter(self._abandoned))]
        self._abandoned[handle.name] = [one.key for one in self._inflight.values() if one.holder is handle]

    def returned(self, name: str, out: list[Command]) -> None:
        """What it still has is of no use: it is over, or another worker has it."""
        keys = self._abandoned.pop(name, ())
        out.extend(Send(name, Withdraw(key, running=True, outcome=SILENT)) for key in keys)

    def reborn(self, name: str) -> None:
        """A new worker of that name has nothing left over from the old one."""
        self._abandoned.pop(name, None)

    def place_held(self, now: float, out: list[Command]) -> None:
        """A worker has joined, or something was heard of one, or of functions."""
        held, self.held = self.held, []
        for one in held:
            if one.is_done:
                continue
            if one.client is None:
                self._close(now, one, LEFT, out)
            else:
                self.nowhere.queued -= 1
                self.place(now, one, out)

    def ended_too_soon(self, now: float, one: Inflight, outcome: Failed, out: list[Command]) -> bool:
        """A worker says that it lost the sandbox, or that it will not start it as it drains, or that it knows no such
        revision. True: it is sent again.

        A lost sandbox is made good once; another one is rather the function's own doing. Of a revision one may hear
        later than the other: by now the worker knows it, or we know the next; or else it waits until either is heard
        of again. While all workers drain that are linked, it waits for one that is about to be.
        """
        function = one.function
        if one.client is None or self._functions.by_name.get(function.name) is not function:
            return False
        if outcome.code == SandboxLost.code:
            return self._sandbox_lost(now, one, outcome.message, out)
        if one.start is not None:
            return False
        is_last, has_others = one.losses + 1 >= self._attempts, self._has_others(one.holder)
        if outcome.code == NotFound.code:
            waits, is_over = is_last, is_last and function.slots is not None
            passes = has_others  # who has heard of nothing yet has nothing to do, and would be chosen again
        elif outcome.code == Draining.code:
            waits, is_over = not has_others, is_last if has_others else not self._awaits()
            passes = True
        else:
            return False
        if is_over:
            return False
        one.holder.queued -= 1
        if passes:
            self._pass_over(one.holder)
        self._again(now, one, outcome.message, out)
        if waits and function.slots is None:
            one.losses -= 1  # it has its `wait_s`, and no worker is to be spared it
            self._cluster.rename(one)
            self._hold(one)
        else:
            self._place_anew(now, one, out)
        return True

    def _sandbox_lost(self, now: float, one: Inflight, why: str, out: list[Command]) -> bool:
        if one.revision != one.function.number or one.start is None or one.lost or not self._can_repeat(one):
            return False
        one.holder.running -= 1
        self._workers.ease(one.holder)
        self._again(now, one, why, out)
        self._place_anew(now, one, out)
        return True

    def _has_others(self, holder: WorkerHandle) -> bool:
        return any(not other.is_draining for other in self._workers.by_name.values() if other is not holder)

    def _pass_over(self, holder: WorkerHandle) -> None:
        """Until its next heartbeat, which says how it is."""
        holder.is_draining = True
        self._workers.renew()

    def _place_anew(self, now: float, one: Inflight, out: list[Command]) -> None:
        holder = one.holder
        if one.function.slots is not None:
            self._cluster.rename(one)
            self._cluster.hold(now, one, out)
            return
        handle, one.place = self._pick(now, one.function, out)
        if handle is not holder:
            self._cluster.rename(one)
        self._send(one, handle, out)

    def _can_repeat(self, one: Inflight) -> bool:
        function = one.function
        if self._functions.by_name.get(function.name) is not function:
            return False  # deleted: no worker would know it
        if one.start is None:
            return True
        is_current = one.revision == function.number
        return function.is_idempotent and is_current and not (one.has_head or one.more)

    def _again(self, now: float, one: Inflight, why: str, out: list[Command]) -> None:
        """It waits anew: if it had started, with a new wait_s, else for what is left of the old one."""
        function, clocks = one.function, one.clocks
        one.lost = f"sent again, {why}; "
        one.attempts += 1
        one.losses += 1
        if one.slot is not None:
            self._cluster.leave(now, one, out)
        if one.start is None:
            return
        function.running -= 1
        function.waiting += 1
        one.start, one.said, one.timing = None, None, NO_TIME
        clocks.total.entries.pop(one, None)
        if clocks.first_byte is not None:
            clocks.first_byte.entries.pop(one, None)
        self._deadlines.add(now, clocks.wait, one)

    def place(self, now: float, one: Inflight, out: list[Command]) -> None:
        """With no worker, it waits for one to join; or for a slot, where control makes sandboxes."""
        if one.function.slots is not None:
            self._cluster.hold(now, one, out)
        elif self._workers.all_drain and (not self._workers.by_name or self._awaits()):
            self._hold(one)
        else:
            handle, one.place = self._pick(now, one.function, out)
            self._send(one, handle, out)

    def _hold(self, one: Inflight) -> None:
        one.holder = self.nowhere
        self.nowhere.queued += 1
        self.held.append(one)

    def _send(self, one: Inflight, handle: WorkerHandle, out: list[Command]) -> None:
        function = one.function
        one.holder = handle
        one.revision = function.number  # that of a function replaced meanwhile may not be known any more
        one.waiting = handle.queued
        handle.queued += 1
        invocation = Invocation(one.key, function.name, function.revision_id, one.request)
        out.append(Send(handle.name, Dispatch(invocation)))


def _advice(one: Inflight) -> str:
    if one.function.is_idempotent:
        return "part of it was on the way already, or its function was replaced: send it again"
    return "send it again if that does no harm; `idempotent = true` in its function.toml has it done for you"
