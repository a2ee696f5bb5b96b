"""A worker's meter of energy, where one is asked for: what is between its runtime and the driver, and who reads."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from attacca.errors import BadConfig
from attacca.kernel.clock import Clock
from attacca.worker.core.energy.ledger import Ledger
from attacca.worker.host.energy.files import Files
from attacca.worker.host.energy.meter import TICK_S, EnergyMeter
from attacca.worker.host.energy.opening import opened, opened_accelerators
from attacca.worker.host.energy.options import EnergyConfig
from attacca.worker.host.energy.types import SourceSilent
from attacca.worker.host.uses import Living
from attacca.worker.runtime.metered import Metered
from attacca.worker.runtime.types import Runtime

LOG = logging.getLogger("attacca.energy")


class Metering:
    """`meter` is None where nobody asks, or nobody can be asked."""

    def __init__(
        self, config: EnergyConfig, clock: Clock, living: Callable[[], Mapping[str, Living]], memory_mb: int
    ) -> None:
        """`living`: the sandboxes that there are. `memory_mb`: all that they may reserve together.

        Raises:
            BadConfig: the source that was named is not here, or the directory cannot be written to.
        """
        self.meter: EnergyMeter | None = None
        self._clock, self._memory_mb = clock, memory_mb
        if not config.is_on:
            return
        kept = Files(config.log_dir) if config.log_dir else None
        told = None if kept is None else (lambda name, line: kept.line(name, line, clock.wall()))
        try:
            source = opened(config, told)
        except SourceSilent as error:
            if config.source != "auto":
                raise BadConfig(f"energy.source = {config.source}: {error.message}", error.hint) from None
            LOG.warning("energy: no source is here; `attacca doctor` says what was looked for")
            return
        ledger = Ledger(source.name, config.idle_by, config.idle_w, TICK_S)
        accelerators = opened_accelerators() if config.accelerators else None
        self.meter = EnergyMeter(source, ledger, living, clock, config.every_s, accelerators, kept)

    def __repr__(self) -> str:
        return f"<Metering by {self.meter!r}>"

    def around(self, runtime: Runtime) -> Runtime:
        """What a worker is to order from."""
        return runtime if self.meter is None else Metered(runtime, self.meter.ledger, self._memory_mb, self._clock.now)

    def open(self, closing: AsyncExitStack) -> None:
        if self.meter is not None:
            self.meter.open()
            closing.callback(self.meter.close)
