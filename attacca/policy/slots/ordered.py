"""Sandboxes with a free slot in the order of their names: what several policies stand on."""

from bisect import bisect_left, bisect_right, insort

from attacca.policy.slots.types import Sandbox


class Ordered:
    __slots__ = ("_last", "_names", "_sandboxes")

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sandboxes: dict[str, Sandbox] = {}
        self._last = ""  # before every name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._names)}, last {self._last or 'none'}>"

    def __len__(self) -> int:
        return len(self._names)

    def add(self, sandbox: Sandbox) -> None:
        if sandbox.id not in self._sandboxes:
            insort(self._names, sandbox.id)
        self._sandboxes[sandbox.id] = sandbox

    def discard(self, sandbox: str) -> None:
        if self._sandboxes.pop(sandbox, None) is not None:
            del self._names[bisect_left(self._names, sandbox)]

    def next(self) -> str:
        """After the one that was picked last, round and round."""
        place = bisect_right(self._names, self._last)
        self._last = self._names[place if place < len(self._names) else 0]
        return self._last
