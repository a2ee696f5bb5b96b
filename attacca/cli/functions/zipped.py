"""A .zip of code, as people make them for other clouds, or a .tar that is an image: unpacked with care into a directory
that is gone afterwards."""

import contextlib
import json
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from attacca.client.source import FILE, is_layout
from attacca.control.config import ArchiveLimits
from attacca.control.core.archive import Intake, Item
from attacca.errors import BadRequest, PayloadTooLarge
from attacca.images.core.names import parse

LIMITS = ArchiveLimits()
CHUNK = 1 << 20
END, END_BYTES, COMMENT_BYTES = b"PK\x05\x06", 22, 65_535
LINK_BYTES = 4096
LEFT_OUT = ("__MACOSX", ".DS_Store")
UNIX = 3  # what made an entry
HINT = "make it anew: zip -r code.zip . -x '.*'"
IMAGES = (".tar", ".tar.gz", ".tgz")
LAID_OUT = re.compile(r"oci-layout|index\.json|function\.toml|blobs/sha256/[0-9a-f]{64}")
OF_IMAGE = "skopeo copy SOURCE oci-archive:image.tar; docker save does it too since version 25"
NO_LINK = "put there what it points to"
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, IndexError, RuntimeError)


class Opened(NamedTuple):
    path: Path
    notes: tuple[str, ...] = ()
    called: Path | None = None  # as its function is, where nobody says otherwise


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The directory to deploy: of a .zip or an image its contents, else the path as it is.

    Raises:
        BadRequest: it is no archive, or has something in it that is not taken.
        PayloadTooLarge: it is over a limit.
    """
    is_image = path.name.lower().endswith(IMAGES)
    if not (is_image or path.suffix.lower() == ".zip") or not path.is_file():
        yield Opened(path)
        return
    with tempfile.TemporaryDirectory(prefix="attacca-") as room:
        into = Path(room) / (path.stem or "function")
        into.mkdir()
        try:
            with path.open("rb") as file:
                (unpack_image if is_image else unpack)(file, into, LIMITS, path.name)
        except OSError as error:
            raise BadRequest(f"{path} cannot be unpacked: {error.strerror or error}", f"check it, and {room}") from None
        top = None if is_image else _only_directory(into)
        if top is None:
            yield Opened(into)
        else:
            yield Opened(top, (f"everything in {path.name} lies in {top.name}/, which is what is deployed",))


@contextlib.contextmanager
def pointed(text: str) -> Iterator[Opened]:
    """A directory that says no more than which image a cluster is to pull.

    Raises:
        BadRequest: it is the name of no image.
    """
    named = Path(parse(text).repository.rpartition("/")[2])
    with tempfile.TemporaryDirectory(prefix="attacca-") as room:
        Path(room, FILE).write_text(f'runtime = "kubernetes"\nimage = {json.dumps(text)}\n')
        yield Opened(Path(room), called=named)


def unpack(packed: IO[bytes], into: Path, limits: ArchiveLimits, name: str) -> None:
    """Write what is in a .zip into an empty directory. Nothing in it is believed, as with what a server unpacks.

    Raises:
        BadRequest, PayloadTooLarge: as above.
    """
    _expect_few(packed, limits, name)
    try:
        with zipfile.ZipFile(packed) as archive:
            _extract(archive, into, limits)
    except DAMAGED as error:
        raise BadRequest(f"{name} is no .zip, or damaged: {error}", HINT) from None


def unpack_image(packed: IO[bytes], into: Path, limits: ArchiveLimits, name: str) -> None:
    """Write what the OCI's layout consists of into an empty directory, and leave out what is beside it.

    Raises:
        BadRequest, PayloadTooLarge: as above.
    """
    room = limits.unpacked_mb << 20
    try:
        with tarfile.open(fileobj=packed) as archive:
            for entry in archive:
                named = entry.name.removeprefix("./")
                if not entry.isreg() or LAID_OUT.fullmatch(named) is None:
                    continue
                room -= entry.size
                if room < 0:
                    raise PayloadTooLarge(f"{name} holds more than {limits.unpacked_mb} MB", "deploy a smaller image")
                target, source = into / named, archive.extractfile(entry)
                assert source is not None
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, CHUNK)
    except (tarfile.TarError, *DAMAGED) as error:
        why = str(error).partition("\n")[0].removesuffix(":")  # the rest is of each way of packing
        raise BadRequest(f"{name} is no .tar, or damaged: {why}", OF_IMAGE) from None
    if not is_layout(into):
        raise BadRequest(f"there is no image in {name}, as the OCI lays it out", OF_IMAGE)


def _expect_few(packed: IO[bytes], limits: ArchiveLimits, name: str) -> None:
    """By what its end says, before its list is read: that takes seconds for a million."""
    size = packed.seek(0, 2)
    packed.seek(max(size - END_BYTES - COMMENT_BYTES, 0))
    tail = packed.read()
    at = tail.rfind(END)
    count = int.from_bytes(tail[at + 10 : at + 12], "little") if at >= 0 else 0
    packed.seek(0)
    if size > limits.packed_mb << 20:
        raise PayloadTooLarge(f"{name} is over {limits.packed_mb} MB", "leave out what the function does not need")
    if count > limits.entries:
        raise PayloadTooLarge(f"{name} has more than {limits.entries} entries", "leave out what is not needed")


def _extract(archive: zipfile.ZipFile, into: Path, limits: ArchiveLimits) -> None:
    intake = Intake(limits)
    links: list[tuple[Path, str]] = []
    room = limits.unpacked_mb << 20
    for entry in archive.infolist():
        named = _name(entry)
        parts = PurePosixPath(named).parts
        if any(part in LEFT_OUT or part.startswith("._") for part in parts):
            continue
        _expect_readable(entry, named)
        kind = "directory" if entry.is_dir() or named.endswith("/") else "file"
        path = intake.take(Item(named, kind, entry.file_size))
        if path is None:
            continue
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = entry.external_attr >> 16 if entry.create_system == UNIX else 0
        if stat.S_ISLNK(mode):
            links.append((target, _pointed(archive, entry, path)))
            continue
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise BadRequest(f"{named!r} in the archive is a device or pipe", "only files and directories are taken")
        room -= _write(archive, entry, target, room, limits)
        target.chmod(0o755 if mode & 0o100 else 0o644)
    for target, points in links:  # last, so that nothing is written through one
        target.symlink_to(points)
    for target, points in links:
        if not _stays(target, into):
            inside = str(target.relative_to(into))
            raise BadRequest(f"{inside!r} in the archive is a link to {points!r}, which is not in it", NO_LINK)


def _expect_readable(entry: zipfile.ZipInfo, named: str) -> None:
    if entry.flag_bits & 1:
        raise BadRequest(f"{named!r} in the archive is encrypted", "make it without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadRequest(f"{named!r} in the archive is compressed by a method that is not taken", HINT)


def _stays(link: Path, into: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(into.resolve())
    except (OSError, RuntimeError):
        return False


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, room: int, limits: ArchiveLimits) -> int:
    size = 0
    with archive.open(entry) as source, target.open("xb") as file:
        while piece := source.read(CHUNK):
            size += len(piece)
            if size > room:
                raise PayloadTooLarge(
                    f"the archive unpacks to more than {limits.unpacked_mb} MB", "leave out what is not needed"
                )
            file.write(piece)
    return size


def _pointed(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str) -> str:
    """Where a link leads; whoever packs the directory looks where that is, and takes nothing from outside."""
    with archive.open(entry) as source:
        content = source.read(LINK_BYTES + 1)
    try:
        points = content.decode()
    except UnicodeDecodeError:
        points = ""
    if not points or len(content) > LINK_BYTES or points.startswith("/") or not points.isprintable():
        raise BadRequest(f"{path!r} in the archive is a link that leads out of it", NO_LINK)
    return points


def _name(entry: zipfile.ZipInfo) -> str:
    """As it was meant: some write UTF-8 without saying so, others what separates paths on Windows.

    Raises:
        BadRequest: it begins with a drive.
    """
    name = entry.filename
    if not entry.flag_bits & 0x800:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode()
    name = name.replace("\\", "/")
    if name[1:2] == ":" and name[:1].isalpha():
        raise BadRequest(f"{name[:200]!r} in the archive is an absolute path", "paths in it must be relative")
    return name


def _only_directory(into: Path) -> Path | None:
    """What GitHub packs lies in one directory; a package of Python's is meant to be one."""
    there = list(into.iterdir())
    if len(there) != 1 or there[0].is_symlink() or not there[0].is_dir() or (there[0] / "__init__.py").exists():
        return None
    return there[0] if any(there[0].glob("*.py")) or (there[0] / "function.toml").exists() else None
