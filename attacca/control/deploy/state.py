"""The state directory: what lies where, one server at a time, and how finished directories come to their place."""

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from attacca.errors import BadConfig, StateCorrupt, StateUnavailable
from attacca.model.function import Artefact, Image

SYNC_EACH = 200  # up to so many files are synced one by one; beyond, the whole file system is


class StateDir:
    """`state.db`, `calls.db`, `code/<digest>/`, `bundles/<digest>/`, `images/`, `logs/<function>/`, `lock`,
    `secret.key` unless it is kept elsewhere; `tmp/` for what is unfinished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "state.db"
        self.calls = path / "calls.db"  # of asynchronous calls
        self.code = path / "code"
        self.bundles = path / "bundles"
        self.images = path / "images"  # see `images.store`
        self.logs = path / "logs"
        self.tmp = path / "tmp"
        self.secret_key = path / "secret.key"
        self._lock: int | None = None

    def __repr__(self) -> str:
        return f"<StateDir {self.path}{', locked' * (self._lock is not None)}>"

    def make(self) -> None:
        """The directory itself, for its owner alone.

        Raises:
            StateUnavailable: it cannot be made.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            for directory in (self.code, self.bundles, self.logs, self.tmp):
                directory.mkdir(mode=0o755, exist_ok=True)
                directory.chmod(0o755)
        except OSError as error:
            raise StateUnavailable(
                f"the state directory {self.path} cannot be made: {error.strerror}",
                "choose one that you can write with --state-dir",
            ) from error

    def expect_database(self) -> None:
        """
        Raises:
            StateCorrupt: it is empty or gone, but code is still there, which would be taken for garbage.
        """
        if not self.database.exists() or (self.database.is_file() and self.database.stat().st_size == 0):
            self.expect_no_code()

    def expect_no_code(self) -> None:
        """
        Raises:
            StateCorrupt: nothing is known of the code that is there.
        """
        count = sum(1 for _ in os.scandir(self.code))
        if count:
            raise StateCorrupt(
                f"{self.database} is empty or gone, but the code of {count} revision{'s' * (count > 1)} is still in "
                f"{self.code}; it is left as it is",
                f"restore state.db from a backup; or, to start empty, move the code away too: "
                f"mv {self.code} {self.code}.old",
            )

    def missing(self, artefact: Artefact) -> list[Path]:
        """What of it is not there."""
        if isinstance(artefact, Image):
            blob = self.images / "blobs" / artefact.digest
            return [] if blob.is_file() else [blob]
        paths = [
            directory / digest for directory, digest in zip((self.code, self.bundles), artefact.digests, strict=False)
        ]
        return [path for path in paths if not path.is_dir()]

    def lock(self) -> None:
        """Keep other servers away until unlock() or the end of the process; then clear what a crash left unfinished.

        Raises:
            BadConfig: another server has it; its process id is named.
            StateUnavailable: the directory cannot be made.
        """
        self.make()
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise BadConfig(
                f"another attacca uses {self.path} (process {holder})",
                f"stop it (kill {holder}), or choose another directory with --state-dir",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle
        for entry in os.scandir(self.tmp):
            _remove(Path(entry.path))

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @asynccontextmanager
    async def unfinished(self) -> AsyncIterator[Path]:
        """An empty directory to work in, on the same file system as the finished ones; gone afterwards."""
        path = Path(tempfile.mkdtemp(dir=self.tmp))
        try:
            yield path
        finally:
            await asyncio.to_thread(_remove, path)

    def sweep(self, wanted: Collection[str]) -> int:
        """Remove every code and bundle directory that is not named; how many went."""
        gone = 0
        for directory in (self.code, self.bundles):
            for entry in os.scandir(directory):
                if entry.name not in wanted:
                    _remove(Path(entry.path))
                    gone += 1
        return gone


def place(made: Path, target: Path) -> None:
    """Settle modes, bring it safely to the disk, and give it its final name in one step.

    Whoever comes second with the same content leaves the first one's in place.
    """
    settle(made)
    try:
        made.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        return
    _sync(target.parent)


def settle(directory: Path) -> None:
    """Directories 0755, files 0644 or 0755, whatever the umask or an archive said; then all of it synced."""
    files: list[str] = []
    directories: list[str] = []
    for root, _, names in os.walk(directory):
        os.chmod(root, 0o755)
        directories.append(root)
        for name in names:
            path = os.path.join(root, name)
            if os.path.islink(path):
                continue
            os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)
            files.append(path)
    if len(files) > SYNC_EACH:
        os.sync()
        return
    for path in [*files, *directories]:
        _sync(Path(path))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
