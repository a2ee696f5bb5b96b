import asyncio

from attacca.io.store.conformance import check_shared, check_store
from attacca.io.store.memory import MemoryStore
from attacca.io.store.types import ABSENT, Store
from attacca.kernel.clock import ManualClock


def test_the_memory_store_does_what_a_store_does() -> None:
    clock = ManualClock(1000.0)

    async def memory() -> Store:
        return MemoryStore(clock)

    def elapse(seconds: float) -> None:
        clock.time += seconds

    asyncio.run(check_store(memory, elapse))


def test_two_readers_of_one_memory_share_it() -> None:
    store = MemoryStore(ManualClock())
    asyncio.run(check_shared(store, store))


def test_it_says_what_it_has() -> None:
    store = MemoryStore(ManualClock())

    async def fill() -> None:
        await store.put_if("a", b"", ABSENT)
        await store.lease("leader", "ann", 1.0)

    asyncio.run(fill())
    assert repr(store) == "<MemoryStore 1 entries, 1 leases, 2 writes>"
