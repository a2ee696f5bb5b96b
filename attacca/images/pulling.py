"""A whole image between a registry and a store: what is there already does not come again."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from attacca.errors import AttaccaError, BadImage
from attacca.images.core.manifests import (
    DEEPEST,
    HINT,
    MANIFEST_BYTES,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    choose,
    is_elsewhere,
    read,
)
from attacca.images.core.mirrors import Mirror
from attacca.images.core.mirrors import of as mirrors_of
from attacca.images.core.names import Reference, digest_of, is_digest
from attacca.images.remote import Remote, login
from attacca.images.store import ImageStore, here

IMAGE_BYTES = 32 << 30  # of all that one image may say that it has, packed
MIRROR_TRIES = 2  # for each thing: there is somebody else to ask
Tick = Callable[[int], None]


def pull(remote: Remote, images: ImageStore, begin: Tick = lambda _: None, tick: Tick = lambda _: None) -> str:
    """Blocking. Its digest, of the manifest for this machine. `begin` is told how many bytes are to come, `tick` of
    each that has.

    Raises:
        AttaccaError: it is not to be had, or not what it is said to be.
    """
    digest, data = _manifest(remote, remote.reference.which)
    found = read(data)
    for _ in range(DEEPEST):
        if isinstance(found, Manifest):
            break
        digest, data = _manifest(remote, choose(found, here()).digest)
        found = read(data)
    if not isinstance(found, Manifest):
        raise BadImage("it is an index of indexes of indexes, and so on", HINT)
    missing = [part for part in found.parts if images.blobs.size(part.digest) is None]
    size = sum(part.size for part in missing)
    if size > IMAGE_BYTES:
        raise BadImage(f"the image says that it has {size} bytes, packed", "take a smaller one")
    begin(size)
    for part in missing:
        _blob(remote, images, part, tick)
    return images.blobs.put(data, digest)


def pull_from(
    reference: Reference, mirrors: Sequence[Mirror], images: ImageStore, note: Callable[[str], None],
    begin: Tick = lambda _: None, tick: Tick = lambda _: None,
) -> str:  # fmt: skip
    """As `pull`, from the first that has it: the mirrors of its registry, then itself. `note` is told of mirrors that
    fail; what came from them stays.

    Raises:
        AttaccaError: it is not to be had from its own registry either.
    """
    for mirror in mirrors_of(reference, mirrors):
        there = mirror.reference(reference)
        try:
            remote = Remote(there, login(there.host), is_plain=mirror.is_plain, tries=MIRROR_TRIES)
            return pull(remote, images, begin, tick)
        except AttaccaError as error:
            note(f"the mirror {mirror} is passed over: {error.message}")
    return pull(Remote(reference, login(reference.host)), images, begin, tick)


def _manifest(remote: Remote, which: str) -> tuple[str, bytes]:
    _, data = remote.manifest(which)
    digest = digest_of(data, which) if is_digest(which) else digest_of(data)
    if is_digest(which) and digest != which:
        raise BadImage(f"the registry sends {digest} for {which}", "do not trust it")
    return digest, data


def _blob(remote: Remote, images: ImageStore, part: Descriptor, tick: Tick) -> None:
    draft = images.blobs.draft()
    try:
        remote.blob(part.digest, part.size, draft, tick)
        draft.keep(part.digest)
    finally:
        draft.drop()


def push(
    images: ImageStore, digest: str, remote: Remote, begin: Tick = lambda _: None, tick: Tick = lambda _: None
) -> None:
    """Blocking.

    Raises:
        AttaccaError: the registry does not take it.
    """
    data = images.blobs.read(digest, MANIFEST_BYTES)
    found = read(data)
    assert isinstance(found, Manifest)
    parts = [part for part in found.parts if not is_elsewhere(part)]
    for part in parts:
        remote.send(part.digest, part.size, partial(_open, images.blobs.path(part.digest)))
        tick(part.size)
    remote.name(remote.reference.which, found.media_type or OCI_MANIFEST, data)


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")
