"""Which of the machine's users each function is, where we may choose: what the kernel counts by user, descriptors on
their way and the buffers of pipes among it, is then counted by function."""

from collections import deque


class Users:
    """Numbers from 1 up to, not including, `count`; 0 for all where there is nothing to choose from. A number that was
    let go of is given out again as late as possible."""

    def __init__(self, count: int) -> None:
        self._free = deque(range(1, count))
        self._taken: dict[str, list[int]] = {}  # by function: its number, and how many hold it

    def __repr__(self) -> str:
        return f"<Users {len(self._taken)} taken, {len(self._free)} free>"

    def take(self, function: str) -> int:
        if (held := self._taken.get(function)) is not None:
            held[1] += 1
            return held[0]
        number = self._free.popleft() if self._free else 0
        self._taken[function] = [number, 1]  # also 0, so that all that hold it are the same until the last lets go
        return number

    def give(self, function: str) -> None:
        if (held := self._taken.get(function)) is None:
            return
        held[1] -= 1
        if held[1] == 0:
            del self._taken[function]
            if held[0]:
                self._free.append(held[0])
