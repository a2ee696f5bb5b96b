"""An event loop whose turns and time a test takes by hand."""

import functools
import heapq
from collections.abc import Callable
from typing import Any


class Timer:
    def __init__(self, at: float, do: Callable[[], Any]) -> None:
        self.at, self.do, self.is_cancelled = at, do, False

    def cancel(self) -> None:
        self.is_cancelled = True

    def __lt__(self, other: "Timer") -> bool:
        return self.at < other.at


class Loop:
    def __init__(self) -> None:
        self.readers: dict[Any, Callable[[], Any]] = {}
        self.writers: dict[Any, Callable[[], Any]] = {}
        self._soon: list[Callable[[], Any]] = []
        self._timers: list[Timer] = []
        self.now = 0.0

    def add_reader(self, descriptor: Any, do: Callable[[], Any]) -> None:
        self.readers[descriptor] = do

    def add_writer(self, descriptor: Any, do: Callable[[], Any]) -> None:
        self.writers[descriptor] = do

    def remove_reader(self, descriptor: Any) -> None:
        self.readers.pop(descriptor, None)

    def remove_writer(self, descriptor: Any) -> None:
        self.writers.pop(descriptor, None)

    def call_soon(self, do: Callable[..., Any], *args: Any) -> None:
        self._soon.append(functools.partial(do, *args))

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, do: Callable[[], Any]) -> Timer:
        timer = Timer(self.now + seconds, do)
        heapq.heappush(self._timers, timer)
        return timer

    def call_at(self, at: float, do: Callable[[], Any]) -> Timer:
        return self.call_later(at - self.now, do)

    def take_soon(self) -> list[Callable[[], Any]]:
        soon, self._soon = self._soon, []
        return soon

    def turn(self) -> None:
        """What asyncio does in one round: callbacks first, then whoever reads and writes, ready or not."""
        for do in [*self.take_soon(), *self.readers.values(), *self.writers.values()]:
            do()

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self._timers and self._timers[0].at <= end:
            timer = heapq.heappop(self._timers)
            if not timer.is_cancelled:
                self.now = timer.at
                timer.do()
        self.now = end

    def has_timer(self, but: Callable[[], Any] | None = None) -> bool:
        return any(not timer.is_cancelled and timer.do != but for timer in self._timers)

    def is_empty(self) -> bool:
        return not (self.readers or self.writers or self.has_timer())
