"""When to look whether a program listens, so that who looks is seldom in the way of those who start.

A look is two system calls and a turn of the worker's loop, and nobody tells when a port begins to be listened on. Where
many start at once on few processors each takes long, and the looks for all of them are work that they wait for. So
nobody looks for one before half of the time that the one before took, if that was a moment ago.
"""

FIRST_S, MOST_S, SHARE = 0.001, 0.05, 16  # between two looks for somebody who listens: a part of what has passed
FRESH_S = 1.0  # after which what one took says nothing of the next: then there was no hurry
MOST_KNOWN = 1024


def pause_s(passed_s: float) -> float:
    """Until the next look, when nobody has been there for so long."""
    return min(max(FIRST_S, passed_s / SHARE), MOST_S)


class Patience:
    """Of each revision, how long its last container took from its start until somebody listened."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}  # when that was, and how long it took

    def __repr__(self) -> str:
        return f"<Patience with {len(self._last)}>"

    def quiet_s(self, revision: str, now: float) -> float:
        """How long nobody need look for the next."""
        at, took_s = self._last.get(revision, (0.0, 0.0))
        return took_s / 2 if now - at <= FRESH_S else 0.0

    def took(self, revision: str, now: float, took_s: float) -> None:
        if len(self._last) >= MOST_KNOWN and revision not in self._last:
            self._last.clear()
        self._last[revision] = now, took_s
