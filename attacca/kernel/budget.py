"""Bytes that many may hold together, shared out so that no owner can take all of them."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple


class Waiting(NamedTuple):
    owner: str
    size: int
    granted: Callable[[], None]


class Budget:
    """`total` bytes for all owners together, `share` of them for one. An owner is whoever the bytes are held for: a
    function's name, say. What is taken is given back by whoever took it."""

    def __init__(self, total: int, share: int) -> None:
        self.total, self.share = total, min(share, total)
        self.held = 0
        self._by_owner: dict[str, int] = {}
        self._waiting: deque[Waiting] = deque()

    def __repr__(self) -> str:
        return f"<Budget {self.held} of {self.total}, {len(self._by_owner)} owners, {len(self._waiting)} waiting>"

    def of(self, owner: str) -> int:
        """What this owner holds."""
        return self._by_owner.get(owner, 0)

    @property
    def waiting(self) -> int:
        """How many have asked and not got."""
        return len(self._waiting)

    def is_wanted(self, owner: str) -> bool:
        """Does somebody wait who might be served if this owner gave back what it has?"""
        return any(asked.owner == owner or self._is_within_share(asked) for asked in self._waiting)

    def _is_within_share(self, asked: Waiting) -> bool:
        return asked.size <= self.share - self.of(asked.owner)

    def take(self, owner: str, size: int) -> bool:
        """Take it now, or nothing: False. Who waits does not come before who can be served at once, but is the first to
        be asked when something is given back."""
        if size > self.total - self.held or size > self.share - self.of(owner):
            return False
        if size:
            self.held += size
            self._by_owner[owner] = self.of(owner) + size
        return True

    def wait(self, owner: str, size: int, granted: Callable[[], None]) -> Waiting:
        """Call `granted`, once, when this much has been taken for the owner: in the order of asking, owners apart.

        Raises:
            ValueError: no owner can ever have so much.
        """
        if size > self.share:
            raise ValueError(f"{size} bytes are more than one owner's share of {self.share}")
        asked = Waiting(owner, size, granted)
        self._waiting.append(asked)
        return asked

    def withdraw(self, asked: Waiting) -> None:
        """No longer wanted; nothing happens where it was granted already."""
        self._waiting = deque(one for one in self._waiting if one is not asked)

    def give(self, owner: str, size: int) -> None:
        """Give back, and grant what can be granted now."""
        left = self.of(owner) - size
        assert left >= 0, (owner, size, left)
        self.held -= size
        if left:
            self._by_owner[owner] = left
        else:
            self._by_owner.pop(owner, None)
        granted = []
        blocked: set[str] = set()
        still: deque[Waiting] = deque()
        for asked in self._waiting:
            if asked.owner not in blocked and self.take(asked.owner, asked.size):
                granted.append(asked)
            else:
                blocked.add(asked.owner)  # its later ones do not overtake
                still.append(asked)
        self._waiting = still
        for asked in granted:
            asked.granted()
