"""What images consist of, on the disk, each under the digest of its bytes."""

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from attacca.errors import BadImage, NotFound
from attacca.images.core.names import SHA256, digest_of, digits, filed, is_digest

PIECE = 256 << 10


class Draft:
    """A blob that is being written. Blocking, and its file has no name that counts before `keep`."""

    def __init__(self, blobs: "Blobs") -> None:
        self.size = 0
        self._blobs = blobs
        self._handle, self._path = tempfile.mkstemp(dir=blobs.tmp, prefix="blob-")
        self._hash = hashlib.sha256()

    def __repr__(self) -> str:
        return f"<Draft {self.size} bytes>"

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._handle, view) :]
        self._hash.update(data)
        self.size += len(data)

    def keep(self, digest: str) -> None:
        """In one step, once it is on the disk.

        Raises:
            BadImage: that is not what was written; it is gone.
        """
        found = self._as(digest)
        if digest != found:
            self.drop()
            raise BadImage(f"what was sent as {digest[:80]} is {found}", "send it again")
        os.fsync(self._handle)
        os.fchmod(self._handle, 0o644)
        os.close(self._handle)
        self._handle = -1
        target = self._blobs.path(digest)
        os.rename(self._path, target)
        _sync(target.parent)

    def _as(self, digest: str) -> str:
        """What it is, by the algorithm of that one; any but the usual is computed afterwards."""
        if digest.startswith(SHA256):
            return self.digest
        algorithm = digest.partition(":")[0]
        with open(self._path, "rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"

    def drop(self) -> None:
        if self._handle != -1:
            os.close(self._handle)
            self._handle = -1
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)


class Blobs:
    """`tmp` is on the same file system; what lies there is nobody's after a start."""

    def __init__(self, directory: Path, tmp: Path) -> None:
        self.directory, self.tmp = directory, tmp

    def __repr__(self) -> str:
        return f"<Blobs {self.directory}>"

    def open(self) -> None:
        for path in (self.directory, self.tmp):
            path.mkdir(mode=0o755, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        assert is_digest(digest), digest
        return self.directory / digits(digest)

    def size(self, digest: str) -> int | None:
        """None: it is not there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, digest: str, most: int) -> bytes:
        """
        Raises:
            NotFound: it is not there.
            BadImage: it is larger than what is asked for is.
        """
        try:
            with self.path(digest).open("rb") as file:
                data = file.read(most + 1)
        except FileNotFoundError:
            raise NotFound(f"{digest[:19]} does not lie here", "push the image again") from None
        if len(data) > most:
            raise BadImage(f"{digest[:19]} has more than {most} bytes", "push another image")
        return data

    def use(self, digest: str) -> None:
        """It counts as new."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path(digest))

    async def pieces(self, digest: str, first: int, length: int) -> AsyncIterator[bytes]:
        """What is in there from `first` on; it ends early where the file does."""
        file = await asyncio.to_thread(self.path(digest).open, "rb")
        with file:
            file.seek(first)
            while length > 0 and (piece := await asyncio.to_thread(file.read, min(PIECE, length))):
                length -= len(piece)
                yield piece

    def draft(self) -> Draft:
        return Draft(self)

    def adopt(self, path: Path, digest: str) -> None:
        """A file that is ours comes to its place.

        Raises:
            BadImage: it is something else; it is gone.
        """
        algorithm = digest.partition(":")[0]
        with path.open("rb") as file:
            found = f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
            os.fsync(file.fileno())
        if found != digest:
            path.unlink()
            raise BadImage(f"what was sent as {digest[:80]} is {found}", "send it again")
        path.chmod(0o644)
        path.rename(self.path(digest))

    def put(self, data: bytes, like: str = SHA256) -> str:
        """Its digest, by the algorithm of `like`."""
        digest = digest_of(data, like)
        if self.size(digest) is None:
            draft = self.draft()
            draft.write(data)
            draft.keep(digest)
        return digest

    def all(self) -> Iterator[tuple[str, int, float]]:
        """Digest, size, and when it came."""
        for entry in os.scandir(self.directory):
            with contextlib.suppress(FileNotFoundError):
                found = entry.stat()
                yield filed(entry.name), found.st_size, found.st_mtime

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
