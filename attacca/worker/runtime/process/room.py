"""How much of what sandboxes have begun to say is held for them, all together and each function."""

from collections.abc import Callable

from attacca.kernel.budget import Budget, Waiting


class Share:
    """One link's part of the budget, for `guest.link.Room`: it asks for one frame at a time."""

    def __init__(self, budget: Budget, owner: str) -> None:
        self._budget, self._owner = budget, owner
        self._asked: Waiting | None = None

    def __repr__(self) -> str:
        return f"<Share of {self._owner}{', waiting' if self._asked is not None else ''}>"

    def take(self, size: int, granted: Callable[[], None]) -> bool:
        if self._budget.take(self._owner, size):
            return True

        def grant() -> None:
            self._asked = None
            granted()

        self._asked = self._budget.wait(self._owner, size, grant)
        return False

    def give(self, size: int) -> None:
        if self._asked is not None:
            self._budget.withdraw(self._asked)
            self._asked = None
        else:
            self._budget.give(self._owner, size)
