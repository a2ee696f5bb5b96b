"""The lease of a server that has its control within: it is waited for at the start, and kept as long as it runs.

There is no other to take over. But nobody else may write to the same store meanwhile, and whoever has done so while
this one did not reach it has the last word.
"""

import asyncio
import contextlib
import logging
import secrets
from typing import Self

from attacca.control.core.stored import EPOCH
from attacca.control.leadership import LEASE
from attacca.errors import AttaccaError, Conflict
from attacca.io.store.fenced import FencedStore
from attacca.io.store.types import Lease, Store

LOG = logging.getLogger("attacca.leadership")
RENEWALS = 5  # of the lease in its time
PATIENCE = 3  # times that it lasts: so long it is waited for


class Tenure:
    """`store` is the one to write by."""

    def __init__(self, store: Store, lease: Lease, lease_s: float) -> None:
        self.store = FencedStore(store, lease, LOG.error)
        self._raw, self._lease, self._lease_s = store, lease, lease_s
        self._epoch = 0  # its version in the store
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Tenure fence {self._lease.fence}, {'kept' if self._task is not None else 'not kept yet'}>"

    @classmethod
    async def take(cls, store: Store, name: str, lease_s: float) -> Self:
        """
        Raises:
            Conflict: another has it, and keeps it.
            StateUnavailable: the store cannot be asked.
        """
        holder = f"{name} {secrets.token_hex(8)}"
        for _ in range(PATIENCE * RENEWALS):
            lease = await store.lease(LEASE, holder, lease_s)
            if lease is not None:
                tenure = cls(store, lease, lease_s)
                tenure._task = asyncio.get_running_loop().create_task(tenure._keep())
                return tenure
            await asyncio.sleep(lease_s / RENEWALS)
        hint = "stop it; or have several that take over from one another: attacca control; or add ?prefix= to store.url"
        raise Conflict("another control has the lease of this store", hint)

    async def begin(self) -> None:
        """Control has been opened: what it has read is what there is."""
        entry = await self._raw.get(EPOCH)
        self._epoch = 0 if entry is None else entry.version

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(AttaccaError):
            await self._raw.release(self._lease)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / RENEWALS)
            with contextlib.suppress(AttaccaError):
                lease = await self._raw.lease(LEASE, self._lease.holder, self._lease_s)
                if lease is not None and lease.fence != self._lease.fence and not await self._adopt(lease):
                    return

    async def _adopt(self, lease: Lease) -> bool:
        """Another lease than before: the store was away for too long."""
        entry = await self._raw.get(EPOCH)
        if entry is None or entry.version != self._epoch:
            LOG.error("another control has written to the store meanwhile: nothing is deployed here until a new start")
            await self._raw.release(lease)
            return False
        self._lease = lease
        self.store.renew(lease)
        return True
