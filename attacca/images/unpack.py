"""Layers become a directory: read as they come, counted, and verified against what the image says of them."""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

import msgspec

from attacca.errors import BadImage
from attacca.images.core.layers import HINT, Empty, Entry, Limits, Make, Pass, Remove, plan, shown
from attacca.images.tree import Tree

PIECE = 256 << 10
HEADER_BYTES = 1 << 20  # of what goes before an entry, held in memory
EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
KINDS = {tarfile.AREGTYPE: "0", tarfile.CONTTYPE: "0", tarfile.GNUTYPE_SPARSE: "S"}


class _Bounded(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Bounded":
        """
        Raises:
            BadImage: it announces more than is held in memory of what goes before an entry.
        """
        found = super().frombuf(buf, encoding, errors)
        if found.type and found.type in EXTENDED and found.size > HEADER_BYTES:
            raise BadImage(f"a layer has an extended header of {found.size} bytes", HINT)
        return found


class Tar(msgspec.Struct, frozen=True):
    """`compression` is gzip, or none; `diff_id` the digest of what is inside."""

    path: Path
    compression: str
    diff_id: str


class Unpacked(msgspec.Struct, frozen=True):
    entries: int
    bytes: int


def unpack(layers: Sequence[Tar], into: Path, limits: Limits) -> Unpacked:
    """Blocking. Into an empty directory, layer upon layer.

    Raises:
        BadImage: a layer is damaged, not what the image says it is, or has something in it that is not taken.
        OSError: the disk does not take it.
    """
    tree, entries, room = Tree(str(into), limits.steps, is_root=os.geteuid() == 0), 0, limits.unpacked_bytes
    for layer in layers:
        tree.begin()
        with layer.path.open("rb") as file:
            source = Inside(file, layer.compression, room, layer.diff_id.partition(":")[0])
            entries += _put(tree, source, limits.entries - entries)
            source.drain()
            if source.digest != layer.diff_id:
                raise BadImage(f"a layer is not what the image says it is: {layer.path.name[:12]}", HINT)
            room -= source.size
    return Unpacked(entries, limits.unpacked_bytes - room)


def _put(tree: Tree, source: "Inside", most: int) -> int:
    count = 0
    try:
        file = cast("IO[bytes]", source)  # of which it only reads
        with tarfile.open(fileobj=file, mode="r|", bufsize=tarfile.RECORDSIZE, tarinfo=_Bounded) as archive:
            while (entry := archive.next()) is not None:
                vars(archive)["members"].clear()  # it would keep all of them
                count += 1
                if count > most:
                    raise BadImage("the image has more entries than one may have", "leave something out")
                _perform(tree, archive, entry)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise BadImage(f"a layer cannot be read: {error}", HINT) from None
    except RecursionError:
        raise BadImage("a layer has too many extended headers in a row", HINT) from None
    return count


def _perform(tree: Tree, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
    if entry.issparse():
        raise BadImage(f"{shown(entry.name)} is a sparse file, which is not taken", HINT)
    kind = KINDS.get(entry.type, entry.type.decode("latin-1"))
    what = plan(Entry(entry.name, kind, entry.mode, entry.size, entry.linkname, entry.uid, entry.gid, entry.mtime))
    match what:
        case Make():
            content = archive.extractfile(entry) if entry.isreg() else None
            written = tree.make(what, content)
            if entry.isreg() and written != entry.size:
                raise BadImage(f"the layer ends within {shown(entry.name)}", HINT)
        case Remove():
            tree.remove(what)
        case Empty():
            tree.empty(what)
        case Pass():
            pass


class Inside:
    """What is in a layer, as it is read; counted, and hashed."""

    def __init__(self, packed: IO[bytes], compression: str, most: int, algorithm: str = "sha256") -> None:
        self.size = 0
        self._packed = packed
        self._inflater = zlib.decompressobj(wbits=31) if compression == "gzip" else None
        self._most = most
        self._hash = hashlib.new(algorithm)
        self._rest = b""  # of what is packed
        self._ready = b""

    def __repr__(self) -> str:
        return f"<Inside {self.size} bytes read>"

    @property
    def digest(self) -> str:
        return f"{self._hash.name}:{self._hash.hexdigest()}"

    def read(self, size: int) -> bytes:
        pieces, wanted = [], size
        while wanted > 0:
            if not self._ready:
                self._ready = self._next()
                if not self._ready:
                    break
            pieces.append(self._ready[:wanted])
            self._ready = self._ready[wanted:]
            wanted -= len(pieces[-1])
        return b"".join(pieces)

    def drain(self) -> None:
        """What comes after the archive's end is a part of the layer."""
        self._ready = b""
        while self._next():
            pass

    def _next(self) -> bytes:
        try:
            piece = self._packed.read(PIECE) if self._inflater is None else self._inflated()
        except zlib.error:
            raise BadImage("a layer is not gzip data, or damaged", HINT) from None
        self.size += len(piece)
        if self.size > self._most:
            raise BadImage("the image unpacks to more than one may have", "leave something out")
        self._hash.update(piece)
        return piece

    def _inflated(self) -> bytes:
        """Several gzip files in a row are one, as pigz and estargz write them."""
        while True:
            assert self._inflater is not None
            if self._inflater.eof:
                rest = self._inflater.unused_data or self._packed.read(PIECE)
                if not rest:
                    return b""
                self._inflater, self._rest = zlib.decompressobj(wbits=31), rest
            elif not self._rest:
                self._rest = self._packed.read(PIECE)
                if not self._rest:
                    raise BadImage("a layer ends too early", HINT)
            piece = self._inflater.decompress(self._rest, PIECE)
            self._rest = self._inflater.unconsumed_tail
            if piece:
                return piece
