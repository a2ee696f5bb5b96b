"""What becomes of functions when a device disappears or comes back.

Sandboxes on one that is gone are ended, and what ran in them is lost with them. Who waits goes on waiting for those
that are left; where none of them could ever take it, it goes without if it may, and else is refused. Nobody else hears
of it.
"""

from attacca.model.invocation import Failed
from attacca.worker.config import WorkerConfig
from attacca.worker.core import twins
from attacca.worker.core.catalogue import Catalogue
from attacca.worker.core.checks import never_fits
from attacca.worker.core.events import Command
from attacca.worker.core.lines import Lines
from attacca.worker.core.orders import Orders
from attacca.worker.core.phases import Phase, Position
from attacca.worker.core.pool import Pool
from attacca.worker.core.reports import DevicesSeen
from attacca.worker.core.state import Loss, Sandbox

GONE = Failed("sandbox_lost", "its accelerator is not there any more", "try again: another one may take it")
WHY = ": its accelerator is gone"


class Accelerators:
    def __init__(self, config: WorkerConfig, pool: Pool, lines: Lines, catalogue: Catalogue, orders: Orders) -> None:
        self._at_once = config.accelerators.at_once
        self._pool, self._lines, self._catalogue, self._orders = pool, lines, catalogue, orders

    def __repr__(self) -> str:
        return f"<Accelerators {self._pool.devices!r}>"

    def see(self, now: float, event: DevicesSeen, out: list[Command]) -> None:
        devices, line = self._pool.devices, self._lines.devices
        if devices is None or line is None:
            return
        lost = [self._pool.sandboxes[name] for name in devices.see(event.names)]
        line.limit = max(1, len(devices.held) * self._at_once)
        for state in list(self._catalogue.states.values()):
            if state.resources.gpu:
                self._catalogue.look_at(state)
        for sandbox in lost:
            if sandbox.phase is not Phase.DYING:
                self._end(now, sandbox, out)
        for item in list(line.items.values()):
            if item.state.is_too_large and item.position is not Position.RUNNING:
                plain = twins.original(item.state, self._catalogue.states)
                if plain is None or not self._lines.go_without(now, item, plain, out):
                    line.drop(now, item, never_fits(item.state.revision, self._pool.capacity), out)

    def _end(self, now: float, sandbox: Sandbox, out: list[Command]) -> None:
        state = sandbox.state
        was_starting = sandbox.phase is Phase.STARTING
        for item in list(sandbox.running.values()):
            sandbox.leave(item.id)
            (self._orders if sandbox.is_ordered else self._lines.of(state)).lose(now, item, GONE, out)
        self._pool.kill(now, sandbox, Loss(now, "stopped", WHY), out)
        if was_starting and not sandbox.is_ordered:
            self._lines.start_failed(now, state, None, out)
        self._catalogue.settle(now, state, out)
