"""What nodes host is in the store, and who comes next believes all of it or nothing."""

import asyncio

import msgspec
import pytest

from attacca.errors import StateCorrupt
from attacca.io.store.memory import MemoryStore
from attacca.kernel.clock import ManualClock
from attacca.model.events import StartInstance
from attacca.model.function import Revision, Settings, Signature, WasmModule
from attacca.workflow.dialects.edgeless.nodes.shelf import HOSTED, Kept, Shelf, is_whole

NODE, OTHER = "c1958bff-e06a-4848-92df-f171c73f600c", "c1958bff-e06a-4848-92df-f171c73f600d"


def kept(name: str, id_: str = "there", nonce: int = 7) -> Kept:
    made = Revision(
        function="w.f", number=1, settings=Settings(name="f"), handler="", signature=Signature.EVENTS,
        artefact=WasmModule("digest"),
    )  # fmt: skip
    return Kept(NODE, nonce, StartInstance(name, "w", "f", made), {"out": "id"}, id_)


def test_it_is_found_again_until_it_has_ended() -> None:
    async def story() -> None:
        store = MemoryStore(ManualClock())
        shelf = Shelf(store)
        name = await shelf.identity()
        assert await Shelf(store).identity() == name
        for one in (kept("w.f.1", ""), kept("w.f~2.1"), kept("w.f.1")):
            await shelf.put(one)
        assert await Shelf(store).of(NODE) == [kept("w.f.1"), kept("w.f~2.1")]
        assert (await shelf.of(OTHER), await shelf.nodes()) == ([], {NODE})
        await shelf.drop(NODE, "w.f.1")
        assert await shelf.of(NODE) == [kept("w.f~2.1")]
        await shelf.clear(OTHER)
        await shelf.clear(NODE)
        assert await shelf.nodes() == set()
        await store.put_if(f"{HOSTED}{NODE}/x", b"{}", None)
        with pytest.raises(StateCorrupt, match="cannot be read"):
            await shelf.of(NODE)

    asyncio.run(story())


def test_all_of_it_goes_on_or_nothing() -> None:
    assert is_whole([kept("w.f.1"), kept("w.f.2")], 7)
    assert not is_whole([], 7), "the node may have what somebody else has begun"
    assert not is_whole([kept("w.f.1"), kept("w.f.2", "")], 7), "it may have that, or not"
    assert not is_whole([kept("w.f.1")], 8), "its process is another"
    order = msgspec.structs.replace(kept("w.f.3").start, is_standby=True)
    spare = Kept(NODE, 7, order, {})
    assert is_whole([spare], 7), "what stands by has not begun there"
    assert not is_whole([spare, kept("w.f.2", "")], 7)
