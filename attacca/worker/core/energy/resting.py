"""What a machine takes when it does nothing, reckoned from what it takes at work.

A machine's power grows about as its processors are busy: the line through what was seen says what it would be without
any of that. Where it was always about as busy, no line can be drawn, and the least that was seen has to do; it is too
much, on a machine that never rests.
"""

from math import inf

VARIES = 0.05  # busy processors: so much, by the root of the mean square, a line needs
LOOKS = 10  # likewise


class Resting:
    def __init__(self) -> None:
        self._count = 0
        self._busy = self._watts = 0.0  # means
        self._busy2 = self._both = 0.0  # sums of products of what is off them
        self._least_w = inf

    def __repr__(self) -> str:
        return f"<Resting {self.idle_w:g} W after {self._count} looks>"

    def take(self, busy: float, watts: float) -> None:
        """`busy`: so many processors were, on average."""
        self._count += 1
        self._least_w = min(self._least_w, watts)
        off = busy - self._busy
        self._busy += off / self._count
        self._watts += (watts - self._watts) / self._count
        self._busy2 += off * (busy - self._busy)
        self._both += off * (watts - self._watts)

    @property
    def idle_w(self) -> float:
        """0: nothing was seen yet."""
        if self._count == 0:
            return 0.0
        if self._count < LOOKS or self._busy2 / self._count < VARIES**2:
            return self._least_w
        line_w = self._watts - self._busy * max(self._both / self._busy2, 0.0)
        return min(max(line_w, 0.0), self._least_w)
