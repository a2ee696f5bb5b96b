"""The terms of those who have led: whoever has led before the latest of them commands nobody any more."""

from math import inf


class Terms:
    """What a plane remembers. `silent_s`: a leader that says nothing for so long is not waited for any longer."""

    __slots__ = ("highest", "silent_at", "silent_s")

    def __init__(self, silent_s: float = inf) -> None:
        self.highest = 0
        self.silent_s = silent_s
        self.silent_at = inf

    def __repr__(self) -> str:
        return f"<Terms up to {self.highest}, silent at {self.silent_at:g}>"

    def hear(self, now: float, term: int) -> str:
        """Why it is not obeyed; empty: it is."""
        if term < self.highest:
            return f"it leads by term {term}, and term {self.highest} has begun: another control leads"
        self.highest = term
        self.silent_at = now + self.silent_s
        return ""

    def lose(self) -> None:
        """There is no link to it, and nothing to be missed."""
        self.silent_at = inf

    def is_silent(self, now: float) -> bool:
        """It was to say something by now."""
        return now >= self.silent_at
