"""In which of the zygote's networks each sandbox is born that has only itself to talk to.

The kernel takes about as long to make such a network and to take it down as a small sandbox takes to start. Nothing
but sockets can be left in one, and those end with their processes; but it counts what has passed. So one in which
nobody lives any more is given to the next sandbox of the same function, and to no other's.
"""

import itertools
from collections import OrderedDict

from attacca.worker.runtime.process.zygote.spawn_spec import NEW_NETWORK

MOST = 64  # networks; each takes the kernel some 100 KB
OWN = 0  # it makes one itself, as there are no more


class Berths:
    """A berth's number is from 1 up to `most`; one that is to be made new has NEW_NETWORK in it besides."""

    def __init__(self, most: int = MOST) -> None:
        self._unused = iter(range(1, most + 1))
        self._free: dict[str, list[int]] = {}  # by function
        self._resting: OrderedDict[int, str] = OrderedDict()  # those free, the longest unused first
        self._lived: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<Berths {len(self._lived)} taken, {len(self._resting)} free>"

    def take(self, function: str) -> int:
        """For one sandbox."""
        if free := self._free.get(function):
            berth = free[-1]
            self._leave_rest(berth)
            word = berth
        elif (berth := next(self._unused, OWN)) != OWN:
            word = berth | NEW_NETWORK
        elif self._resting:
            berth = next(iter(self._resting))
            self._leave_rest(berth)
            word = berth | NEW_NETWORK
        else:
            return OWN
        self._lived[berth] = function
        return word

    def give(self, word: int, *, is_over: bool) -> None:
        """That sandbox is no more. Not `is_over`: nobody saw it end, and what was its network is no other's."""
        berth = word & ~NEW_NETWORK
        if berth == OWN:
            return
        function = self._lived.pop(berth)
        if is_over:
            self._free.setdefault(function, []).append(berth)
            self._resting[berth] = function
        else:
            self._unused = itertools.chain(self._unused, (berth,))

    def _leave_rest(self, berth: int) -> None:
        function = self._resting.pop(berth)
        self._free[function].remove(berth)
        if not self._free[function]:
            del self._free[function]
