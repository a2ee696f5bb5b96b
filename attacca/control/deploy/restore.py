"""What the store holds at the start, and what of it is not on the disk any more."""

import logging
from collections.abc import Iterable

from attacca.control.core.cordons import CORDONED
from attacca.control.core.events import Restored
from attacca.control.core.stored import EPOCH, FUNCTIONS, decode, read_epoch
from attacca.control.deploy.state import StateDir
from attacca.io.store.types import Store
from attacca.model.function import Revision

LOG = logging.getLogger("attacca.control")


async def restore(store: Store, state: StateDir, *, is_shared: bool = False) -> Restored:
    """All but the secrets. `is_shared`: the store is not only ours, and what lies on the disk no more than a copy.

    Raises:
        StateCorrupt: an entry cannot be read, or there is code that no entry knows of.
    """
    functions = tuple([(decode(entry.key, entry.value), entry.version) for entry in await store.scan(FUNCTIONS)])
    last = await store.get(EPOCH)
    if last is None:
        if not is_shared:
            state.expect_no_code()
        return Restored(functions)
    cordoned = tuple([entry.key.removeprefix(CORDONED) for entry in await store.scan(CORDONED)])
    return Restored(functions, epoch=read_epoch(last.value), epoch_version=last.version, cordoned=cordoned)


def tell_missing(state: StateDir, revisions: Iterable[Revision]) -> None:
    """The others work; and who deploys this one again has it back."""
    for revision in revisions:
        for path in state.missing(revision.artefact):
            LOG.warning("%s cannot start: %s is gone; deploy it again, or restore that", revision.id, path)
