"""What nodes host for us, in the store: a control that begins anew finds it there, and does not begin it again.

begins ──▶ Start at the node ──▶ begun, with its id there ──▶ ended
   │ a control ends in between
   └──▶ nobody knows whether the node has it: the next one has the node forget all

One that stands by is here before it begins: the node has nothing of it until then.
"""

import msgspec

from attacca.errors import StateCorrupt
from attacca.io.store.types import Store
from attacca.model.events import StartInstance
from attacca.workflow.dialects.edgeless.nodes.addresses import drawn

HOSTED, SELF = "edgeless-hosted/", "edgeless-self"


class Kept(msgspec.Struct, frozen=True):
    """One instance. `nonce`: of the node's process; `outlets`: by output, the id to which the node sends what comes
    there; `id`: that the node has given it; empty: it may have it, or not, unless that one stands by."""

    node: str
    nonce: int
    start: StartInstance
    outlets: dict[str, str]
    id: str = ""


class Shelf:
    """Each of these raises StateUnavailable where the store cannot be had."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"<Shelf in {self._store!r}>"

    async def identity(self) -> str:
        """Of the node that we are to them: what they were told to send to leads there still."""
        known = await self._store.get(SELF)
        if known is not None:
            return known.value.decode()
        made = drawn()
        await self._store.put_if(SELF, made.encode(), None)
        return made

    async def of(self, node: str) -> list[Kept]:
        """
        Raises:
            StateCorrupt: what lies there is something else.
        """
        try:
            return [msgspec.json.decode(one.value, type=Kept) for one in await self._store.scan(f"{HOSTED}{node}/")]
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise StateCorrupt(f"what {node} hosts cannot be read: {error}", "restore the store") from None

    async def nodes(self) -> set[str]:
        """Those of which there is something."""
        return {one.key.removeprefix(HOSTED).partition("/")[0] for one in await self._store.scan(HOSTED)}

    async def put(self, kept: Kept) -> None:
        await self._store.put_if(f"{HOSTED}{kept.node}/{kept.start.id}", msgspec.json.encode(kept), None)

    async def drop(self, node: str, instance: str) -> None:
        await self._store.delete(f"{HOSTED}{node}/{instance}")

    async def clear(self, node: str) -> None:
        for one in await self._store.scan(f"{HOSTED}{node}/"):
            await self._store.delete(one.key)


def is_whole(kept: list[Kept], nonce: int) -> bool:
    """The node's process has these, and nothing else of ours."""
    return bool(kept) and all((one.id or one.start.is_standby) and one.nonce == nonce for one in kept)
