"""`attacca up` on a store that machines share: one at a time, which has what another has deployed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.control.core.stored import EPOCH
from attacca.control.tenure import Tenure
from attacca.errors import Conflict, LeaseLost
from attacca.io.store.opening import open_store
from attacca.kernel.clock import SystemClock
from tests.live.stores import StoreServer, running
from tests.live.whole import Whole, until

LEASE_S = 1.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with running("redis", tmp_path_factory.mktemp("redis")) as server:
        yield server


def test_what_was_deployed_on_one_machine_is_served_by_another(store: StoreServer, tmp_path: Path) -> None:
    options = ("--set", f"store.url={store.url()}?prefix=up")
    first = Whole(tmp_path / "first", *options)
    try:
        first.function("echo", "def echo(n=0):\n    return n\n")
        with pytest.raises(pytest.fail.Exception, match="another control has the lease of this store"):
            Whole(tmp_path / "second", *options)
    finally:
        first.stop()
    third = Whole(tmp_path / "third", *options)
    try:
        assert third.call("echo", {"n": 3}).value == 3
    finally:
        third.stop()


def test_a_store_that_was_away_is_written_to_again_unless_another_has_been_there(store: StoreServer) -> None:
    async def main() -> None:
        config = store.config(timeout_s=2.0)
        raw = await open_store(config, Path("/nowhere"), SystemClock())
        await raw.put_if(EPOCH, b"1", None)
        tenure = await Tenure.take(raw, "up", LEASE_S)
        await tenure.begin()
        with pytest.raises(Conflict, match="another control"):
            await Tenure.take(raw, "other", LEASE_S / 10)
        old = tenure._lease
        assert await raw.release(old)  # as if it had ended
        async with asyncio.timeout(30):
            while tenure._lease == old:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.02)
        await tenure.store.put_if("a", b"", None)
        await raw.release(tenure._lease)
        await raw.put_if(EPOCH, b"2", None)
        assert tenure._task is not None
        async with asyncio.timeout(30):
            await tenure._task
        with pytest.raises(LeaseLost):
            await tenure.store.put_if("a", b"", None)
        assert repr(tenure) == f"<Tenure fence {tenure._lease.fence}, kept>"
        await tenure.close()
        await raw.close()

    asyncio.run(main())


def test_one_that_is_stopped_is_followed_at_once(store: StoreServer, tmp_path: Path) -> None:
    options = ("--set", f"store.url={store.url()}?prefix=next")
    for name in ("first", "second"):
        one = Whole(tmp_path / name, *options)
        until(lambda one=one: one.ask("GET", "/readyz").status == 200, "it is up")  # type: ignore[misc]
        one.stop()
