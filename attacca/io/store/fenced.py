"""A store for whoever holds a lease: what it writes is refused once somebody else may have it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from attacca.errors import LeaseLost, StateUncertain
from attacca.io.store.types import Change, Entry, Lease, Store


class FencedStore:
    """A `types.Store` whose writes go by a lease. It is somebody else's to close.

    `doubt` hears of a write after which the store may hold something else than the writer knows.
    """

    def __init__(self, store: Store, under: Lease, doubt: Callable[[str], None]) -> None:
        self._store = store
        self._under = under
        self._doubt = doubt

    def __repr__(self) -> str:
        return f"<FencedStore {self._under.key} {self._under.fence}: {self._store!r}>"

    def renew(self, under: Lease) -> None:
        """By another lease from now on; nobody has had one in between."""
        self._under = under

    async def get(self, key: str) -> Entry | None:
        return await self._store.get(key)

    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None = None) -> Entry:
        with self._doubted():
            return await self._store.put_if(key, value, version, under or self._under)

    async def delete(self, key: str, version: int | None = None, under: Lease | None = None) -> bool:
        with self._doubted():
            return await self._store.delete(key, version, under or self._under)

    async def scan(self, prefix: str) -> list[Entry]:
        return await self._store.scan(prefix)

    def watch(self, prefix: str) -> AsyncIterator[Change]:
        return self._store.watch(prefix)

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        return await self._store.lease(key, holder, ttl_s)

    async def release(self, lease: Lease) -> bool:
        return await self._store.release(lease)

    async def close(self) -> None:
        """Not here."""

    @contextmanager
    def _doubted(self) -> Iterator[None]:
        try:
            yield
        except (LeaseLost, StateUncertain) as error:
            self._doubt(error.message)
            raise
