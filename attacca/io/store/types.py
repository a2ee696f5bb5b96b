"""What every store offers: versioned keys, watched prefixes and leases. All of it durable when the call returns."""

import re
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

KEY = re.compile(r"[a-z0-9][A-Za-z0-9/._@~-]{0,254}")
ABSENT = 0  # the version of a key that is not there


class Entry(msgspec.Struct, frozen=True):
    """`version` grows with every write to the store, so that a key which comes back never repeats one."""

    key: str
    value: bytes
    version: int


class Change(msgspec.Struct, frozen=True):
    """The newest state of one key; `entry` is None when it is gone."""

    key: str
    entry: Entry | None


class Lease(msgspec.Struct, frozen=True):
    """A right of one holder. A later holder has a greater `fence`.

    When it ends the store's own clock decides. Whoever holds it counts `ttl_s` from before it asked, on a clock that
    does not go backwards.
    """

    key: str
    holder: str
    fence: int


class Store(Protocol):
    """Every call raises StateUnavailable when the store cannot be had now, a write StateUncertain when it may have been
    written all the same."""

    async def get(self, key: str) -> Entry | None: ...

    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None = None) -> Entry:
        """Write if the key still has this version; ABSENT: if it is not there; None: in any case.

        Raises:
            Conflict: it has another version.
            LeaseLost: `under` is not held any more.
        """

    async def delete(self, key: str, version: int | None = None, under: Lease | None = None) -> bool:
        """Whether there was something to delete.

        Raises:
            Conflict: it has another version than the one asked for.
            LeaseLost: `under` is not held any more.
        """

    async def scan(self, prefix: str) -> list[Entry]:
        """Everything below, in the order of the keys."""

    def watch(self, prefix: str) -> AsyncIterator[Change]:
        """First what is there, in the order of the keys, then each key that changes, for as long as it is read.

        States in between may be skipped; the newest never is. Writes of other processes are seen within a second of
        the store's being there.
        """

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        """Take it, or, for the one who holds it, keep it (with the same fence); None when another holds it.

        All who want one lease ask for the same `ttl_s`. A store may count in whole seconds, and lets it last longer.
        """

    async def release(self, lease: Lease) -> bool:
        """Give it up; False when it is no longer held."""

    async def close(self) -> None: ...


def checked(key: str) -> str:
    """The key itself; a malformed one is a bug of the caller."""
    assert KEY.fullmatch(key), f"{key!r} is not a key"
    return key
