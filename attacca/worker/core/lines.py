"""The lines of a worker: who waits for its processors and, where it has accelerators, who waits for one of those.

Each has a queue and a limit of its own, so neither delays the other; memory they share.
"""

from collections.abc import Iterator

from attacca.model.invocation import Failed, Outcome
from attacca.policy.concurrency.fixed import Fixed
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


class Lines:
    def __init__(self, plain: Scheduler, devices: Scheduler | None) -> None:
        self.plain = plain
        self.devices = devices

    def __repr__(self) -> str:
        return f"<Lines {self.plain!r}, {self.devices!r}>"

    def __iter__(self) -> Iterator[Scheduler]:
        yield self.plain
        if self.devices is not None:
            yield self.devices

    def of(self, state: RevisionState) -> Scheduler:
        return self.devices if state.is_accelerated and self.devices is not None else self.plain

    def find(self, invocation: str) -> QueuedInvocation | None:
        for line in self:
            item = line.items.get(invocation)
            if item is not None:
                return item
        return None

    def items(self) -> list[QueuedInvocation]:
        return [item for line in self for item in line.items.values()]

    def drop_waiting(self, now: float, outcome: Outcome, out: list[Command]) -> None:
        for line in self:
            for item in list(line.items.values()):
                if item.position is not Position.RUNNING:
                    line.drop(now, item, outcome, out)

    def overtake(self, state: RevisionState) -> None:
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
        is_short = bool(line.head_of_line) and line.serve_head_of_line(now, out)
        return line.serve_queue(now, out, is_short=is_short) or is_short

    def is_short_of_memory(self, pool: Pool) -> bool:
        """Who waits for a device waits for memory too: until it has it, nobody else gets any."""
        line = self.devices
        if line is None:
            return False
        return any(not pool.fits(item.state.resources.memory_alone()) for item in line.head_of_line)
