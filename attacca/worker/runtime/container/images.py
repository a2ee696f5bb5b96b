"""What a container runtime asks of whoever has images."""

from typing import Protocol

from attacca.model.image import UnpackedImage


class Images(Protocol):
    """Where unpacked images lie."""

    def open(self) -> None:
        """Blocking: its places are made."""

    async def rootfs(self, digest: str) -> UnpackedImage:
        """
        Raises:
            AttaccaError: it is not there, or cannot be unpacked.
        """
