"""A machine that has nothing to do is stopped, and goes on when there is something, told what time it is.

idle for a while ──▶ stop        an order ──▶ cont ──▶ it goes on ──▶ told the time ──▶ it says so ──▶ the order
"""

from collections.abc import Callable
from typing import Protocol


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Stoppable(Protocol):
    def stop(self) -> None: ...

    def go_on(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Cancellable]  # call this after so many seconds
Order = Callable[[], None]


class Sleeping:
    """Of one machine, which `tell` has know what time it is; `after_s` None: it never rests."""

    def __init__(self, after_s: float | None, later: Later, monitor: Stoppable, tell: Order) -> None:
        self._after_s, self._later, self._monitor, self._tell = after_s, later, monitor, tell
        self._busy = 0
        self._timer: Cancellable | None = None
        self._waiting: list[Order] | None = None  # it is stopped, or about to go on

    def __repr__(self) -> str:
        state = "awake" if self._waiting is None else f"stopped, {len(self._waiting)} wait"
        return f"<Sleeping {state}, {self._busy} busy>"

    def begin(self, order: Order) -> None:
        """Something that it has to do until `end`."""
        self._busy += 1
        self.close()
        self.do(order)

    def end(self) -> None:
        """Or it has just become ready."""
        self._busy = max(self._busy - 1, 0)
        if self._busy == 0 and self._after_s is not None and self._waiting is None:
            self.close()
            self._timer = self._later(self._after_s, self._stop)

    def do(self, order: Order) -> None:
        """Now, or as soon as it is awake."""
        if self._waiting is None:
            order()
            return
        self._waiting.append(order)
        if len(self._waiting) == 1:
            self._monitor.go_on()

    def resumed(self) -> None:
        """Its monitor says that it goes on."""
        if self._waiting is not None:
            self._tell()

    def awake(self) -> None:
        """It says that it knows the time.

        Raises:
            ValueError: nobody has told it.
        """
        if not self._waiting:
            raise ValueError("it was told nothing")
        waiting, self._waiting = self._waiting, None
        for order in waiting:
            order()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop(self) -> None:
        self._waiting = []
        self._monitor.stop()
