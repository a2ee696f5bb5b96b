"""Takes the steps of a gateway's history, and tells control of them."""

import asyncio

from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.history import History
from attacca.kernel.clock import Clock
from attacca.model.history import STEP_S, AskHistory, HistoryTold


class Remembering:
    def __init__(self, core: GatewayCore, clock: Clock) -> None:
        self.history = History()
        self._core, self._clock = core, clock
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Remembering {self.history!r}>"

    def open(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(STEP_S, self._step)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def tell(self, asked: AskHistory) -> HistoryTold:
        steps = self.history.of(asked.function)
        if asked.function:
            return HistoryTold(asked.id, steps)
        workers = [one.view for one in self._core.workers.by_name.values() if one.view is not None]
        return HistoryTold(asked.id, steps, self.history.now(self._core.functions.by_name.values()), tuple(workers))

    def _step(self) -> None:
        self.history.step(self._clock.wall(), self._core.functions.by_name)
        self.open()
