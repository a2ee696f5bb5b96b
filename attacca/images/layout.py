"""Images in files: the OCI's layout, as a directory or a tar, and what `docker save` writes."""

import contextlib
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Annotated, Protocol

import msgspec

from attacca.errors import BadImage, NotFound
from attacca.images.blobs import Blobs
from attacca.images.core.layers import parts
from attacca.images.core.manifests import (
    LAYERS_MOST,
    MANIFEST_BYTES,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    read,
)
from attacca.images.core.names import digest_of, is_repository, is_tag
from attacca.images.packing import encode
from attacca.images.store import ImageStore

INDEX, LAYOUT, SAVED = "index.json", "oci-layout", "manifest.json"
LAID_OUT = b'{"imageLayoutVersion":"1.0.0"}'
TAR_LAYER = "application/vnd.oci.image.layer.v1.tar"
NAME = "org.opencontainers.image.ref.name"
ENTRIES_MOST = 10_000
INDEXES_MOST = 64  # in one file, however they lie in one another
PIECE = 1 << 20
HINT = "make it with docker save, skopeo copy or attacca build -o"


class Found(msgspec.Struct, frozen=True):
    """An image in a file. `names` are those it has there, with their tags; `manifest` is empty where docker wrote
    none."""

    names: tuple[str, ...]
    manifest: str


class Files(Protocol):
    """What lies in a layout."""

    def read(self, name: str, most: int) -> bytes | None:
        """None: there is no such file."""

    def open(self, name: str) -> IO[bytes] | None: ...


class _Directory(msgspec.Struct, frozen=True):
    path: Path

    def open(self, name: str) -> IO[bytes] | None:
        place = self.path.joinpath(*parts(name))
        return place.open("rb") if place.is_file() else None

    def read(self, name: str, most: int) -> bytes | None:
        return _read(self.open(name), name, most)


class _Tar(msgspec.Struct, frozen=True):
    archive: tarfile.TarFile
    members: dict[str, tarfile.TarInfo]

    def open(self, name: str) -> IO[bytes] | None:
        entry = self.members.get("/".join(parts(name)))
        for _ in range(2):  # docker has links between layers that are the same
            if entry is None or not (entry.issym() or entry.islnk()):
                break
            base = os.path.dirname(entry.name) if entry.issym() else ""
            entry = self.members.get(os.path.normpath(os.path.join(base, entry.linkname)))
        return self.archive.extractfile(entry) if entry is not None and entry.isreg() else None

    def read(self, name: str, most: int) -> bytes | None:
        return _read(self.open(name), name, most)


def _read(file: IO[bytes] | None, name: str, most: int) -> bytes | None:
    if file is None:
        return None
    with file:
        data = file.read(most + 1)
    if len(data) > most:
        raise BadImage(f"{name} has more than {most} bytes", HINT)
    return data


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Files]:
    """
    Raises:
        NotFound: nothing is there.
        BadImage: it is no tar.
    """
    if path.is_dir():
        yield _Directory(path)
        return
    try:
        with tarfile.open(path) as archive:
            members: dict[str, tarfile.TarInfo] = {}
            for entry in archive:
                members["/".join(parts(entry.name))] = entry
                if len(members) > ENTRIES_MOST:
                    raise BadImage(f"{path} has more than {ENTRIES_MOST} entries, and is no image", HINT)
            yield _Tar(archive, members)
    except FileNotFoundError:
        raise NotFound(f"there is no {path}", "check the path") from None
    except (tarfile.TarError, EOFError, ValueError, RecursionError) as error:
        raise BadImage(f"{path} cannot be read: {error}", HINT) from None


def named(data: bytes, media_type: str) -> dict[str, bytes]:
    """The files of a layout with nothing of an image but its manifest: for a store that has the rest."""
    digest = digest_of(data)
    index = {"schemaVersion": 2, "manifests": [{"mediaType": media_type, "digest": digest, "size": len(data)}]}
    return {LAYOUT: LAID_OUT, INDEX: msgspec.json.encode(index, order="sorted"), _place(digest): data}


def is_layout(path: Path) -> bool:
    """Is this directory the OCI's layout of an image?"""
    return (path / LAYOUT).is_file() and (path / INDEX).is_file()


def load(path: Path, store: ImageStore, repository: str, tag: str) -> Descriptor:
    """Blocking. The one image that is in there, for one platform or for several, under this name.

    Raises:
        NotFound: nothing is there, or a part of it is missing.
        BadImage: it is no image, damaged, or there are several.
    """
    with opened(path) as files:
        index = files.read(INDEX, MANIFEST_BYTES)
        found = _from_layout(files, store, repository, index) if index is not None else None
        if found is None:
            found = _from_docker(files, store, repository)
        data = store.blobs.read(found.digest, MANIFEST_BYTES)
        return store.put(repository, data, found.media_type, (tag,)).descriptor


def _from_layout(files: Files, store: ImageStore, repository: str, data: bytes) -> Descriptor:
    index = read(data, OCI_INDEX)
    assert isinstance(index, Index)
    if len(index.manifests) != 1:
        raise BadImage(f"there are {len(index.manifests)} images in it, and one is wanted", "copy that one alone")
    _take(files, store, repository, index.manifests[0], [INDEXES_MOST])
    return index.manifests[0]


def _take(files: Files, store: ImageStore, repository: str, one: Descriptor, left: list[int]) -> None:
    """It and what it consists of, from the inside out."""
    data = files.read(_place(one.digest), MANIFEST_BYTES)
    if data is None:
        raise NotFound(f"{one.digest} is a part of the image, and not there", HINT)
    found = read(data, one.media_type)
    left[0] -= 1
    if left[0] < 0:
        raise BadImage(f"there are more than {INDEXES_MOST} manifests in it", HINT)
    for part in found.parts:
        if isinstance(found, Manifest):
            _take_blob(files, store.blobs, _place(part.digest), part.digest)
            store.shelves.add(repository, part.digest)
        else:
            _take(files, store, repository, part, left)
    if store.put(repository, data, one.media_type).descriptor.digest != one.digest:
        raise BadImage(f"what lies there as {one.digest} is something else", HINT)


def _take_blob(files: Files, blobs: Blobs, name: str, digest: str = "") -> tuple[str, int]:
    """Which it is, and its size. An empty `digest`: whatever it is."""
    size = blobs.size(digest) if digest else None
    if size is not None:
        return digest, size
    file = files.open(name)
    if file is None:
        raise NotFound(f"{name} is a part of the image, and not there", HINT)
    draft = blobs.draft()
    try:
        with file:
            while piece := file.read(PIECE):
                draft.write(piece)
        size, digest = draft.size, digest or draft.digest
        draft.keep(digest)
    finally:
        draft.drop()
    return digest, size


def _place(digest: str) -> str:
    return digest.replace("sha256:", "blobs/sha256/")


class _Saved(msgspec.Struct, frozen=True, rename="pascal"):
    """As `docker save` has it."""

    config: str
    layers: Annotated[tuple[str, ...], msgspec.Meta(max_length=LAYERS_MOST)]
    repo_tags: tuple[str, ...] | None = None


def _from_docker(files: Files, store: ImageStore, repository: str) -> Descriptor:
    data = files.read(SAVED, MANIFEST_BYTES)
    if data is None:
        raise BadImage(f"there is neither {INDEX} nor {SAVED} in it: it is no image", HINT)
    try:
        saved = msgspec.json.decode(data, type=list[_Saved])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadImage(f"{SAVED}: {error}", HINT) from None
    if len(saved) != 1:
        raise BadImage(f"there are {len(saved)} images in it, and one is wanted", "save that one alone")
    config, *layers = (_take_blob(files, store.blobs, name) for name in (saved[0].config, *saved[0].layers))
    for digest, _ in (config, *layers):
        store.shelves.add(repository, digest)
    manifest = Manifest(
        Descriptor(OCI_CONFIG, *config),
        tuple(Descriptor(_kind(store.blobs.path(digest)), digest, size) for digest, size in layers),
        media_type=OCI_MANIFEST,
    )
    data = encode(manifest)
    return Descriptor(OCI_MANIFEST, store.blobs.put(data), len(data))


def _kind(layer: Path) -> str:
    with layer.open("rb") as file:
        return TAR_LAYER + ("+gzip" if file.read(2) == b"\x1f\x8b" else "")


def write(file: IO[bytes], blobs: Blobs, digest: str, manifest: Manifest, names: Iterable[str]) -> None:
    """Blocking. A tar that is the OCI's layout and what `docker load` takes, in one; the same image, the same bytes."""
    names = [name for name in names if _is_named(name)]
    data = blobs.read(digest, MANIFEST_BYTES)
    annotations = {NAME: names[0].rpartition(":")[2], "io.containerd.image.name": names[0]} if names else {}
    top = Descriptor(manifest.media_type or OCI_MANIFEST, digest, len(data), annotations=annotations)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [msgspec.to_builtins(top)]}
    saved = {
        "Config": _place(manifest.config.digest),
        "Layers": [_place(layer.digest) for layer in manifest.layers],
        "RepoTags": names,
    }
    written = {
        INDEX: msgspec.json.encode(index, order="sorted"),
        SAVED: msgspec.json.encode([saved], order="sorted"),
        LAYOUT: LAID_OUT,
    }
    places = {_place(one): blobs.path(one) for one in (digest, *(part.digest for part in manifest.parts))}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted([*written, *places]):
            content = io.BytesIO(written[name]) if name in written else places[name].open("rb")
            with content:
                entry = tarfile.TarInfo(name)
                entry.size = content.seek(0, io.SEEK_END)
                content.seek(0)
                archive.addfile(entry, content)


def _is_named(name: str) -> bool:
    repository, _, tag = name.rpartition(":")
    return is_repository(repository.partition("/")[2] or repository) and is_tag(tag)
