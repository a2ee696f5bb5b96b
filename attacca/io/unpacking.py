"""Unpacks a tar that a plane of ours has packed, alike on every Python: before 3.11.4 tarfile has no filters."""

import tarfile
from collections.abc import Iterator
from pathlib import Path


def unpack(archive: tarfile.TarFile, into: Path) -> None:
    """Blocking. Files, directories and links, of nobody, with one bit of their modes; nothing lands outside of `into`.

    Raises:
        tarfile.TarError: something in it is none of these, or would be outside.
        OSError: it cannot be written.
    """
    archive.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)  # what it would check is checked here
    archive.extractall(into, members=_checked(archive, into.resolve()))


def _checked(archive: tarfile.TarFile, into: Path) -> Iterator[tarfile.TarInfo]:
    """Each when those before it are there: who goes through a link is where that leads."""
    for entry in archive:
        target = into / entry.name
        if entry.issym():
            end = target.parent / entry.linkname
        elif entry.islnk():
            end = into / entry.linkname
        elif entry.isreg() or entry.isdir():
            end = target
        else:
            raise tarfile.ExtractError(f"{entry.name!r} is no file, directory or link")
        if not all(path.resolve().is_relative_to(into) for path in (end if target == into else target.parent, end)):
            raise tarfile.ExtractError(f"{entry.name!r} leads outside")
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        yield entry
