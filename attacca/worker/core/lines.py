"""The lines of a worker: who waits for its processors and, where it has accelerators, who waits for one of those.

Each has a queue and a limit of its own, so neither delays the other; memory they share.
"""

from collections.abc import Callable, Iterator
from functools import partial

from attacca.model.invocation import Failed, Invocation, Outcome
from attacca.policy.concurrency.fixed import Fixed
from attacca.policy.queueing.fcfs import Fcfs
from attacca.policy.queueing.types import Queueing
from attacca.policy.queueing.types import begin as begin_queue
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import Command
from attacca.worker.core.phases import Position
from attacca.worker.core.pool import Pool
from attacca.worker.core.scheduler import Scheduler
from attacca.worker.core.state import Function, QueuedInvocation, RevisionState
from attacca.worker.core.timers import Timers


def accelerated(
    config: WorkerConfig, pool: Pool, queueing: Queueing | None, timers: Timers, functions: dict[str, Function]
) -> Scheduler | None:
    """None: there is no device, or nobody says who is next on one."""
    devices = config.accelerators.devices
    if not devices or queueing is None:
        return None
    limit = Fixed(count=len(devices) * config.accelerators.at_once)
    return Scheduler(config, pool, begin_queue(queueing), limit, timers, functions, config.cores)


def computing(config: WorkerConfig, pool: Pool, timers: Timers, functions: dict[str, Function]) -> Scheduler:
    """Who only computes has a core until it is done, and so there are never more at once than cores."""
    return Scheduler(config, pool, begin_queue(Fcfs()), Fixed(), timers, functions, config.cores)


def lines_of(
    config: WorkerConfig, pool: Pool, plain: Scheduler, on_devices: Queueing | None, timers: Timers,
    functions: dict[str, Function],
) -> "Lines":  # fmt: skip
    devices = accelerated(config, pool, on_devices, timers, functions)
    return Lines(plain, devices, partial(computing, config, pool, timers, functions))


class Lines:
    def __init__(self, plain: Scheduler, devices: Scheduler | None, computing: Callable[[], Scheduler]) -> None:
        """`computing` makes the line of those that only compute, when there are any."""
        self.plain = plain
        self.devices = devices
        self.compute: Scheduler | None = None
        self._computing = computing
        self.both: dict[str, None] = {}  # invocations that wait in both lines

    def __repr__(self) -> str:
        return f"<Lines {self.plain!r}, {self.devices!r}>"

    def __iter__(self) -> Iterator[Scheduler]:
        yield self.plain
        if self.devices is not None:
            yield self.devices
        if self.compute is not None:
            yield self.compute

    def has_line(self) -> bool:
        """Somebody waits for a processor's turn, and not only for a sandbox that starts."""
        return self.plain.has_line() or (self.compute is not None and self.compute.has_line())

    def expect_compute(self) -> None:
        """There is one that only computes."""
        if self.compute is None:
            self.compute = self._computing()

    def of(self, state: RevisionState) -> Scheduler:
        if state.is_computing and self.compute is not None:
            return self.compute
        return self.devices if state.is_accelerated and self.devices is not None else self.plain

    def find(self, invocation: str) -> QueuedInvocation | None:
        """From now on it waits in this line alone."""
        self._leave_one(invocation)
        for line in self:
            item = line.items.get(invocation)
            if item is not None:
                return item
        return None

    def items(self) -> list[QueuedInvocation]:
        """Each once."""
        plain = list(self.plain.items.values())
        if self.compute is not None:
            plain += self.compute.items.values()
        if self.devices is None:
            return plain
        return plain + [item for name, item in self.devices.items.items() if name not in self.both]

    @property
    def queued(self) -> int:
        """Not in a sandbox yet."""
        queued = self.plain.queued
        if self.devices is not None:
            queued += self.devices.queued - len(self.both)
        return queued if self.compute is None else queued + self.compute.queued

    @property
    def running(self) -> int:
        return sum(line.running for line in self)

    def _leave_one(self, invocation: str) -> None:
        if invocation in self.both and self.devices is not None:
            self._forget(self.devices, self.devices.items[invocation])

    def drop_waiting(self, now: float, outcome: Outcome, out: list[Command]) -> None:
        for name in list(self.both):
            self._leave_one(name)
        for line in self:
            for item in list(line.items.values()):
                if item.position is not Position.RUNNING:
                    line.drop(now, item, outcome, out)

    def join_both(
        self, now: float, peer: str, invocation: Invocation, state: RevisionState, out: list[Command]
    ) -> None:
        """It runs where its turn comes first, and is then in the other line no more."""
        twin = state.device_twin
        assert twin is not None and self.devices is not None  # noqa: PT018 - one thing
        self.devices.join(now, peer, invocation, twin, out, at_once=False)
        self.plain.join(now, peer, invocation, state, out, at_once=False)
        self.both[invocation.id] = None
        self.sort_out(now)

    def sort_out(self, now: float) -> None:
        """Somebody may have had a turn."""
        for name in list(self.both):
            on_device = self.devices.items.get(name) if self.devices is not None else None
            plain = self.plain.items.get(name)
            if on_device is None or plain is None:
                del self.both[name]
            elif on_device.position is not Position.QUEUED:
                self._forget(self.plain, plain)
            elif plain.position is not Position.QUEUED:
                self._forget(self.devices, on_device)

    def _forget(self, line: Scheduler | None, item: QueuedInvocation) -> None:
        """It waits here for a turn, and needs none."""
        assert line is not None
        line.queue.remove(item.id)
        del line.items[item.id]
        item.state.waiting -= 1
        self.both.pop(item.id, None)

    def go_without(self, now: float, item: QueuedInvocation, plain: RevisionState, out: list[Command]) -> bool:
        """It waits for a device, and from now on for a processor. False: it waits for a sandbox that is there."""
        if item.id in self.both:
            self._leave_one(item.id)
            return True
        line = self.of(item.state)
        if item.position is Position.QUEUED:
            line.queue.remove(item.id)
        elif item.position is Position.HEAD_OF_LINE:
            line.head_of_line.remove(item)
        else:
            return False
        del line.items[item.id]
        item.state.waiting -= 1
        if item.was_popped:
            line.queue.ended(now, item.state.function.name, 0.0)
        self.plain.join(now, item.peer, item.invocation, plain, out, at_once=False)
        return True

    def overtake(self, state: RevisionState) -> None:
        """What waits in both lines waits in one of them from then on."""
        for name in list(self.both):
            if state in (line.items[name].state for line in self):
                self._leave_one(name)
        self.of(state).overtake(state)

    def recount(self, state: RevisionState) -> None:
        self.of(state).recount(state)

    def start_failed(self, now: float, state: RevisionState, failed: Failed | None, out: list[Command]) -> None:
        self.of(state).start_failed(now, state, failed, out)

    def serve_devices(self, now: float, out: list[Command]) -> bool:
        """True: somebody waits for a device."""
        line = self.devices
        if line is None:
            return False
        if self.both:
            self.sort_out(now)
        is_short = _serve(line, now, out, is_short=False)
        if self.both:
            self.sort_out(now)
        return is_short

    def serve_plain(self, now: float, out: list[Command], *, is_short: bool) -> bool:
        """True: somebody is short of memory, at the latest now."""
        if self.compute is not None:
            is_short = _serve(self.compute, now, out, is_short=is_short)
        if not self.both:
            return self.plain.serve_queue(now, out, is_short=is_short)
        is_short = self.plain.serve_queue(now, out, is_short=is_short)
        self.sort_out(now)
        return is_short

    def is_short_of_memory(self, pool: Pool) -> bool:
        """Who waits for a device waits for memory too: until it has it, nobody else gets any."""
        line = self.devices
        if line is None:
            return False
        return any(not pool.fits(item.state.resources.memory_alone()) for item in line.head_of_line)


def _serve(line: Scheduler, now: float, out: list[Command], *, is_short: bool) -> bool:
    """True: somebody is short of memory."""
    is_short = is_short or (bool(line.head_of_line) and line.serve_head_of_line(now, out))
    return line.serve_queue(now, out, is_short=is_short) or is_short
