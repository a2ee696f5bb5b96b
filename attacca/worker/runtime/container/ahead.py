"""Containers that were created before anybody wanted one: the engine has done all but to have the program begin.

one has started ──▶ another of its revision is created ──▶ taken ──▶ its program begins ──▶ ready, and so on
"""

import asyncio
from collections.abc import Callable
from typing import Final

from attacca.model.function import Network, Revision
from attacca.worker.runtime.container.sandbox import Container

WAIT_S: Final = 600.0  # after the last start of its revision one goes that nobody wanted
USUALLY: Final = {"runsc": 4}  # by engine, where the settings say nothing: whose kernel takes long to begin


class ContainersAhead:
    """One each, of the revisions that were started last. `make` has one created, and `drop` it."""

    def __init__(
        self, most: int | None, make: Callable[[str, Revision], Container], drop: Callable[[Container], None]
    ) -> None:
        self._wanted, self._make, self._drop = most, make, drop
        self._most = 0
        self._of: dict[str, Container] = {}  # by function, the one that was started last at the end
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._count = 0

    def __repr__(self) -> str:
        return f"<ContainersAhead {len(self._of)} of {self._most} containers>"

    def open(self, engine: str, *, can_wait: bool) -> None:
        """From now on, where that engine can."""
        most = USUALLY.get(engine, 0) if self._wanted is None else self._wanted
        self._most = most if can_wait else 0

    def want(self, revision: Revision) -> None:
        """One has started: the next is to be there."""
        if not self._most or not may_wait(revision):
            return
        function = revision.function
        there = self._of.pop(function, None)
        if there is not None and not is_of(there, revision):
            self._let_go(there)
            there = None
        while len(self._of) >= self._most:
            self._let_go(self._of.pop(next(iter(self._of))))
        self._count += 1
        self._of[function] = there or self._make(f"ahead-{self._count}", revision)
        self._time(function)

    def take(self, revision: Revision) -> Container | None:
        """One that has been created; it is the taker's from now on."""
        one = self._of.get(revision.function)
        if one is None or one.is_doomed or not one.created.done() or not is_of(one, revision):
            return None
        self.forget(one)
        return one

    def forget(self, one: Container) -> None:
        """It is gone, or somebody's."""
        for function in [function for function, other in self._of.items() if other is one]:
            del self._of[function]
            self._timers.pop(function).cancel()

    def close(self) -> None:
        self._most = 0
        for one in list(self._of.values()):
            self.forget(one)

    def _time(self, function: str) -> None:
        if (timer := self._timers.pop(function, None)) is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._timers[function] = loop.call_later(WAIT_S, self._expire, function)

    def _expire(self, function: str) -> None:
        self._let_go(self._of.pop(function))

    def _let_go(self, one: Container) -> None:
        if (timer := self._timers.pop(one.revision.function, None)) is not None:
            timer.cancel()
        self._drop(one)


def may_wait(revision: Revision) -> bool:
    """Nothing of it is told anew at each start, nor is one sandbox's alone."""
    settings = revision.settings
    asks = settings.secrets or settings.publish or settings.gpu or settings.is_either
    return not asks and settings.network is not Network.HOST


def is_of(one: Container, revision: Revision) -> bool:
    """What was found of its program may be told of the other alone."""
    own = one.revision
    return (own.number, own.artefact, own.settings) == (revision.number, revision.artefact, revision.settings)
