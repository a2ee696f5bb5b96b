"""Takes the steps of a gateway's history, each over several turns of the loop, and tells control of them."""

import asyncio
from collections.abc import Callable, Iterator

from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.history import History
from attacca.kernel.clock import Clock
from attacca.model.history import STEP_S, AskHistory, FunctionNow, HistoryTold


class Remembering:
    def __init__(self, core: GatewayCore, clock: Clock) -> None:
        self.history = History()
        self._core, self._clock = core, clock
        self._timer: asyncio.Handle | None = None
        self._is_closed = False
        self._at = 0.0  # when the next step is due, by the loop's clock

    def __repr__(self) -> str:
        return f"<Remembering {self.history!r}>"

    def open(self) -> None:
        self._at = asyncio.get_running_loop().time()
        self._again()

    def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def tell(self, asked: AskHistory, say: Callable[[HistoryTold], None]) -> None:
        """At once where it is little, and else over several turns of the loop."""
        if asked.function:
            say(HistoryTold(asked.id, self.history.of(asked.function)))
            return
        rows: list[FunctionNow] = []
        self._tell(self.history.rows(self._core.functions.by_name.values(), rows), asked, rows, say)

    def _tell(
        self, parts: Iterator[None], asked: AskHistory, rows: list[FunctionNow], say: Callable[[HistoryTold], None]
    ) -> None:
        try:
            next(parts)
        except StopIteration:
            workers = [one.view for one in self._core.workers.by_name.values() if one.view is not None]
            say(HistoryTold(asked.id, self.history.of(""), tuple(rows), tuple(workers)))
        else:
            asyncio.get_running_loop().call_soon(self._tell_on, parts, asked, rows, say)

    def _tell_on(
        self, parts: Iterator[None], asked: AskHistory, rows: list[FunctionNow], say: Callable[[HistoryTold], None]
    ) -> None:
        if not self._is_closed:  # or nobody is there any more to whom it could be said
            self._tell(parts, asked, rows, say)

    def _again(self) -> None:
        loop = asyncio.get_running_loop()
        self._at = max(self._at + STEP_S, loop.time())
        self._timer = loop.call_at(self._at, self._step)

    def _step(self) -> None:
        self._go_on(self.history.parts(self._clock.wall(), self._core.functions.by_name))

    def _go_on(self, parts: Iterator[None]) -> None:
        try:
            next(parts)
        except StopIteration:
            self._again()
        else:
            self._timer = asyncio.get_running_loop().call_soon(self._go_on, parts)
