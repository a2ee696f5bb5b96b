"""Room for what the gateway holds: had before a request is read or an answer written, and charged to its function."""

from collections.abc import Callable

from attacca.errors import Overloaded
from attacca.gateway.config import FUNCTION_SHARE, PIECES_SHARE, GatewayConfig
from attacca.kernel.budget import Budget, Waiting

MB = 1024 * 1024
WAITING_MOST = 256  # who comes after so many does not wait: each that leaves has to be found among them


class Rooms:
    """Budgets apart, so that large bodies do not stand in the way of small ones, nor unread answers of either."""

    def __init__(self, config: GatewayConfig) -> None:
        size = int(config.buffers_mb * MB)
        self.bodies = _budget(size - int(size * PIECES_SHARE))
        self.pieces = _budget(int(size * PIECES_SHARE))
        self.answers = _budget(size)

    def __repr__(self) -> str:
        return f"<Rooms {self.bodies!r} {self.pieces!r} {self.answers!r}>"


def _budget(size: int) -> Budget:
    return Budget(size, int(size * FUNCTION_SHARE))


class Room:
    """What one request, or one connection, has of a budget, or waits for."""

    __slots__ = ("_budget", "_owner", "_waiting", "size")

    def __init__(self, budget: Budget, owner: str) -> None:
        self._budget = budget
        self._owner = owner
        self._waiting: Waiting | None = None
        self.size = 0

    def __repr__(self) -> str:
        return f"<Room of {self.size} bytes for {self._owner!r}, {'waiting' if self.is_waiting else 'had'}>"

    def take(self, size: int) -> bool:
        """Now, instead of what it had; where there is no room for more, it has what it had."""
        more = size - self.size
        if more < 0:
            self._budget.give(self._owner, -more)
        elif not self._budget.take(self._owner, more):
            return False
        self.size = size
        return True

    def wait(self, size: int, granted: Callable[[], None]) -> bool:
        """Call `granted` when it has this, instead of nothing. False: too many wait, or there never is so much."""
        budget = self._budget
        if budget.waiting >= WAITING_MOST or size > budget.share:
            return False

        def grant() -> None:
            self._waiting, self.size = None, size
            granted()

        self._waiting = budget.wait(self._owner, size, grant)
        return True

    @property
    def is_waiting(self) -> bool:
        return self._waiting is not None

    @property
    def is_wanted(self) -> bool:
        """Does somebody wait for it?"""
        return self.size > 0 and self._budget.is_wanted(self._owner)

    @property
    def is_crowded(self) -> bool:
        """Is more than half taken of what its owner may have, or of all?"""
        budget = self._budget
        return 2 * budget.of(self._owner) > budget.share or 2 * budget.held > budget.total

    def leave(self) -> None:
        if self._waiting is not None:
            self._budget.withdraw(self._waiting)
            self._waiting = None
        size, self.size = self.size, 0
        if size:
            self._budget.give(self._owner, size)


def overloaded(what: str) -> Overloaded:
    return Overloaded(
        f"there is no room for {what}: others hold all that one function may hold here",
        "send it again a little later; or raise gateway.buffers_mb",
    )
