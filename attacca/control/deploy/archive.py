"""Unpacks an uploaded archive into the state directory, under the digest of its contents."""

import hashlib
import io
import re
import tarfile
import zlib
from pathlib import Path
from typing import IO

import msgspec

from attacca.control.config import ArchiveLimits
from attacca.control.core.archive import Intake, Item, too_many_entries
from attacca.errors import BadRequest, PayloadTooLarge

CHUNK = 1 << 20
PIECE = 64 * 1024  # of what is packed: it may unpack to a thousand times that
OCTAL = re.compile(rb"[0-7]{1,11}")
COUNTED = tarfile.REGTYPE + tarfile.AREGTYPE + tarfile.DIRTYPE
EXTENDED = b"xgLK"  # what goes before an entry, and is none
HINT = "send a .tar.gz of the directory, as `attacca deploy` makes it"
OF_ZIP = "`attacca deploy code.zip` sends it as it is wanted"


class Unpacked(msgspec.Struct, frozen=True):
    digest: str
    files: int
    modules: int  # of Python
    bytes: int


def unpack(packed: IO[bytes] | bytes, into: Path, limits: ArchiveLimits) -> Unpacked:
    """Write the files of a tar.gz into an empty directory. Blocking: belongs in a thread.

    Nothing in the archive is believed: sizes are counted as they come, links and devices refused, modes reduced to one
    bit, and no header may be large, since those are held in memory. Of a file no more than a piece is held at a time.

    Raises:
        BadRequest: it is not an archive, or has something in it that is not taken.
        PayloadTooLarge: it is over a limit.
    """
    source = io.BytesIO(packed) if isinstance(packed, bytes) else packed
    if source.seek(0, io.SEEK_END) > limits.packed_mb << 20:
        raise _too_large(f"is over {limits.packed_mb} MB")
    source.seek(0)
    plain_path = into.parent / f"{into.name}.tar"
    try:
        with plain_path.open("w+b") as plain:
            _inflate(source, plain, limits)
            return _extract(plain, into, limits)
    finally:
        plain_path.unlink(missing_ok=True)


def _inflate(packed: IO[bytes], plain: IO[bytes], limits: ArchiveLimits) -> None:
    most = (limits.unpacked_mb << 20) + limits.entries * 2048  # the contents, and a header for each
    inflater, size, headers = zlib.decompressobj(wbits=31), 0, _Headers()
    try:
        while not inflater.eof and (rest := packed.read(PIECE)):
            while rest and not inflater.eof:
                piece = inflater.decompress(rest, CHUNK)
                rest = inflater.unconsumed_tail
                size += len(piece)
                if size > most:
                    raise _too_large(f"unpacks to more than {limits.unpacked_mb} MB")
                if headers.count(piece) > limits.entries:
                    raise too_many_entries(limits)
                plain.write(piece)
    except zlib.error:
        packed.seek(0)
        if packed.read(4) == b"PK\x03\x04":
            raise BadRequest("the archive is a .zip, and the server takes .tar.gz", OF_ZIP) from None
        raise BadRequest("the archive is not gzip data, or damaged", HINT) from None
    if not inflater.eof:
        raise BadRequest("the archive ends too early", HINT)
    if inflater.unused_data or packed.read(1):
        raise BadRequest("something comes after the archive's gzip data", HINT)
    plain.seek(0)


class _Headers:
    """Counts entries while they come, so that a million empty ones are refused before they are on the disk.

    It gives up at what it does not know; who reads the archive afterwards counts again.
    """

    def __init__(self) -> None:
        self._found = 0
        self._skip = 0  # bytes of contents until the next header
        self._part = b""
        self._is_counting = True

    def count(self, piece: bytes) -> int:
        data, at = self._part + piece, 0
        while self._is_counting:
            step = min(self._skip, len(data) - at)
            at, self._skip = at + step, self._skip - step
            if len(data) - at < tarfile.BLOCKSIZE:
                break
            self._take(data[at : at + tarfile.BLOCKSIZE])
            at += tarfile.BLOCKSIZE
        self._part = data[at:] if self._is_counting else b""
        return self._found

    def _take(self, header: bytes) -> None:
        kind, size = header[156:157], header[124:136].strip(b" \0")
        self._is_counting = kind in COUNTED + EXTENDED and OCTAL.fullmatch(size) is not None
        if self._is_counting:
            self._found += kind in COUNTED
            self._skip = 0 if kind == tarfile.DIRTYPE else -(-int(size, 8) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _too_large(what: str) -> PayloadTooLarge:
    return PayloadTooLarge(f"the archive {what}", "list what is not needed in .attaccaignore")


class _Careful:
    """A file that hands out little at a time: tarfile reads whole extended headers into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell = file.tell

    def seek(self, offset: int) -> int:
        """
        Raises:
            ValueError: a header points to before the beginning.
        """
        if offset < 0:
            raise ValueError("a header points to before its beginning")
        return self._file.seek(offset)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= CHUNK:
            raise BadRequest("a header in the archive is too large", HINT)
        return self._file.read(size)


def _extract(plain: IO[bytes], into: Path, limits: ArchiveLimits) -> Unpacked:
    intake = Intake(limits)
    facts: list[tuple[str, bytes]] = []
    size = 0
    try:
        with tarfile.open(fileobj=_Careful(plain), mode="r:") as archive:  # type: ignore[call-overload]
            for entry in archive:
                archive.members.clear()  # it would keep them all
                path = intake.take(Item(entry.name, _kind(entry), entry.size))
                if path is None:
                    continue
                source = archive.extractfile(entry)
                assert source is not None
                facts.append((path, _write(source, into / path, entry)))
                size += entry.size
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise BadRequest(f"the archive cannot be read: {error}", HINT) from None
    except RecursionError:  # each extended header is read by who reads the one before it
        raise BadRequest("the archive has too many extended headers in a row", HINT) from None
    if not facts:
        raise BadRequest("there are no files in the archive", HINT)
    modules = sum(path.endswith(".py") for path, _ in facts)
    return Unpacked(_digest(facts), len(facts), modules, size)


def _kind(entry: tarfile.TarInfo) -> str:
    if entry.issparse():
        return "sparse file"
    if entry.isreg():
        return "file"
    if entry.isdir():
        return "directory"
    return "link" if entry.issym() or entry.islnk() else "device or pipe"


def _write(source: IO[bytes], target: Path, entry: tarfile.TarInfo) -> bytes:
    """What goes into the digest: the executable bit and the contents."""
    is_executable = bool(entry.mode & 0o100)
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    hashed, left = hashlib.sha256(b"x" if is_executable else b"-"), entry.size
    with target.open("xb") as file:
        while piece := source.read(64 * 1024):
            file.write(piece)
            hashed.update(piece)
            left -= len(piece)
    if left:
        raise BadRequest("the archive ends too early", HINT)
    target.chmod(0o755 if is_executable else 0o644)
    return hashed.digest()


def _digest(facts: list[tuple[str, bytes]]) -> str:
    whole = hashlib.sha256()
    for path, fact in sorted(facts):
        whole.update(path.encode() + b"\0" + fact)
    return whole.hexdigest()[:40]
