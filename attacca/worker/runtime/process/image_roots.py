"""Images for functions in them: unpacked by the same store as those of containers, and waited for."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from attacca.errors import AttaccaError, StartFailed
from attacca.kernel.clock import Clock
from attacca.model.image import UnpackedImage
from attacca.worker.runtime.unforeseen import failure

Found = Callable[[UnpackedImage | AttaccaError, float], None]  # the image or why not, and how long that took, in ms


class Roots(Protocol):
    """Where images lie unpacked: `attacca.images.store.ImageStore`."""

    @property
    def roots(self) -> Path: ...

    def open(self) -> None:
        """Blocking: its places are made."""

    async def rootfs(self, digest: str) -> UnpackedImage:
        """
        Raises:
            AttaccaError: it is not here, or cannot be unpacked.
        """


class ImageRoots:
    """`store`: None where no image is run."""

    def __init__(self, store: Roots | None, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._waiting: dict[asyncio.Task[UnpackedImage], tuple[Found, float]] = {}  # who, and since when

    def __repr__(self) -> str:
        return f"<ImageRoots {len(self._waiting)} waited for>"

    @property
    def place(self) -> str:
        """The directory that has them all; empty: there are none."""
        return "" if self._store is None else str(self._store.roots)

    async def open(self) -> None:
        if self._store is not None:
            await asyncio.to_thread(self._store.open)

    async def close(self) -> None:
        """Who waits is told that it was in vain."""
        for task in (tasks := list(self._waiting)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def bring(self, digest: str, found: Found) -> None:
        assert self._store is not None, "nothing runs it"
        task = asyncio.get_running_loop().create_task(self._store.rootfs(digest))
        self._waiting[task] = found, self._clock.now()
        task.add_done_callback(self._came)

    def _came(self, task: asyncio.Task[UnpackedImage]) -> None:
        found, since = self._waiting.pop(task)
        image: UnpackedImage | AttaccaError
        if task.cancelled():
            image = StartFailed("it was given up before its image had come", "")
        elif isinstance(error := task.exception(), Exception):
            image = failure(error, "the image did not come")
        else:
            image = task.result()
        found(image, (self._clock.now() - since) * 1e3)
