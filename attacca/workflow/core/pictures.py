"""The latest pictures of a domain: whoever saw one of them, and comes again, is told what has changed since."""

from collections import deque

from attacca.workflow.core.state import DomainState

KEPT_MOST = 128


class Pictures:
    """`run`: sets the ids of this control apart from those of others, and of itself before it was started anew."""

    def __init__(self, run: str, most: int = KEPT_MOST) -> None:
        self._run = run
        self._kept: deque[DomainState] = deque(maxlen=most)
        self._count = 0

    def __repr__(self) -> str:
        return f"<Pictures {len(self._kept)} kept of {self._count}>"

    def keep(self, picture: DomainState) -> str:
        """Its id."""
        self._kept.append(picture)
        self._count += 1
        return f"{self._run}-{self._count}"

    def find(self, name: str) -> DomainState | None:
        """None: it is none of the latest, or none of this control's."""
        run, _, number = name.rpartition("-")
        if run != self._run or not (number.isascii() and number.isdecimal()) or len(number) > len(str(self._count)):
            return None
        behind = self._count - int(number)
        return self._kept[-1 - behind] if 0 <= behind < len(self._kept) else None
