"""The event engine: what will happen lies in a heap, and happens in the order of time, then of asking.

    engine.at(12.5, pour, cup)       ──▶ at 12.5 s: pour(cup)
    ticket = engine.at(...); engine.cancel(ticket)

There is no tick: the clock jumps from one event to the next, so idle time costs nothing.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

EARLY_S = 1e-6  # more than what two clocks lose by being subtracted: a timer must not ring early
PURGE_LEAST = 512  # cancelled entries that are worth a sweep, once they are half of the heap

Entry = tuple[float, int, Callable[[Any], None], Any]


class EngineTimer:
    """A `kernel.drive.Timer` in virtual time, for whoever's clock goes before the engine's by `skew_s`."""

    __slots__ = ("_engine", "_ring", "_ticket", "skew_s")

    def __init__(self, engine: "Engine") -> None:
        self.skew_s = 0.0
        self._engine = engine
        self._ticket: int | None = None
        self._ring: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<EngineTimer {'off' if self._ticket is None else 'on'}, {self.skew_s:g} s before>"

    def set(self, at: float, ring: Callable[[], None]) -> None:
        engine = self._engine
        if self._ticket is not None:
            engine.cancel(self._ticket)
        if self.skew_s:
            at += EARLY_S - self.skew_s
        self._ring = ring
        self._ticket = engine.at(max(at, engine.now), self._rings)

    def clear(self) -> None:
        if self._ticket is not None:
            self._engine.cancel(self._ticket)
            self._ticket = None

    def _rings(self, _: None) -> None:
        self._ticket = None
        assert self._ring is not None
        self._ring()


class Engine:
    __slots__ = ("_asked", "_cancelled", "_heap", "_until", "now")

    def __init__(self) -> None:
        self.now = 0.0  # seconds since the run began
        self._until = inf
        self._asked = 0
        self._heap: list[Entry] = []
        self._cancelled: dict[int, None] = {}  # tickets whose entries still lie in the heap

    def __repr__(self) -> str:
        return f"<Engine at {self.now:g} s, {self.waiting} to happen>"

    def at(self, when: float, do: Callable[[Any], None], what: Any = None) -> int:
        """Have `do(what)` happen. The answer is a ticket for `cancel`."""
        asked = self._asked = self._asked + 1
        heappush(self._heap, (when, asked, do, what))
        return asked

    def cancel(self, ticket: int) -> None:
        """It must not have happened yet. Its entry leaves the heap when its time comes, or with many others."""
        cancelled = self._cancelled
        cancelled[ticket] = None
        if len(cancelled) > PURGE_LEAST and 2 * len(cancelled) > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[1] not in cancelled]
            heapify(self._heap)
            cancelled.clear()

    def run(self, until: float = inf, after: Callable[[], None] | None = None) -> None:
        """Until nothing is left, or only what is later than `until`. `after` is called when each event has happened."""
        heap, cancelled = self._heap, self._cancelled
        self._until = until
        while heap:
            when, asked, do, what = heappop(heap)
            if cancelled and asked in cancelled:
                del cancelled[asked]
                continue
            if when > self._until:
                heappush(heap, (when, asked, do, what))
                self.now = max(self.now, self._until)
                return
            self.now = when
            do(what)
            if after is not None:
                after()

    def stop(self) -> None:
        """This event is the last of the run that is under way."""
        self._until = -inf

    @property
    def waiting(self) -> int:
        """Events that are still to happen."""
        return len(self._heap) - len(self._cancelled)
