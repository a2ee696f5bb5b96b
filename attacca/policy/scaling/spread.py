"""So that not too many sandboxes of all functions are made, or stopped, in one tick: what is planned begins earlier, or
ends later."""

from collections.abc import Iterable, Sequence

Steps = list[tuple[int, int]]  # (tick, by how many more or fewer), in order
KEPT = 4096  # ticks in the books, before those that are over are left out


class Spread:
    """What all plans together do in each tick from now on; a plan is withdrawn before its function makes another."""

    __slots__ = ("_falls", "_limit", "_rises")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rises: dict[int, int] = {}  # by tick
        self._falls: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<Spread {sum(self._rises.values())} up, {sum(self._falls.values())} down>"

    def plan(self, now: int, there: int, wanted: Sequence[tuple[int, int]]) -> Steps:
        """Steps that bring `there` sandboxes to each of the wanted (from this tick on, so many), and never below.

        Where a tick is full, the rest rises in the one before, and falls in the one after. What cannot rise earlier, as
        it is now, does so now.
        """
        self._forget(now)
        rises: dict[int, int] = {}
        falls: dict[int, int] = {}
        before = there
        for at, count in wanted:
            if count > before:
                self._rise(now, max(at, now), count - before, rises)
            elif count < before:
                self._fall(max(at, now), before - count, falls)
            before = count
        return sorted([*rises.items(), *((at, -count) for at, count in falls.items())])

    def withdraw(self, steps: Iterable[tuple[int, int]]) -> None:
        for at, change in steps:
            books = self._rises if change > 0 else self._falls
            left = books.get(at, 0) - abs(change)
            if left > 0:
                books[at] = left
            else:
                books.pop(at, None)

    def _rise(self, now: int, at: int, count: int, rises: dict[int, int]) -> None:
        while count:
            taken = count if at == now else min(count, max(0, self._limit - self._rises.get(at, 0)))
            if taken:
                self._rises[at] = self._rises.get(at, 0) + taken
                rises[at] = rises.get(at, 0) + taken
                count -= taken
            at -= 1

    def _fall(self, at: int, count: int, falls: dict[int, int]) -> None:
        while count:
            taken = min(count, max(0, self._limit - self._falls.get(at, 0)))
            if taken:
                self._falls[at] = self._falls.get(at, 0) + taken
                falls[at] = falls.get(at, 0) + taken
                count -= taken
            at += 1

    def _forget(self, now: int) -> None:
        if len(self._rises) + len(self._falls) > KEPT:
            self._rises = {at: count for at, count in self._rises.items() if at >= now}
            self._falls = {at: count for at, count in self._falls.items() if at >= now}
