"""How images come from control to a worker apart: blob by blob, those that it has not."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path

from attacca.errors import BadImage, StartFailed
from attacca.images.core.manifests import DEEPEST, MANIFEST_BYTES, OCI_INDEX, Descriptor, Manifest, choose, read
from attacca.images.core.names import digits, filed
from attacca.images.shelves import Shelved
from attacca.images.store import ImageStore, here

FETCHED = "fetched"  # the repository of what has come


class ImageSupplies:
    """`download` brings the bytes of a digest into a file, which is ours then."""

    def __init__(
        self, images: ImageStore, download: Callable[[str], Awaitable[Path]], wall: Callable[[], float]
    ) -> None:
        self._images, self._download, self._wall = images, download, wall
        self._whole: set[str] = set()  # that are known to be here
        self._fetches: dict[str, asyncio.Task[None]] = {}

    def __repr__(self) -> str:
        return f"<ImageSupplies {len(self._whole)} whole, {len(self._fetches)} on their way>"

    def has(self, digest: str) -> bool:
        return digest in self._whole

    def whole(self) -> list[str]:
        """Those that are known to be here, in no order that says anything."""
        return sorted(self._whole)

    async def unpack(self, digest: str) -> None:
        """
        Raises:
            AttaccaError: it is not here, or cannot be unpacked.
        """
        await self._images.rootfs(digest)

    async def bring(self, digest: str, held: Callable[[], Collection[str]]) -> None:
        """
        Raises:
            StartFailed, Unreachable: something of it is not to be had, or not what it should be.
        """
        task = self._fetches.get(digest)
        if task is None:
            task = self._fetches[digest] = asyncio.get_running_loop().create_task(self._fetch(digest, held))
            task.add_done_callback(lambda _: self._fetches.pop(digest))
        await asyncio.shield(task)

    async def close(self) -> None:
        tasks = list(self._fetches.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fetch(self, digest: str, held: Callable[[], Collection[str]]) -> None:
        images = self._images
        try:
            await asyncio.to_thread(images.open)
            await self._take(filed(digest), DEEPEST)
        except (BadImage, OSError) as error:
            raise StartFailed(f"the image {digest[:12]} cannot be kept: {error}", "see the worker's disk") from None
        self._whole.add(digest)
        await asyncio.to_thread(images.make_room, {digest, *self._fetches, *held()}, self._wall())
        self._whole = {one for one in self._whole if images.blobs.size(filed(one)) is not None}

    async def _take(self, digest: str, depth: int) -> None:
        """It, and what it consists of; of an index that for this machine."""
        images = self._images
        await self._blob(digest)
        data = await asyncio.to_thread(images.blobs.read, digest, MANIFEST_BYTES)
        found = read(data)
        if isinstance(found, Manifest):
            for part in found.parts:
                await self._blob(part.digest)
                await asyncio.to_thread(images.shelves.add, FETCHED, part.digest)
            await asyncio.to_thread(partial(images.put, FETCHED, data, like=digest))
            return
        if not depth:
            raise BadImage("it is an index of indexes of indexes, and so on", "push another")
        inner = choose(found, here()).digest
        await self._take(inner, depth - 1)
        shelved = Shelved(Descriptor(found.media_type or OCI_INDEX, digest, len(data)), inner=(inner,))
        await asyncio.to_thread(images.shelves.put, FETCHED, shelved)

    async def _blob(self, digest: str) -> None:
        if self._images.blobs.size(digest) is None:
            path = await self._download(digits(digest))
            await asyncio.to_thread(self._images.blobs.adopt, path, digest)
