"""What images consist of, on the disk, each under the digest of its bytes."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attacca.errors import BadImage, NotFound
from attacca.images.core.names import digest_of, is_digest


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
        if digest != self.digest:
            found = self.digest
            self.drop()
            raise BadImage(f"what was sent as {digest[:80]} is {found}", "send it again")
        os.fsync(self._handle)
        os.fchmod(self._handle, 0o644)
        os.close(self._handle)
        self._handle = -1
        target = self._blobs.path(digest)
        os.rename(self._path, target)
        _sync(target.parent)

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
        return self.directory / digest.removeprefix("sha256:")

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

    def draft(self) -> Draft:
        return Draft(self)

    def put(self, data: bytes) -> str:
        digest = digest_of(data)
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
                yield f"sha256:{entry.name}", found.st_size, found.st_mtime

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
