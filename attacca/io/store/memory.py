"""A store that forgets when the process ends: the twin of the durable ones, for tests and the simulator."""

import asyncio
from collections.abc import AsyncIterator

from attacca.errors import Conflict, LeaseLost
from attacca.io.store.types import ABSENT, Change, Entry, Lease, checked
from attacca.kernel.clock import Clock


class MemoryStore:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._leases: dict[str, tuple[Lease, float]] = {}  # and until when
        self._count = 0
        self._watchers: list[asyncio.Event] = []

    async def get(self, key: str) -> Entry | None:
        return self._entries.get(checked(key))

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._entries)} entries, {len(self._leases)} leases, {self._count} writes>"

    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None = None) -> Entry:
        self._expect(checked(key), version, under)
        entry = self._entries[key] = Entry(key, value, self._next())
        self._wake()
        return entry

    async def delete(self, key: str, version: int | None = None, under: Lease | None = None) -> bool:
        self._expect(checked(key), version, under)
        if self._entries.pop(key, None) is None:
            return False
        self._wake()
        return True

    async def scan(self, prefix: str) -> list[Entry]:
        return [self._entries[key] for key in sorted(self._entries) if key.startswith(prefix)]

    async def watch(self, prefix: str) -> AsyncIterator[Change]:
        changed = asyncio.Event()
        self._watchers.append(changed)
        seen: dict[str, Entry] = {}
        try:
            while True:
                changed.clear()
                now = {entry.key: entry for entry in await self.scan(prefix)}
                for change in differences(seen, now):
                    yield change
                seen = now
                await changed.wait()
        finally:
            self._watchers.remove(changed)

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        held = self._held(checked(key))
        if held is not None and held.holder != holder:
            return None
        lease = Lease(key, holder, self._next()) if held is None else held
        self._leases[key] = lease, self._clock.now() + ttl_s
        return lease

    async def release(self, lease: Lease) -> bool:
        if self._held(lease.key) != lease:
            return False
        del self._leases[lease.key]
        return True

    async def close(self) -> None:
        """Nothing to let go of."""

    def _held(self, key: str) -> Lease | None:
        lease, until = self._leases.get(key, (None, 0.0))
        return lease if until > self._clock.now() else None

    def _expect(self, key: str, version: int | None, under: Lease | None) -> None:
        if under is not None and self._held(under.key) != under:
            raise lost(under)
        entry = self._entries.get(key)
        found = ABSENT if entry is None else entry.version
        if version is not None and version != found:
            raise conflict(key, version, found)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _wake(self) -> None:
        for changed in self._watchers:
            changed.set()


def differences(before: dict[str, Entry], after: dict[str, Entry]) -> list[Change]:
    """What a watcher who knew `before` has to be told."""
    found = [Change(key, entry) for key, entry in after.items() if key not in before or before[key] != entry]
    found += [Change(key, None) for key in before if key not in after]
    return sorted(found, key=lambda change: change.key)


def conflict(key: str, version: int, found: int) -> Conflict:
    state = "is not there" if found == ABSENT else f"is at version {found}"
    wanted = "absent" if version == ABSENT else f"at version {version}"
    return Conflict(f"{key} {state}, expected {wanted}: someone else changed it first", "read it again and retry")


def lost(lease: Lease) -> LeaseLost:
    what = f"{lease.holder} does not hold the lease {lease.key!r} any more"
    return LeaseLost(what, "whoever holds it now goes on; ask there")
