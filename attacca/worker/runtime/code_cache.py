"""A CodeStore of a worker's own: what control has sent, until there is no room for it."""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Collection
from pathlib import Path

from attacca.errors import BadConfig
from attacca.io.unpacking import unpack
from attacca.worker.core.cache import CacheBook

CODE, BUNDLES = "code", "bundles"


class CodeCache:
    """`code` and `bundles` hold whole directories only; what is not whole lies in `tmp`, and is gone at the start."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self.code, self.bundles, self.tmp = directory / CODE, directory / BUNDLES, directory / "tmp"
        self.book = CacheBook(limit_bytes)
        self._places: dict[str, Path] = {}

    def __repr__(self) -> str:
        return f"<CodeCache {self.code.parent}: {self.book!r}>"

    def open(self) -> None:
        shutil.rmtree(self.tmp, ignore_errors=True)
        for path in (self.code, self.bundles, self.tmp):
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        there = [Path(entry.path) for root in (self.code, self.bundles) for entry in os.scandir(root)]
        for path in sorted(there, key=lambda one: one.stat().st_mtime):
            self._keep(path)

    def has(self, digest: str) -> bool:
        return digest in self.book.sizes

    def use(self, digest: str) -> None:
        self.book.use(digest)

    def unpack(self, packed: Path, kind: str, digest: str) -> None:
        """Blocking: brings a tar to its place in one step, and removes it.

        Raises:
            BadConfig: it is no tar of a plain directory.
            OSError: it cannot be written.
        """
        made = Path(tempfile.mkdtemp(dir=self.tmp))
        made.chmod(0o755)
        try:
            with tarfile.open(packed) as archive:
                unpack(archive, made)
            target = self.code.parent / kind / digest
            if not target.is_dir():
                made.rename(target)
        except tarfile.TarError as error:
            raise BadConfig(f"what control sent for {digest[:12]} cannot be unpacked: {error}") from None
        finally:
            shutil.rmtree(made, ignore_errors=True)
            packed.unlink(missing_ok=True)

    def keep(self, kind: str, digest: str) -> None:
        self._keep(self.code.parent / kind / digest)

    def make_room(self, held: Collection[str]) -> list[str]:
        """Blocking: removes what is not in use and does not fit; its digests."""
        going = self.book.drop(held)
        for digest in going:
            shutil.rmtree(self._places.pop(digest), ignore_errors=True)
        return going

    def _keep(self, path: Path) -> None:
        self._places[path.name] = path
        self.book.add(path.name, sum(entry.lstat().st_size for entry in path.rglob("*")))
