"""Which repository has which blobs, manifests and tags: small files, each put in its place in one step.

REPOSITORY/blobs/HEX         it may be had from there
REPOSITORY/manifests/HEX     what is known of the manifest, without reading it; used when it was last changed
REPOSITORY/tags/TAG          the digest it stands for
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from attacca.images.core.manifests import Descriptor
from attacca.images.core.names import digits

PLAIN, TOLD = "/", "~"  # the latter is in no repository's name


class Shelved(msgspec.Struct, frozen=True):
    """A manifest of a repository. `subject`: the digest of what it is about."""

    descriptor: Descriptor
    subject: str = ""
    inner: tuple[str, ...] = ()  # of an index
    parts: tuple[str, ...] = ()


class Shelves:
    """Blocking."""

    def __init__(self, directory: Path, tmp: Path) -> None:
        self.directory, self.tmp = directory, tmp

    def __repr__(self) -> str:
        return f"<Shelves {self.directory}>"

    def repositories(self) -> list[str]:
        if not self.directory.is_dir():
            return []
        return sorted(entry.name.replace(TOLD, PLAIN) for entry in os.scandir(self.directory))

    def is_known(self, repository: str) -> bool:
        return (self.directory / repository.replace(PLAIN, TOLD)).is_dir()

    # Blobs.

    def has(self, repository: str, digest: str) -> bool:
        return (self._of(repository, "blobs") / digits(digest)).exists()

    def add(self, repository: str, digest: str) -> None:
        self._put(self._of(repository, "blobs") / digits(digest), b"")

    def take(self, repository: str, digest: str) -> bool:
        """Away. Was it there?"""
        return _unlink(self._of(repository, "blobs") / digits(digest))

    # Manifests.

    def manifest(self, repository: str, digest: str) -> Shelved | None:
        try:
            data = (self._of(repository, "manifests") / digits(digest)).read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(data, type=Shelved)

    def put(self, repository: str, shelved: Shelved) -> None:
        place = self._of(repository, "manifests") / digits(shelved.descriptor.digest)
        self._put(place, msgspec.json.encode(shelved))

    def use(self, repository: str, digest: str) -> None:
        """It counts as used now."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._of(repository, "manifests") / digits(digest))

    def drop(self, repository: str, digest: str) -> bool:
        """With its tags. Was it there?"""
        for tag in [tag for tag, points in self.tags(repository) if points == digest]:
            self.untag(repository, tag)
        return _unlink(self._of(repository, "manifests") / digits(digest))

    def manifests(self, repository: str) -> Iterator[tuple[Shelved, float]]:
        """And when each was last used; by digest."""
        place = self._of(repository, "manifests")
        for name in sorted(_names(place)):
            with contextlib.suppress(FileNotFoundError):
                used_at = (place / name).stat().st_mtime
                yield msgspec.json.decode((place / name).read_bytes(), type=Shelved), used_at

    # Tags.

    def tags(self, repository: str) -> list[tuple[str, str]]:
        """With what each stands for, by name."""
        place, found = self._of(repository, "tags"), []
        for name in sorted(_names(place)):
            with contextlib.suppress(FileNotFoundError):
                found.append((name, (place / name).read_text()))
        return found

    def tagged(self, repository: str, tag: str) -> str | None:
        try:
            return (self._of(repository, "tags") / tag).read_text()
        except FileNotFoundError:
            return None

    def tag(self, repository: str, tag: str, digest: str) -> None:
        self._put(self._of(repository, "tags") / tag, digest.encode())

    def untag(self, repository: str, tag: str) -> bool:
        return _unlink(self._of(repository, "tags") / tag)

    def remove(self, repository: str) -> None:
        shutil.rmtree(self.directory / repository.replace(PLAIN, TOLD), ignore_errors=True)

    def _of(self, repository: str, kind: str) -> Path:
        return self.directory / repository.replace(PLAIN, TOLD) / kind

    def _put(self, place: Path, data: bytes) -> None:
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=self.tmp, prefix="shelf-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(made, place)


def _names(place: Path) -> list[str]:
    try:
        return os.listdir(place)
    except FileNotFoundError:
        return []


def _unlink(place: Path) -> bool:
    try:
        place.unlink()
    except FileNotFoundError:
        return False
    return True
