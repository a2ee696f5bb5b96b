"""How fast somebody may talk to us who has not been asked."""

from collections.abc import Callable

PIECE_S = 0.016  # what may be said at once, in seconds of the rate


class Pace:
    """`rate` units per second; what comes faster is waited for. The clock is looked at once in a while."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._piece = rate * PIECE_S
        self._said, self._since = 0.0, clock()

    def __repr__(self) -> str:
        return f"<Pace {self._said:.0f} of {self._piece:.0f}>"

    def wait_s(self, units: float) -> float:
        """So much more was said: how long to listen no more. 0.0: not at all."""
        self._said += units
        if self._said < self._piece:
            return 0.0
        now, due = self._clock(), self._since + self._said / self._rate
        self._said, self._since = 0.0, max(now, due)
        return max(due - now, 0.0)
