import asyncio

import pytest

from attacca.errors import Conflict, LeaseLost
from attacca.io.store.conformance import check_store
from attacca.io.store.fenced import FencedStore
from attacca.io.store.memory import MemoryStore
from attacca.io.store.types import ABSENT, Store
from attacca.kernel.clock import ManualClock


def test_it_does_what_a_store_does_while_the_lease_is_held() -> None:
    clock = ManualClock(1000.0)

    def elapse(seconds: float) -> None:
        clock.time += seconds

    async def fenced() -> Store:
        store = MemoryStore(clock)
        lease = await store.lease("control", "ann", 1e6)
        assert lease is not None
        return FencedStore(store, lease, lambda _: None)

    asyncio.run(check_store(fenced, elapse))


def test_whoever_has_lost_the_lease_writes_nothing_and_hears_of_it() -> None:
    async def main() -> None:
        clock, doubts = ManualClock(), list[str]()
        store = MemoryStore(clock)
        lease = await store.lease("control", "ann", 2.0)
        assert lease is not None
        fenced = FencedStore(store, lease, doubts.append)
        entry = await fenced.put_if("a", b"1", ABSENT)
        with pytest.raises(Conflict):
            await fenced.put_if("a", b"2", ABSENT)
        assert doubts == [], "somebody else's write is no doubt"
        clock.time = 2.0
        with pytest.raises(LeaseLost):
            await fenced.put_if("a", b"2", entry.version)
        with pytest.raises(LeaseLost):
            await fenced.delete("a")
        assert await store.get("a") == entry
        assert doubts == ["ann does not hold the lease 'control' any more"] * 2
        assert repr(fenced) == "<FencedStore control 1: <MemoryStore 1 entries, 1 leases, 2 writes>>"

    asyncio.run(main())
