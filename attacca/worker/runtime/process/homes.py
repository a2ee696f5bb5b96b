"""Whose file system each sandbox is born in that has nothing else than its code before it.

To put one together takes a small sandbox a fourth of its start, and two waits for the kernel. So the first one of a
function, once it has put together what all of them see, goes on in a copy, and the zygote keeps what it left: a *home*,
of which those after it are born with copies. What is each one's own, /proc, /tmp, /dev/shm and secrets, is in no home.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol

from attacca.worker.runtime.process.zygote.spawn_spec import NEW_HOME

MOST = 64  # homes; each takes the kernel some 20 KB
REST_S = 60.0  # after which one that nobody was born in is let go of, and with it the code that was removed meanwhile
NONE = 0  # it puts together all by itself


class Maker(Protocol):
    """A sandbox. When it is ready, it has long left what it put together."""

    is_ready: bool


class Homes:
    """A home's number is from 1 up to `most`; that which is to become one has NEW_HOME in it besides."""

    def __init__(self, most: int = MOST) -> None:
        self._unused = list(range(most, 0, -1))
        self._homes: OrderedDict[Hashable, tuple[int, Maker]] = OrderedDict()  # the longest unused first
        self._used: dict[int, float] = {}  # when, by number

    def __repr__(self) -> str:
        return f"<Homes {len(self._homes)} of {len(self._homes) + len(self._unused)}>"

    def __len__(self) -> int:
        return len(self._homes)

    def take(self, what: Hashable, maker: Maker, now: float) -> int:
        """For one sandbox that is to see `what`."""
        if (found := self._homes.get(what)) is not None:
            number, made_by = found
            if not made_by.is_ready:
                return NONE
            self._homes.move_to_end(what)
            self._used[number] = now
            return number
        if not self._unused:
            oldest, (number, made_by) = next(iter(self._homes.items()))
            if not made_by.is_ready:
                return NONE
            self._drop(oldest, number)
        number = self._unused.pop()
        self._homes[what], self._used[number] = (number, maker), now
        return number | NEW_HOME

    def leave(self, word: int, maker: Maker) -> None:
        """That sandbox is no more. Where one came to nothing, none is born any more."""
        if word == NONE or maker.is_ready:
            return
        for what, (number, made_by) in self._homes.items():
            if number == word & ~NEW_HOME and (made_by is maker or not word & NEW_HOME):
                self._drop(what, number)
                return

    def rested(self, now: float) -> list[int]:
        """Those in which nobody was born for REST_S: they are none any more."""
        old = [
            (what, number)
            for what, (number, made_by) in self._homes.items()
            if made_by.is_ready and now - self._used[number] >= REST_S
        ]
        for what, number in old:
            self._drop(what, number)
        return [number for _, number in old]

    def forget(self) -> None:
        """Who kept them is gone."""
        for what, (number, _) in list(self._homes.items()):
            self._drop(what, number)

    def _drop(self, what: Hashable, number: int) -> None:
        del self._homes[what], self._used[number]
        self._unused.append(number)
