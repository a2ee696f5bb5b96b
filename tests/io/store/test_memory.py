import asyncio

from attacca.io.store.conformance import check_shared, check_store
from attacca.io.store.memory import MemoryStore
from attacca.io.store.types import Store
from attacca.kernel.clock import Clock, ManualClock


async def memory(clock: Clock) -> Store:
    return MemoryStore(clock)


def test_the_memory_store_does_what_a_store_does() -> None:
    asyncio.run(check_store(memory))


def test_two_readers_of_one_memory_share_it() -> None:
    store = MemoryStore(ManualClock())
    asyncio.run(check_shared(store, store))
