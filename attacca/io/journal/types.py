"""What every journal of asynchronous calls offers: conditional writes, durable when told, and leases of their owners.

A journal belongs to one gateway, the `owner` that it was opened by; several may share what is behind it.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from attacca.model.async_call import AsyncCall, Mark, Record, Result, State, Write

Told = Callable[[Result], None]


class Amount(msgspec.Struct, frozen=True):
    """How much there is, of all owners."""

    waiting: int = 0
    done: int = 0
    dead: int = 0
    cancelled: int = 0
    bytes: int = 0  # of requests and answers


class Journal(Protocol):
    def write(self, write: Write, told: Told) -> None:
        """`told` hears on the loop what came of it, once that is durable; writes are settled in their order."""

    async def find(self, call: str) -> Record | None:
        """All that is known of it, whoever owns it."""

    async def latest(self, state: State | None, function: str | None, limit: int) -> list[AsyncCall]:
        """The latest first."""

    async def claim(self, lease_s: float, limit: int) -> list[AsyncCall]:
        """Keep what is ours for so long, and take over what is open and whose owner has not done the same in time."""

    async def leave(self) -> None:
        """What is ours may be taken over at once."""

    async def marks(self) -> dict[str, Mark]:
        """Until when each schedule is settled, and how often it was missed in all."""

    async def sweep(self, now: float, bytes_most: int) -> int:
        """Forget what has expired, and of what is over the oldest, until no more than so many bytes are kept; how many
        were forgotten. `now` in seconds since 1970."""

    async def amount(self) -> Amount: ...
    async def close(self) -> None:
        """Write what waits, and let go."""
