"""Which entries of an uploaded archive are taken, and which make it refused."""

from typing import NamedTuple

from attacca.control.config import ArchiveLimits
from attacca.errors import BadRequest, PayloadTooLarge

SKIPPED = ("__pycache__", ".git", ".venv", "node_modules")  # never part of a function


class Item(NamedTuple):
    """One entry as its header describes it; `kind` is file, directory, or what else it claims to be."""

    path: str
    kind: str
    size: int


class Intake:
    """Judges the entries of one archive in turn, and remembers what it has let in."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._files: dict[str, None] = {}
        self._directories: dict[str, None] = {}
        self._entries = 0
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<Intake {self._entries} entries, {len(self._files)} files, {self._bytes} bytes>"

    def take(self, item: Item) -> str | None:
        """The clean relative path of a file to write; None: nothing is to be written.

        Raises:
            BadRequest: the archive is malformed or tries to write elsewhere.
            PayloadTooLarge: it is over a limit.
        """
        self._count(item)
        parts = clean(item.path, self._limits)
        if item.kind not in ("file", "directory"):
            raise BadRequest(f"{item.path!r} in the archive is a {item.kind}", "only files and directories are taken")
        if not parts or item.kind == "directory":
            return None
        if any(part in SKIPPED for part in parts) or parts[-1].endswith(".pyc"):
            return None
        path = "/".join(parts)
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if path in self._files or path in self._directories or any(one in self._files for one in above):
            raise BadRequest(f"{item.path!r} is in the archive twice", "pack the directory again")
        self._files[path] = None
        self._directories.update(dict.fromkeys(above))
        return path

    def _count(self, item: Item) -> None:
        limits = self._limits
        self._entries += 1
        self._bytes += max(item.size, 0)
        if item.size < 0:
            raise BadRequest(f"{item.path!r} in the archive has a negative size", "pack the directory again")
        if self._entries > limits.entries:
            raise too_many_entries(limits)
        if self._bytes > limits.unpacked_mb << 20:
            raise PayloadTooLarge(
                f"the archive unpacks to more than {limits.unpacked_mb} MB", "list what is not needed in .attaccaignore"
            )


def too_many_entries(limits: ArchiveLimits) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"the archive has more than {limits.entries} entries", "list what is not needed in .attaccaignore"
    )


def clean(path: str, limits: ArchiveLimits) -> tuple[str, ...]:
    """The parts of a relative path; empty for the root itself.

    Raises:
        BadRequest: it leads elsewhere, or no file system would want it.
    """
    hint = "paths in the archive must be relative and stay inside"
    if path.startswith("/"):
        raise BadRequest(f"{path[:200]!r} in the archive is an absolute path", hint)
    if "\\" in path or any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise BadRequest(f"{path[:200]!r} in the archive has characters that no path should have", hint)
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise BadRequest(f"{path[:200]!r} in the archive is not UTF-8", hint) from None
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise BadRequest(f"{path[:200]!r} in the archive leads out of it", hint)
    if size > limits.path_bytes or len(parts) > limits.depth or any(len(part.encode()) > 255 for part in parts):
        raise BadRequest(f"{path[:200]!r} in the archive is too long or too deep", hint)
    return parts
