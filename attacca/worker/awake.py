"""Keeps an event loop from going to sleep for as long as a vigil says."""

import asyncio
import os
from collections.abc import Callable

from attacca.worker.core.vigil import Vigil


class Awake:
    """Meanwhile the loop sees to all else as ever, and whoever else wants the processor gets it at each turn."""

    def __init__(self, vigil: Vigil, now: Callable[[], float]) -> None:
        self._vigil, self._now = vigil, now
        self._is_turning = False
        self._called = ""  # the instance whose reply is awaited

    def __repr__(self) -> str:
        return f"<Awake turning={self._is_turning}, {self._vigil!r}>"

    def handed(self, function: str, busy: int) -> None:
        if busy == 1 or self._is_turning:  # else the vigil is not even asked: there is always something to do
            wants = self._vigil.handed(self._now(), function, busy)
            if wants and not self._is_turning:
                self._turn()

    def answered(self, function: str, busy: int) -> None:
        if busy == 0 or self._is_turning:
            wants = self._vigil.answered(self._now(), function, busy)
            if wants and not self._is_turning:
                self._turn()

    def called(self, instance: str) -> None:
        """By another, which does nothing until it has the reply."""
        self._called = instance
        self.handed(instance, 1)

    def replied(self, instance: str) -> None:
        if instance == self._called:
            self._called = ""
            self.answered(instance, 0)

    def _turn(self) -> None:
        """A loop that has something to call does not sleep."""
        self._is_turning = True
        asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        if self._vigil.goes_on(self._now()):
            os.sched_yield()
            self._turn()
        else:
            self._is_turning = False
