"""Layers are written directly: the same files, the same bytes, whoever writes them, when and where."""

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, cast

import msgspec

from attacca.errors import BadRequest
from attacca.images.blobs import Blobs, Draft
from attacca.images.core.layers import DIRECTORY, FILE, SYMLINK, parts
from attacca.images.core.manifests import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_MANIFEST,
    Configuration,
    Descriptor,
    Execution,
    Manifest,
    RootFs,
)

COMPRESSION = 6
EXECUTABLE, PLAIN, LINKED, STICKY = 0o755, 0o644, 0o777, 0o1777
PAD_BLOCK = 1 << 20
Tick = Callable[[int], None]  # so many more bytes are packed


class Item(msgspec.Struct, frozen=True):
    """What is to lie at `name`, a path from the root of the image on without the first slash. `source`: a file, or
    its content, or where a symbolic link points."""

    name: str
    kind: str = FILE
    mode: int = PLAIN
    source: Path | bytes | str = b""


class Layer(msgspec.Struct, frozen=True):
    descriptor: Descriptor
    diff_id: str


def directory(name: str, mode: int = EXECUTABLE) -> Item:
    return Item(name, DIRECTORY, mode)


def symlink(name: str, target: str) -> Item:
    return Item(name, SYMLINK, LINKED, target)


def pack(items: Iterable[Item], blobs: Blobs, tick: Tick = lambda _: None) -> Layer:
    """Blocking. In the order of their names, with the directories above them, all of root and of 1970.

    Raises:
        BadRequest: a file cannot be read.
    """
    draft, inside = blobs.draft(), _Hashed()
    try:
        with gzip.GzipFile(
            filename="", fileobj=_Written(draft), mode="wb", compresslevel=COMPRESSION, mtime=0
        ) as zipped:
            inside.file = zipped
            with tarfile.open(fileobj=cast("IO[bytes]", inside), mode="w", format=tarfile.PAX_FORMAT) as archive:
                for item in _all(items):
                    _add(archive, item, tick)
        size, digest = draft.size, draft.digest
        draft.keep(digest)
    finally:
        draft.drop()
    return Layer(Descriptor(OCI_LAYER, digest, size), f"sha256:{inside.hash.hexdigest()}")


def _all(items: Iterable[Item]) -> Iterator[Item]:
    """Each path once, the last that was given; what is above it before it."""
    wanted = {"/".join(parts(item.name)): item for item in items}
    above = {"/".join(path[:depth]) for path in map(parts, wanted) for depth in range(1, len(path))}
    found = {name: directory(name) for name in above} | wanted
    for name in sorted(found):
        yield msgspec.structs.replace(found[name], name=name)


def _add(archive: tarfile.TarFile, item: Item, tick: Tick) -> None:
    entry = tarfile.TarInfo(item.name)
    entry.mode, entry.type = item.mode, item.kind.encode()
    if item.kind != FILE:
        entry.linkname = str(item.source) if item.kind == SYMLINK else ""
        archive.addfile(entry)
        return
    try:
        with io.BytesIO(item.source) if isinstance(item.source, bytes) else open(item.source, "rb") as content:
            entry.size = content.seek(0, io.SEEK_END)
            content.seek(0)
            archive.addfile(entry, content)
    except OSError as error:
        raise BadRequest(f"{item.source!s} cannot be packed: {error.strerror or error}", "check its mode") from None
    tick(entry.size)


class _Hashed:
    """What goes into the gzip file, hashed on the way."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.file: gzip.GzipFile
        self._at = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self._at += len(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self._at


class _Written(io.RawIOBase):
    """A draft, as gzip writes to it."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # it is bytes
        self._draft.write(data)
        return len(data)


def padding(size: int) -> Iterator[bytes]:
    """Bytes that do not compress, the same each time."""
    for number in range(-(-size // PAD_BLOCK)):
        block = hashlib.shake_128(b"attacca %d" % number).digest(PAD_BLOCK)
        yield block[: min(PAD_BLOCK, size - number * PAD_BLOCK)]


def finish(
    blobs: Blobs, below: Manifest | None, before: Configuration, layers: Iterable[Layer], runs: Execution
) -> tuple[str, Manifest]:
    """The image of these layers on top of those that are there; its digest. Blocking."""
    added = tuple(layers)
    configuration = msgspec.structs.replace(
        before, rootfs=RootFs((*before.rootfs.diff_ids, *(layer.diff_id for layer in added))), config=runs
    )
    data = encode_configuration(configuration)
    config = Descriptor(OCI_CONFIG, blobs.put(data), len(data))
    kept = () if below is None else below.layers
    manifest = Manifest(config, (*kept, *(layer.descriptor for layer in added)), media_type=OCI_MANIFEST)
    return blobs.put(encode(manifest)), manifest


def encode(manifest: Manifest) -> bytes:
    """As it is kept: the same to the byte each time, and without what it does not say."""
    return msgspec.json.encode(_said(msgspec.to_builtins(manifest)), order="sorted")


def encode_configuration(configuration: Configuration) -> bytes:
    told = _said(msgspec.to_builtins(configuration))
    told["rootfs"] = {"type": "layers", "diff_ids": configuration.rootfs.diff_ids}
    told["config"] = _said(msgspec.to_builtins(configuration.config or Execution()))
    return msgspec.json.encode(told, order="sorted")


def _said(fields: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value not in ("", {}, None)}


def file_item(name: str, path: Path) -> Item:
    return Item(name, FILE, EXECUTABLE if os.access(path, os.X_OK) else PLAIN, path)
