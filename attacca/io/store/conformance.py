"""The suite that every store passes, ours and those of others: `await check_store(open_store, elapse)`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from attacca.errors import Conflict, LeaseLost
from attacca.io.store.types import ABSENT, Change, Lease, Store

Factory = Callable[[], Awaitable[Store]]  # makes an empty store
Elapse = Callable[[float], None]  # lets so many seconds go by, where the store goes by a clock that is turned by hand
TTL_S = 1.0


async def check_store(factory: Factory, elapse: Elapse = lambda _: None) -> None:
    """Each check on a store of its own.

    Raises:
        AssertionError: the store does not do what `types.Store` says.
    """
    for check in (_keys, _versions, _prefixes, _racers, _watch, _leases, _under):
        store = await factory()
        try:
            await check(store, elapse)
        finally:
            await store.close()


async def check_shared(first: Store, second: Store) -> None:
    """Two doors to the same data: each sees the other's writes, and a watcher hears of them."""
    entry = await first.put_if("a/1", b"one", ABSENT)
    assert await second.get("a/1") == entry
    assert await _is_refused(second, "a/1", b"two", ABSENT)
    changes = second.watch("a/")
    assert await _soon(changes) == Change("a/1", entry)
    newer = await first.put_if("a/1", b"two", entry.version)
    assert await _soon(changes) == Change("a/1", newer)
    await first.delete("a/1")
    assert await _soon(changes) == Change("a/1", None)
    lease = await first.lease("leader", "first", 60.0)
    assert lease is not None
    assert await second.lease("leader", "second", 60.0) is None
    await _end(changes)


async def _keys(store: Store, elapse: Elapse) -> None:
    assert await store.get("a") is None
    entry = await store.put_if("a", b"\x00\xff", None)
    assert (entry.key, entry.value) == ("a", b"\x00\xff")
    assert await store.get("a") == entry
    assert await store.delete("a")
    assert not await store.delete("a")
    assert await store.get("a") is None
    assert (await store.put_if("empty", b"", None)).value == b""


async def _versions(store: Store, elapse: Elapse) -> None:
    first = await store.put_if("a", b"1", ABSENT)
    assert first.version > ABSENT
    assert await _is_refused(store, "a", b"2", ABSENT)
    second = await store.put_if("a", b"2", first.version)
    assert second.version > first.version
    assert await _is_refused(store, "a", b"3", first.version)
    assert await store.get("a") == second
    try:
        await store.delete("a", first.version)
    except Conflict:
        pass
    else:
        raise AssertionError("an old version was deleted")
    assert await store.delete("a", second.version)
    assert (await store.put_if("a", b"4", ABSENT)).version > second.version, "a version came back"
    assert await _is_refused(store, "b", b"1", 1)


async def _prefixes(store: Store, elapse: Elapse) -> None:
    for key in ("b/2", "a/1", "b/1", "b", "b/1/x", "c"):
        await store.put_if(key, key.encode(), ABSENT)
    assert [entry.key for entry in await store.scan("b/")] == ["b/1", "b/1/x", "b/2"]
    assert [entry.key for entry in await store.scan("")] == ["a/1", "b", "b/1", "b/1/x", "b/2", "c"]
    assert await store.scan("d") == []


async def _racers(store: Store, elapse: Elapse) -> None:
    """Of many who write the same version, one wins."""
    entry = await store.put_if("n", b"0", ABSENT)
    writes = (store.put_if("n", str(number).encode(), entry.version) for number in range(8))
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    winners = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(winners) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if isinstance(outcome, BaseException)), outcomes
    assert await store.get("n") == winners[0]


async def _watch(store: Store, elapse: Elapse) -> None:
    there = await store.put_if("a/1", b"", ABSENT)
    changes = store.watch("a/")
    assert await _soon(changes) == Change("a/1", there), "a watch begins with what is there"
    await store.put_if("other", b"", ABSENT)
    new = await store.put_if("a/2", b"", ABSENT)
    assert await _soon(changes) == Change("a/2", new)
    await store.delete("a/1")
    assert await _soon(changes) == Change("a/1", None)
    for number in range(5):
        new = await store.put_if("a/2", str(number).encode(), None)
    while (change := await _soon(changes)).entry != new:
        assert change.key == "a/2"
    await _end(changes)


async def _leases(store: Store, elapse: Elapse) -> None:
    first = await store.lease("leader", "ann", TTL_S)
    assert first is not None
    assert first.holder == "ann"
    assert await store.lease("leader", "bob", TTL_S) is None
    for _ in range(3):
        elapse(TTL_S / 2)
        assert await store.lease("leader", "ann", TTL_S) == first, "whoever keeps it has the same fence"
    assert await store.lease("leader", "bob", TTL_S) is None
    elapse(2 * TTL_S)
    second = await _expired(store, "leader", "bob")
    assert second.fence > first.fence
    assert not await store.release(first), "an old holder gave up the lease of the new one"
    assert await store.lease("leader", "ann", TTL_S) is None
    assert await store.release(second)
    assert not await store.release(second)
    third = await store.lease("leader", "ann", TTL_S)
    assert third is not None
    assert third.fence > second.fence, "a fence came back"
    assert await store.lease("another", "bob", TTL_S) is not None
    racers = [store.lease("race", name, TTL_S) for name in ("ann", "bob", "cid", "dan")]
    assert sum(lease is not None for lease in await asyncio.gather(*racers)) == 1


async def _under(store: Store, elapse: Elapse) -> None:
    """Whoever has lost the lease writes nothing any more."""
    first = await store.lease("leader", "ann", TTL_S)
    assert first is not None
    entry = await store.put_if("a", b"1", ABSENT, first)
    elapse(2 * TTL_S)
    second = await _expired(store, "leader", "bob")
    assert await _is_fenced(store.put_if("a", b"2", entry.version, first))
    assert await _is_fenced(store.delete("a", entry.version, first))
    assert await store.get("a") == entry
    newer = await store.put_if("a", b"2", entry.version, second)
    assert await store.delete("a", newer.version, second)
    await store.release(second)
    assert await _is_fenced(store.put_if("a", b"3", ABSENT, second))


async def _expired(store: Store, key: str, holder: str) -> Lease:
    """Has it, once it is nobody's any more."""
    async with asyncio.timeout(10 * TTL_S):
        while (lease := await store.lease(key, holder, TTL_S)) is None:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(TTL_S / 20)
    return lease


async def _is_fenced(write: Awaitable[object]) -> bool:
    try:
        await write
    except LeaseLost:
        return True
    return False


async def _is_refused(store: Store, key: str, value: bytes, version: int) -> bool:
    try:
        await store.put_if(key, value, version)
    except Conflict:
        return True
    return False


async def _soon(changes: AsyncIterator[Change]) -> Change:
    async with asyncio.timeout(5):
        return await anext(changes)


async def _end(changes: AsyncIterator[Change]) -> None:
    close = getattr(changes, "aclose", None)
    if close is not None:
        await close()
