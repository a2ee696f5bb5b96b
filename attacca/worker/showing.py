"""What a worker shows of itself to whoever asks, and with each heartbeat."""

import asyncio
from collections.abc import Callable, Iterator

import msgspec

from attacca.kernel.clock import Clock
from attacca.model.looks import AskLoads, LoadsTold
from attacca.model.messages import AskHeld, AskStory, AskView, Held, StoryTold, Viewed
from attacca.model.sandbox import FunctionView, WorkerView
from attacca.model.story import Recent
from attacca.worker.core import view
from attacca.worker.core.worker import WorkerCore
from attacca.worker.measuring import Measuring

Question = AskView | AskHeld | AskStory | AskLoads
Told = Viewed | Held | StoryTold | LoadsTold


class Showing:
    """Reckoning what thousands of functions did takes a second: invocations have their turns in between."""

    def __init__(
        self, core: WorkerCore, measuring: Measuring, recent: Recent, clock: Clock, send: Callable[[str, Told], None]
    ) -> None:
        """`send` takes the name of whoever asked, and the answer."""
        self.is_cordoned = False
        self._core, self._measuring, self._recent, self._clock, self._send = core, measuring, recent, clock, send
        self._telling = 0

    def __repr__(self) -> str:
        return f"<Showing {self._core.config.name}, telling {self._telling}>"

    def brief(self) -> WorkerView:
        """Without its lists, for those who choose by it."""
        return self._measured(view.brief(self._core))

    def page(self) -> WorkerView:
        """For a metrics page, which has nothing of what functions did: that is on gateways' pages."""
        return self._measured(view.page(self._core, self._clock.now()), is_whole=True)

    def whole(self) -> WorkerView:
        return self._measured(view.of(self._core, self._clock.now()), is_whole=True)

    def tell(self, peer: str, question: Question) -> None:
        match question:
            case AskView():
                rows: list[FunctionView] = []
                self._telling += 1
                self._go_on(view.rows(self._core, rows, question.function), peer, question.id, rows)
            case AskHeld():
                self._send(peer, Held(question.id, self._core.config.name, view.held(self._core)))
            case AskStory():
                offset_s = self._clock.wall() - self._clock.now()
                self._send(
                    peer, StoryTold(question.id, self._recent.tell(question.subject, self._core.config.name, offset_s))
                )
            case AskLoads():
                self._send(peer, self._measuring.told(question, self._clock.now()))

    def _go_on(self, parts: Iterator[None], peer: str, name: str, rows: list[FunctionView]) -> None:
        try:
            next(parts)
        except StopIteration:
            self._telling -= 1
            told = view.with_rows(self._core, self._clock.now(), rows)
            self._send(peer, Viewed(name, self._measured(told, is_whole=True)))
        else:
            asyncio.get_running_loop().call_soon(self._go_on, parts, peer, name, rows)

    def _measured(self, told: WorkerView, *, is_whole: bool = False) -> WorkerView:
        draining = told.draining or self.is_cordoned
        return self._measuring.shown(msgspec.structs.replace(told, draining=draining), is_whole=is_whole)
