"""Packs a file or a directory of code for the way to a server; the same content gives the same bytes."""

import contextlib
import fnmatch
import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from attacca.errors import BadRequest, NotFound, PayloadTooLarge

IGNORED = ("__pycache__", ".git", ".hg", ".svn", ".venv", "venv", "node_modules", ".mypy_cache", ".ruff_cache",
           ".pytest_cache", "*.pyc", ".DS_Store", ".attaccaignore")  # fmt: skip
UNPACKED_MB = 512
COMPRESSION = 6
IN_MEMORY_MB = 8


@contextlib.contextmanager
def packed(path: Path) -> Iterator[IO[bytes]]:
    """As `pack_into` does it; on the disk where it is large."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY_MB << 20, prefix="attacca-") as file:
        pack_into(path, file)
        file.seek(0)
        yield file


def pack(path: Path) -> bytes:
    """As `pack_into` does it, in memory."""
    buffer = io.BytesIO()
    pack_into(path, buffer)
    return buffer.getvalue()


def pack_into(path: Path, file: IO[bytes]) -> None:
    """A tar.gz: of a directory its contents, of a file the file alone.

    Names of IGNORED are left out, and what the directory's `.attaccaignore` lists: one pattern per line, `*.csv` or
    `notes` anywhere, `/data` or `data/raw` from the top, `build/` for directories only; `#` begins a comment.

    Raises:
        NotFound: there is nothing at the path.
        BadRequest: something in it cannot be packed; it is named.
        PayloadTooLarge: it is more than a server takes.
    """
    if path.is_dir():
        files = list(_walk(path, path.resolve(), _patterns(path)))
        if not files:
            raise BadRequest(f"there is nothing to deploy in {path}", "put the code there, or check .attaccaignore")
    elif path.is_file():
        files = [(path.name, path)]
    else:
        raise NotFound(f"there is no file or directory {path}", "check the path")
    _write(files, file)


def _write(files: list[tuple[str, Path]], target: IO[bytes]) -> None:
    room = UNPACKED_MB << 20
    with (
        gzip.GzipFile(fileobj=target, mode="wb", compresslevel=COMPRESSION, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, path in sorted(files):
            try:
                with path.open("rb") as content:
                    entry = tarfile.TarInfo(name)
                    entry.size = os.fstat(content.fileno()).st_size
                    entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
                    room -= entry.size
                    _expect_room(room)
                    archive.addfile(entry, content)
            except OSError as error:
                hint = f"check its mode, and that there is space in {tempfile.gettempdir()}"
                raise BadRequest(f"{path} cannot be packed: {error.strerror or error}", hint) from None


def _expect_room(room: int) -> None:
    if room < 0:
        raise PayloadTooLarge(
            f"this is more than {UNPACKED_MB} MB of code", "list what is not needed in .attaccaignore"
        )


def _patterns(directory: Path) -> list[str]:
    listed = directory / ".attaccaignore"
    if not listed.is_file():
        return list(IGNORED)
    lines = (line.strip() for line in listed.read_text(errors="replace").splitlines())
    return [*IGNORED, *(line for line in lines if line and not line.startswith("#"))]


def _walk(directory: Path, root: Path, patterns: list[str], prefix: str = "") -> Iterator[tuple[str, Path]]:
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        name = prefix + entry.name
        if _is_ignored(name, patterns, is_directory=entry.is_dir()):
            continue
        path = Path(entry.path)
        if entry.is_symlink() and not path.resolve().is_relative_to(root):
            raise BadRequest(
                f"{path} is a link that leads out of {root}", "copy what it points to, or list it in .attaccaignore"
            )
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root, patterns, name + "/")
        elif entry.is_file():
            yield name, path
        else:
            raise BadRequest(f"{path} is neither a file nor a directory", "remove it, or list it in .attaccaignore")


def _is_ignored(name: str, patterns: list[str], *, is_directory: bool) -> bool:
    last = name.rpartition("/")[2]
    for pattern in patterns:
        if pattern.endswith("/") and not is_directory:
            continue
        wanted = pattern.rstrip("/")
        if "/" in wanted:
            if fnmatch.fnmatchcase(name, wanted.lstrip("/")):
                return True
        elif fnmatch.fnmatchcase(last, wanted):
            return True
    return False
