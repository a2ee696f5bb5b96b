"""A loop whose clock we set, that counts its turns, and writes down what escapes to it."""

import asyncio
import contextlib
import os
import time
from typing import Any

from attacca.guest.link import Link

PATIENCE_S = 1.0


class Warped(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.ahead_s, self.turn = 0.0, 0
        super().__init__()
        self.trouble: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.trouble.append(context))

    def time(self) -> float:
        return super().time() + self.ahead_s

    def _run_once(self) -> None:
        self.turn += 1
        super()._run_once()  # type: ignore[misc]

    def turns(self, count: int) -> None:
        async def some() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.run_until_complete(some())

    def wait(self, seconds: float) -> None:
        self.ahead_s += seconds
        self.turns(3)

    def hear_out(self, link: Link) -> None:
        """Until all that has come is taken, also of somebody who is listened to slowly."""
        self.turns(2)
        while link.is_open and (link._held is not None or link._rests is not None):
            self.wait(0.05 if link._rests is not None else 0.0)
        self.turns(2)

    def raise_trouble(self) -> None:
        trouble, self.trouble = self.trouble, []
        if trouble:
            raise trouble[0].get("exception") or AssertionError(trouble[0]["message"])


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def left_open(before: set[str], loop: Warped) -> list[str]:
    """What descriptors lead to that were not there `before`, when whoever else is in this process has had time to close
    its own."""
    end = time.monotonic() + PATIENCE_S
    while (more := descriptors() - before) and time.monotonic() < end:
        loop.wait(0.05)
    found = []
    for number in more:
        with contextlib.suppress(OSError):  # the one by which the directory was read
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return found
